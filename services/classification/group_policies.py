"""The numbers of groups, value and lifecycle [K7, V1, V2, V5], checked when read, and the SQL made from them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from chassis.errors import FieldError
from chassis.policy import Number, PolicyBody, PolicyInvalid, typed
from contracts.classification import TAGS, TIERS, ClassCode, TierCode

Days = Annotated[int, msgspec.Meta(ge=1, le=3660)]
"""A whole number of days, or of anything counted."""
BIT = {tag: 1 << place for place, tag in enumerate(TAGS)}
"""Tags are kept as the bits of a small integer; the lowest bit set is the primary group [K7]."""


class GroupPolicy(PolicyBody, frozen=True):
    """The bounds of the seven groups [K7]; amounts in CNY, days are calendar days unless said otherwise."""

    at_risk_share: Number
    at_risk_days: Days
    at_risk_from: Number
    abnormal_after_days: Days
    abnormal_transfer_share: Number
    abnormal_transfer_days: Days
    abnormal_multiple: Number
    abnormal_days_before: Days
    abnormal_traded_days: Days
    abnormal_in_force_days: Days
    new_days: Days
    dormant_days: Days

    def sql(self, day: str) -> str:
        """The tags as bits, at the close of `day` (an SQL date), over a row of `groups.figures_sql`."""
        held = f"total <= {self.at_risk_share} * before AND before >= {self.at_risk_from}"
        tags = {
            "AT_RISK": f"coalesce(leaving_since <= {day} OR ({held}), false)",
            "ABNORMAL": f"coalesce(occurred_on > {day} - {self.abnormal_in_force_days}, false)",
            "NEVER_TRADED": f"traded_on IS NULL AND {day} - opened_on > {self.new_days}",
            "NEW": f"{day} - opened_on <= {self.new_days}",
            "CORE": "core",
            "DORMANT": f"coalesce({day} - traded_on >= {self.dormant_days}, false)",
        }
        bits = " + ".join(f"CASE WHEN {tags[tag]} THEN {BIT[tag]} ELSE 0 END" for tag in TAGS)
        return f"CASE WHEN closed_on <= {day} THEN NULL ELSE ({bits})::smallint END"


@dataclass(frozen=True, slots=True)
class ValuePolicy:
    """References and weights of V [V1], in the order commission, purchases, assets, and who is core [V2]."""

    references: tuple[Decimal, Decimal, Decimal]
    weights: tuple[Decimal, Decimal, Decimal]
    core_share: Decimal
    core_classes: tuple[str, ...]
    core_tier: int

    def parts_sql(self) -> tuple[str, str, str]:
        """Each weighted part of V times the product of the references, over `commission`, `purchases`, `assets`.

        Whole multiples instead of quotients: nothing is rounded before V is.
        """
        first, second, third = self.references
        factors = [
            w * 100 * f for w, f in zip(self.weights, (second * third, first * third, first * second), strict=True)
        ]
        columns = zip(("commission", "purchases", "assets"), self.references, factors, strict=True)
        commission, purchases, assets = (f"least(greatest({c}, 0), {r}) * {f}" for c, r, f in columns)
        return commission, purchases, assets

    @property
    def denominator(self) -> Decimal:
        """What the parts of `parts_sql` are multiples of."""
        first, second, third = self.references
        return first * second * third


class LifecyclePolicy(PolicyBody, frozen=True):
    """The bounds of the lifecycle [V5]."""

    lost_below: Number
    lost_idle_days: Days
    established_days: Days
    declining_share: Number
    growing_share: Number

    def sql(self, day: str) -> str:
        """The lifecycle at the month close of `day` (an SQL date), over a row of `value.value_sql`."""
        now_before = (("assets_now", "assets_before"), ("commission_now", "commission_before"))
        falls = " OR ".join(f"({b} > 0 AND {n} <= {self.declining_share} * {b})" for n, b in now_before)
        rises = " OR ".join(f"({b} > 0 AND {n} >= {self.growing_share} * {b})" for n, b in now_before)
        return f"""CASE WHEN closed_on <= {day} THEN 'LOST'
            WHEN total < {self.lost_below} AND {day} - greatest(opened_on, traded_on) >= {self.lost_idle_days} THEN 'LOST'
            WHEN {day} - opened_on <= {self.established_days} THEN 'ESTABLISHED'
            WHEN {falls} THEN 'DECLINING' WHEN {rises} THEN 'GROWING' ELSE 'MATURE' END"""


class ValueBody(PolicyBody, frozen=True):
    """The value policy as it is written."""

    commission_reference: Number
    purchases_reference: Number
    assets_reference: Number
    commission_weight: Number
    purchases_weight: Number
    assets_weight: Number
    core_share: Number
    core_tier: TierCode
    core_classes: tuple[ClassCode, ...] = ()


def parse_groups(body: dict[str, Any]) -> GroupPolicy:
    """A group policy from its body.

    Raises: PolicyInvalid when a number is missing or cannot be meant.
    """
    policy = typed(GroupPolicy, body)
    _above_zero(policy)
    if policy.at_risk_share >= 1:
        raise PolicyInvalid(
            "at_risk_share must be below 1: assets that did not fall are no risk",
            errors=(FieldError("/body/at_risk_share", "below 1"),),
        )
    return policy


def parse_value(body: dict[str, Any]) -> ValuePolicy:
    """A value policy from its body.

    Raises: PolicyInvalid when weights do not sum to 1, a reference is not above 0, or a code is unknown.
    """
    given = typed(ValueBody, body)
    references = (given.commission_reference, given.purchases_reference, given.assets_reference)
    weights = (given.commission_weight, given.purchases_weight, given.assets_weight)
    if sum(weights) != 1 or min(weights) < 0:
        raise PolicyInvalid(
            "the weights of V must not be negative and must sum to 1",
            errors=tuple(
                FieldError(f"/body/{n}_weight", "must sum to 1") for n in ("commission", "purchases", "assets")
            ),
        )
    if min(references) <= 0 or not 0 < given.core_share <= 1:
        wrong = "core_share" if min(references) > 0 else "assets_reference"
        raise PolicyInvalid(
            "references must be above 0, and core needs a share up to 1",
            errors=(FieldError(f"/body/{wrong}", "out of range"),),
        )
    return ValuePolicy(references, weights, given.core_share, given.core_classes, TIERS.index(given.core_tier))


def parse_lifecycle(body: dict[str, Any]) -> LifecyclePolicy:
    """A lifecycle policy from its body.

    Raises: PolicyInvalid when numbers are missing or decline and growth overlap.
    """
    policy = typed(LifecyclePolicy, body)
    _above_zero(policy)
    if not policy.declining_share < 1 < policy.growing_share:
        raise PolicyInvalid(
            "declining_share must lie below 1 and growing_share above it",
            errors=(FieldError("/body/declining_share", "below 1"), FieldError("/body/growing_share", "above 1")),
        )
    return policy


def _above_zero(policy: PolicyBody) -> None:
    for name, value in msgspec.structs.asdict(policy).items():
        if value <= 0:
            raise PolicyInvalid(f"{name} must be above 0", errors=(FieldError(f"/body/{name}", "must be above 0"),))
