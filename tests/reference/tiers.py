"""Tiers day by day: up at once, down by grace and step [T3, T4, T5, T7].

Choices where the texts are silent:
- The asset part is the mean of the last month whose last day is a closed day; months before the first close are
  not closed by us, so the first asset part is that of the month of the first close, at its last day.
- A client opened after that month's end has mean 0 there (no known day): NORMAL by assets.
- Commission of trades dated before the first close counts when its date lies in the window.
- A grace that is running when the entitled tier moves, but stays below the retained one, goes on unchanged.
- The replay has no grants, so the effective tier is the retained one.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from .classes import MonthClass
from .days import ONE_DAY, twelve_months_before
from .facts import Client

TIERS = ["NORMAL", "SILVER", "GOLD", "PLATINUM", "DIAMOND"]
ASSET_BOUNDS = [Decimal(bound) for bound in (100_000, 500_000, 1_000_000, 5_000_000)]
COMMISSION_BOUNDS = [100 * bound for bound in (1_000, 5_000, 10_000, 50_000)]  # hundredths
GRACE_DAYS = 90


@dataclass(frozen=True)
class Stretch:
    """One stretch of the effective tier; `to` is exclusive, None when open."""

    tier: str
    since: date
    to: date | None
    reason: str


@dataclass(frozen=True)
class Standing:
    """The retained tier as an index of TIERS, and the first day of the running grace if there is one."""

    retained: int = 0
    grace_since: date | None = None


def entitled_by(assets: Decimal, commission: int) -> int:
    """The higher of the tiers by assets and by commission (hundredths); bounds are inclusive [T3]."""
    by_assets = sum(assets >= bound for bound in ASSET_BOUNDS)
    by_commission = sum(commission >= bound for bound in COMMISSION_BOUNDS)
    return max(by_assets, by_commission)


def close(standing: Standing, entitled: int, day: date) -> Standing:
    """The standing in force from the day after `day`, by the close of `day` [T7]."""
    retained, grace_since = standing.retained, standing.grace_since
    if entitled >= retained:
        return Standing(entitled, None)
    if grace_since is None:
        return Standing(retained, day + ONE_DAY)
    if day < grace_since + timedelta(days=GRACE_DAYS - 1):
        return standing
    lower = retained - 1
    return Standing(lower, day + ONE_DAY if entitled < lower else None)


def tiers_of(client: Client, classes: list[MonthClass], closes: list[date]) -> list[Stretch]:
    """Every stretch of a client's tier, from the opening on; `classes` carry the month means [K2a]."""
    means = {evaluation.last_day: evaluation.asset_mean for evaluation in classes}
    commissions: dict[date, int] = {}
    for trade in client.trades:
        commissions[trade.trade_date] = commissions.get(trade.trade_date, 0) + trade.commission
    dates = sorted(commissions)

    stretches = [Stretch(TIERS[0], client.opened_on, None, "opened")]
    standing = Standing()
    assets = Decimal(0)
    for day in closes:
        if day < client.opened_on:
            continue
        assets = means.get(day, assets)
        window_start = twelve_months_before(day)
        commission = sum(commissions[d] for d in dates if window_start < d <= day)
        after = close(standing, entitled_by(assets, commission), day)
        if after.retained != standing.retained:
            reason = "upgrade" if after.retained > standing.retained else "downgrade"
            stretches[-1] = replace(stretches[-1], to=day + ONE_DAY)
            stretches.append(Stretch(TIERS[after.retained], day + ONE_DAY, None, reason))
        standing = after
    return stretches


def tier_on(stretches: list[Stretch], day: date) -> str:
    """The tier in force during a day; the first one also before the opening."""
    for stretch in reversed(stretches):
        if stretch.since <= day:
            return stretch.tier
    return stretches[0].tier
