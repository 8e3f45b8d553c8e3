"""The numbers of groups, value and lifecycle [K7, V1, V2, V5], checked when read, and the SQL made from them."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, get_args

from chassis.policy import Policies, PolicyInvalid
from contracts.classification import TAGS, TIERS, ClassCode
from services.classification.policies import POLICY_FILE, required

BIT = {tag: 1 << place for place, tag in enumerate(TAGS)}
"""Tags are kept as the bits of a small integer; the lowest bit set is the primary group [K7]."""


@dataclass(frozen=True, slots=True)
class GroupPolicy:
    """The bounds of the seven groups [K7]; amounts in CNY, days are calendar days unless said otherwise."""

    at_risk_share: Decimal
    at_risk_days: int
    at_risk_from: Decimal
    abnormal_after_days: int
    abnormal_transfer_share: Decimal
    abnormal_transfer_days: int
    abnormal_multiple: Decimal
    abnormal_days_before: int
    abnormal_traded_days: int
    abnormal_in_force_days: int
    new_days: int
    dormant_days: int

    def sql(self, day: str) -> str:
        """The tags as bits, at the close of `day` (an SQL date), over the columns of `rules.GroupFigures`."""
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


@dataclass(frozen=True, slots=True)
class LifecyclePolicy:
    """The bounds of the lifecycle [V5]."""

    lost_below: Decimal
    lost_idle_days: int
    established_days: int
    declining_share: Decimal
    growing_share: Decimal

    def sql(self, day: str) -> str:
        """The lifecycle at the month close of `day` (an SQL date), over the columns of `rules.LifecycleFigures`."""
        now_before = (("assets_now", "assets_before"), ("commission_now", "commission_before"))
        falls = " OR ".join(f"({b} > 0 AND {n} <= {self.declining_share} * {b})" for n, b in now_before)
        rises = " OR ".join(f"({b} > 0 AND {n} >= {self.growing_share} * {b})" for n, b in now_before)
        return f"""CASE WHEN closed_on <= {day} THEN 'LOST'
            WHEN total < {self.lost_below} AND {day} - greatest(opened_on, traded_on) >= {self.lost_idle_days} THEN 'LOST'
            WHEN {day} - opened_on <= {self.established_days} THEN 'ESTABLISHED'
            WHEN {falls} THEN 'DECLINING' WHEN {rises} THEN 'GROWING' ELSE 'MATURE' END"""


def parse_groups(body: dict[str, Any]) -> GroupPolicy:
    """A group policy from its body.

    Raises: PolicyInvalid when a number is missing or cannot be meant.
    """
    policy = GroupPolicy(
        at_risk_share=_above_zero(body, "at_risk_share"),
        at_risk_days=days_in(body, "at_risk_days"),
        at_risk_from=_above_zero(body, "at_risk_from"),
        abnormal_after_days=days_in(body, "abnormal_after_days"),
        abnormal_transfer_share=_above_zero(body, "abnormal_transfer_share"),
        abnormal_transfer_days=days_in(body, "abnormal_transfer_days"),
        abnormal_multiple=_above_zero(body, "abnormal_multiple"),
        abnormal_days_before=days_in(body, "abnormal_days_before"),
        abnormal_traded_days=days_in(body, "abnormal_traded_days"),
        abnormal_in_force_days=days_in(body, "abnormal_in_force_days"),
        new_days=days_in(body, "new_days"),
        dormant_days=days_in(body, "dormant_days"),
    )
    if policy.at_risk_share >= 1:
        raise PolicyInvalid("at_risk_share must be below 1: assets that did not fall are no risk")
    return policy


def parse_value(body: dict[str, Any]) -> ValuePolicy:
    """A value policy from its body.

    Raises: PolicyInvalid when weights do not sum to 1, a reference is not above 0, or a code is unknown.
    """
    names = ("commission", "purchases", "assets")
    references = tuple(_above_zero(body, f"{name}_reference") for name in names)
    weights = tuple(required(body, f"{name}_weight") for name in names)
    if sum(weights) != 1 or min(weights) < 0:
        raise PolicyInvalid("the weights of V must not be negative and must sum to 1")
    share, classes, tier = _above_zero(body, "core_share"), tuple(body.get("core_classes", ())), body.get("core_tier")
    if share > 1 or tier not in TIERS or not set(classes) <= set(get_args(ClassCode)):
        raise PolicyInvalid("core needs a share up to 1, class codes and a tier code")
    return ValuePolicy(references, weights, share, classes, TIERS.index(tier))  # type: ignore[arg-type]


def parse_lifecycle(body: dict[str, Any]) -> LifecyclePolicy:
    """A lifecycle policy from its body.

    Raises: PolicyInvalid when numbers are missing or decline and growth overlap.
    """
    policy = LifecyclePolicy(
        lost_below=_above_zero(body, "lost_below"),
        lost_idle_days=days_in(body, "lost_idle_days"),
        established_days=days_in(body, "established_days"),
        declining_share=_above_zero(body, "declining_share"),
        growing_share=_above_zero(body, "growing_share"),
    )
    if not policy.declining_share < 1 < policy.growing_share:
        raise PolicyInvalid("declining_share must lie below 1 and growing_share above it")
    return policy


def _above_zero(body: dict[str, Any], name: str) -> Decimal:
    number = required(body, name)
    if number <= 0:
        raise PolicyInvalid(f"{name} must be above 0")
    return number


def days_in(body: dict[str, Any], name: str) -> int:
    """A whole number of days (or of anything counted) in a policy body.

    Raises: PolicyInvalid.
    """
    days = body.get(name)
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= 3660:
        raise PolicyInvalid(f"{name} must be a whole number of days from 1 to 3660")
    return days


def group_policies() -> Policies[GroupPolicy]:
    """The bounds of the groups shipped with the service."""
    return Policies("groups", POLICY_FILE, parse_groups)


def value_policies() -> Policies[ValuePolicy]:
    """The weights of V shipped with the service."""
    return Policies("value", POLICY_FILE, parse_value)


def lifecycle_policies() -> Policies[LifecyclePolicy]:
    """The bounds of the lifecycle shipped with the service."""
    return Policies("lifecycle", POLICY_FILE, parse_lifecycle)
