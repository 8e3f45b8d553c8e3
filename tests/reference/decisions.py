"""The decisions of classification, one client at a time: what the statements made from the same policies must find."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import ceil

from chassis.errors import Invalid, Text
from contracts.classification import TAGS, LifecycleCode, TagCode, ValueType
from services.classification.group_policies import GroupPolicy, LifecyclePolicy, ValuePolicy
from services.classification.policies import ClassPolicy, TierPolicy

CENT, FOUR_PLACES = Decimal("0.01"), Decimal("0.0001")
VALUE_TYPES: tuple[ValueType, ...] = ("COMMISSION", "PRODUCT", "ASSETS")


def rounded(value: Fraction, places: Decimal) -> Decimal:
    """An exact fraction, half up to the given places."""
    scaled = abs(value) / Fraction(places)
    whole = int(scaled + Fraction(1, 2))
    return (Decimal(whole) * places * (1 if value >= 0 else -1)).quantize(places, ROUND_HALF_UP)


def month_mean(day_sum: Decimal, known_days: int) -> Decimal:
    """Mean daily total assets of a month, half up to 0.01; a month without a known day has mean 0 [K2a]."""
    return rounded(Fraction(day_sum) / known_days, CENT) if known_days else Decimal("0.00")


def turnover(traded: Decimal, day_sum: Decimal, known_days: int) -> Decimal:
    """Buys plus sells of 12 months over the mean of the known days, 4 decimals half up; 0 when that mean is not positive [K2]."""
    if known_days == 0 or day_sum <= 0:
        return Decimal("0.0000")
    return rounded(Fraction(traded) * known_days / Fraction(day_sum), FOUR_PLACES)


def is_trader(orders_in_3_months: int, month_traded: Decimal, mean: Decimal, policy: ClassPolicy) -> bool:
    """TRADER (交易型) rather than INVESTOR (投资型) [T6]."""
    busy = Decimal(orders_in_3_months) >= 3 * policy.trader_orders_per_month
    return busy or (mean > 0 and month_traded >= policy.trader_monthly_turnover * mean)


def entitled_tier(assets: Decimal, commission: Decimal, policy: TierPolicy) -> int:
    """The tier earned, as an index of TIERS: the higher of both parts; bounds are inclusive [T3]."""
    by_assets = sum(assets >= bound for bound in policy.assets)
    if policy.mode == "ASSETS_ONLY":
        return by_assets
    return max(by_assets, sum(commission >= bound for bound in policy.commission))


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


class RiskGradeRefused(Invalid):
    """Annex 4 prints five risk grades, the questionnaire gives four: 极高 cannot be reached and is refused [K6]."""

    title = Text("The risk grade cannot be taken over", "风险等级无法导入")


RISK_GRADES = {"极低": "VERY_LOW", "低": "LOW", "中": "MEDIUM", "一般": "MEDIUM", "高": "HIGH"}


def risk_of_annex(grade: str) -> str:
    """The canonical level of a grade as annex 4 prints it: 一般 is MEDIUM [K6].

    Raises: RiskGradeRefused for 极高 and anything unknown.
    """
    if grade not in RISK_GRADES:
        raise RiskGradeRefused(
            Text(
                f"{grade}: no answer sheet reaches this grade; assess the client again",
                f"{grade}：问卷无此等级，请重新评估",
            )
        )
    return RISK_GRADES[grade]
