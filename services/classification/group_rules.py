"""Pure decisions: tags, occurrences, value, core, lifecycle. Facts, policy and a day come in; a decision goes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil

from contracts.classification import TAGS, GroupCode, LifecycleCode, TagCode, ValueType
from services.classification.group_policies import BIT, GroupPolicy, LifecyclePolicy, ValuePolicy
from services.classification.rules import CENT, rounded

VALUE_TYPES: tuple[ValueType, ...] = ("COMMISSION", "PRODUCT", "ASSETS")


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """What the close of a day needs of a client [K7]; daily totals as in K2a, None when unknown."""

    opened_on: date
    closed_on: date | None = None
    leaving_since: date | None = None
    traded_on: date | None = None
    occurred_on: date | None = None
    total: Decimal | None = None
    before: Decimal | None = None
    core: bool = False


def tags_at(figures: GroupFigures, day: date, policy: GroupPolicy) -> list[TagCode] | None:
    """All groups a client matches at the close of a day, in the order that decides; None when closed [K7]."""
    f = figures
    if f.closed_on is not None and f.closed_on <= day:
        return None
    age = (day - f.opened_on).days
    fell = (
        f.total is not None
        and f.before is not None
        and f.before >= policy.at_risk_from
        and f.total <= policy.at_risk_share * f.before
    )
    in_force = timedelta(days=policy.abnormal_in_force_days)
    matches: dict[TagCode, bool] = {
        "AT_RISK": fell or (f.leaving_since is not None and f.leaving_since <= day),
        "ABNORMAL": f.occurred_on is not None and day < f.occurred_on + in_force,
        "NEVER_TRADED": f.traded_on is None and age > policy.new_days,
        "NEW": age <= policy.new_days,
        "CORE": f.core,
        "DORMANT": f.traded_on is not None and (day - f.traded_on).days >= policy.dormant_days,
    }
    return [tag for tag in TAGS if matches[tag]]


def tags_of(bits: int) -> list[TagCode]:
    """The tags in a stored number."""
    return [tag for tag in TAGS if bits & BIT[tag]]


def primary_of(bits: int | None) -> GroupCode | None:
    """The one primary group: the first match, REGULAR without any, none for a closed account [K7]."""
    if bits is None:
        return None
    return next(iter(tags_of(bits)), "REGULAR")


def trades_abnormally(traded: Mapping[date, Decimal], opened_on: date, day: date, policy: GroupPolicy) -> bool:
    """Whether a day's traded amount is out of proportion to the traded days before it [K7]; the mean is not rounded."""
    since = day - timedelta(days=policy.abnormal_days_before)
    before = [Fraction(amount) for d, amount in traded.items() if since <= d < day]
    return (
        day in traded
        and (day - opened_on).days > policy.abnormal_after_days
        and len(before) >= policy.abnormal_traded_days
        and Fraction(traded[day]) * len(before) >= Fraction(policy.abnormal_multiple) * sum(before)
    )


def moves_abnormally(net: Decimal, assets: Decimal | None, opened_on: date, day: date, policy: GroupPolicy) -> bool:
    """Whether the net transfer of the window that ends on `day` is out of proportion to the assets before it [K7].

    `assets` is the daily total of the day before the window: later ones hold the transfer itself. Unknown: no word.
    """
    return (
        assets is not None
        and net != 0
        and (day - opened_on).days > policy.abnormal_after_days
        and abs(net) >= policy.abnormal_transfer_share * assets
    )


def value_of(
    commission: Decimal, purchases: Decimal, assets: Decimal, policy: ValuePolicy
) -> tuple[Decimal, ValueType, bool]:
    """V, two decimals half up, its type, and `no_value` [V1]: the largest weighted part, the first one when equal."""
    given = zip((commission, purchases, assets), policy.references, policy.weights, strict=True)
    parts = [Fraction(w) * 100 * Fraction(min(max(x, Decimal(0)), r)) / Fraction(r) for x, r, w in given]
    value = rounded(Fraction(sum(parts)), CENT)
    if not value:
        return value, "ASSETS", True
    return value, VALUE_TYPES[parts.index(max(parts))], False


def core_by_rank(values: Mapping[str, tuple[Decimal, Decimal]], policy: ValuePolicy) -> set[str]:
    """Of a branch's open clients, (V, assets) by id, the first share of those with V > 0, rounded up [V2]."""
    ranked = sorted((c for c in values if values[c][0] > 0), key=lambda c: (-values[c][0], -values[c][1], c))
    return set(ranked[: ceil(len(ranked) * Fraction(policy.core_share))])


@dataclass(frozen=True, slots=True)
class LifecycleFigures:
    """What a month close needs of a client [V5]. Three months against the three before: sums instead of means.

    `assets_now` and `assets_before` are None unless all six months have known days.
    """

    opened_on: date
    closed_on: date | None = None
    traded_on: date | None = None
    total: Decimal | None = None
    assets_now: Decimal | None = None
    assets_before: Decimal | None = None
    commission_now: Decimal = Decimal(0)
    commission_before: Decimal = Decimal(0)


def lifecycle_at(figures: LifecycleFigures, day: date, policy: LifecyclePolicy) -> LifecycleCode:
    """The lifecycle found by a month close: first match [V5]."""
    f = figures
    if f.closed_on is not None and f.closed_on <= day:
        return "LOST"
    idle = (day - max(f.opened_on, f.traded_on or f.opened_on)).days
    if f.total is not None and f.total < policy.lost_below and idle >= policy.lost_idle_days:
        return "LOST"
    if (day - f.opened_on).days <= policy.established_days:
        return "ESTABLISHED"
    compared: Sequence[tuple[Decimal | None, Decimal | None]] = (
        (f.assets_now, f.assets_before),
        (f.commission_now, f.commission_before),
    )
    comparable = [(now, before) for now, before in compared if now is not None and before is not None and before > 0]
    if any(now <= policy.declining_share * before for now, before in comparable):
        return "DECLINING"
    if any(now >= policy.growing_share * before for now, before in comparable):
        return "GROWING"
    return "MATURE"
