"""What classification's policies may say, how they are checked, and the SQL made from them.

One table serves three ways: the pure rules read it, the SQL over all clients is made from it, and the check proves
that it is total and disjoint before it is published.
"""

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from chassis.errors import FieldError, Text
from chassis.policy import Number, PolicyBody, PolicyInvalid, typed
from contracts.classification import ClassCode

POLICY_FILE = Path(__file__).parent / "policy.toml"


class ClassRow(PolicyBody, frozen=True):
    """One row of the class table: from <= assets < to, and turnover below or from the threshold on, or any."""

    code: ClassCode
    assets_from: Number | None = None
    assets_to: Number | None = None
    turnover: Literal["low", "high"] | None = None

    def covers(self, assets: Decimal, turned_over: Decimal, threshold: Decimal) -> bool:
        """Whether this row is the class of these figures."""
        return (
            (self.assets_from is None or assets >= self.assets_from)
            and (self.assets_to is None or assets < self.assets_to)
            and (self.turnover is None or (self.turnover == "high") == (turned_over >= threshold))
        )

    def sql(self, threshold: Decimal) -> str:
        """The same as a condition on `assets` and `turnover`."""
        parts = []
        if self.assets_from is not None:
            parts.append(f"assets >= {self.assets_from}")
        if self.assets_to is not None:
            parts.append(f"assets < {self.assets_to}")
        if self.turnover is not None:
            parts.append(f"turnover {'>=' if self.turnover == 'high' else '<'} {threshold}")
        return " AND ".join(parts) or "true"


class ClassPolicy(PolicyBody, frozen=True):
    """The class table with its turnover threshold θ [K1, K2] and what makes a trader [T6]."""

    turnover_threshold: Number
    rows: Annotated[tuple[ClassRow, ...], msgspec.Meta(max_length=100)]
    trader_orders_per_month: Number
    trader_monthly_turnover: Number

    def sql(self) -> str:
        """A CASE over `assets` and `turnover` that gives the class."""
        cases = " ".join(f"WHEN {row.sql(self.turnover_threshold)} THEN '{row.code}'" for row in self.rows)
        return f"CASE {cases} END"


class TierPolicy(PolicyBody, frozen=True):
    """Lower bounds of SILVER to DIAMOND by assets and by commission, and the grace [T3, T4]."""

    assets: tuple[Number, Number, Number, Number]
    commission: tuple[Number, Number, Number, Number]
    grace_days: Annotated[int, msgspec.Meta(ge=1, le=3660)]
    mode: Literal["ASSETS_OR_COMMISSION", "ASSETS_ONLY"] = "ASSETS_OR_COMMISSION"
    notice_days: tuple[int, ...] = ()

    def sql(self) -> str:
        """The entitled tier, as an index, over `assets` and `commission`."""
        by_assets = _steps("assets", self.assets)
        if self.mode == "ASSETS_ONLY":
            return by_assets
        return f"greatest({by_assets}, {_steps('commission', self.commission)})"


def _steps(column: str, bounds: Sequence[Decimal]) -> str:
    steps = " ".join(f"WHEN {column} >= {bound} THEN {index}" for index, bound in reversed(list(enumerate(bounds, 1))))
    return f"CASE {steps} ELSE 0 END"


def parse_classes(body: dict[str, Any]) -> ClassPolicy:
    """A class policy from its body, checked to be total and disjoint.

    Raises: PolicyInvalid with every gap and overlap found, each with a pair of figures that shows it.
    """
    policy = typed(ClassPolicy, body)
    if policy.turnover_threshold <= 0:
        raise PolicyInvalid(
            "turnover_threshold must be above 0", errors=(FieldError("/body/turnover_threshold", "above 0"),)
        )
    if faults := faults_of(policy):
        raise PolicyInvalid(
            Text("; ".join(f.en for f in faults), "；".join(f.zh for f in faults)),
            errors=tuple(FieldError("/body/rows", f.en) for f in faults),
            counter_examples=[f.en for f in faults],
        )
    return policy


def as_body(policy: ClassPolicy) -> dict[str, Any]:
    """The body that parses to this policy."""
    rows = [
        {
            name: str(value)
            for name in ("code", "assets_from", "assets_to", "turnover")
            if (value := getattr(row, name)) is not None
        }
        for row in policy.rows
    ]
    numbers = ("turnover_threshold", "trader_orders_per_month", "trader_monthly_turnover")
    return {"rows": rows} | {name: str(getattr(policy, name)) for name in numbers}


def faults_of(policy: ClassPolicy) -> list[Text]:
    """Every gap and overlap of a class table, each with assets and turnover that show it.

    Between two neighbouring bounds nothing can change, so one figure of each interval decides for all of it.
    """
    bounds: list[Decimal] = sorted(
        {b for row in policy.rows for b in (row.assets_from, row.assets_to) if b is not None}
    )
    inside = [(low + high) / 2 for low, high in pairwise(bounds)]
    assets = sorted({*bounds, *inside, *([bounds[0] - 1, bounds[-1] + 1] if bounds else [Decimal(0)])})
    low, high = policy.turnover_threshold / 3, policy.turnover_threshold + 2
    faults = []
    for figure in assets:
        for turned_over in (low, policy.turnover_threshold, high):
            codes = [row.code for row in policy.rows if row.covers(figure, turned_over, policy.turnover_threshold)]
            place = f"({_plain(figure)}; {_plain(turned_over)})"
            if not codes:
                faults.append(Text(f"gap: no class for {place}", f"空缺：{place} 没有分类"))
            elif len(codes) > 1:
                names = ", ".join(codes)
                faults.append(Text(f"overlap: {place} is {names}", f"重叠：{place} 同时属于 {names}"))
    return faults


def parse_tiers(body: dict[str, Any]) -> TierPolicy:
    """A tier policy from its body.

    Raises: PolicyInvalid when bounds do not rise or numbers are missing.
    """
    policy = typed(TierPolicy, body)
    for name, bounds in (("assets", policy.assets), ("commission", policy.commission)):
        if bounds[0] <= 0 or any(low >= high for low, high in pairwise(bounds)):
            raise PolicyInvalid(
                f"{name} must be four rising bounds above 0: SILVER, GOLD, PLATINUM, DIAMOND",
                errors=(FieldError(f"/body/{name}", "four rising bounds above 0"),),
            )
    if any(not 0 < days < policy.grace_days for days in policy.notice_days):
        raise PolicyInvalid(
            "notices must lie inside the grace", errors=(FieldError("/body/notice_days", "inside the grace"),)
        )
    return msgspec.structs.replace(policy, notice_days=tuple(sorted(policy.notice_days, reverse=True)))


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
