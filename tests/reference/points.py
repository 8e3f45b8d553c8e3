"""Points of a trade [P1]: commission times the multiplier of the trade date, in hundredths, half up per trade; and of
anniversaries [P3]: 200 for each full year of an account that is not LOST on the day.

Choice where the texts are silent: a trade dated before its client's opening (impossible in a replay) would get
the multiplier of NORMAL.
"""

from datetime import date, timedelta

from .facts import Client
from .tiers import Stretch, tier_on

LOT_MONTHS = 24
LOYALTY = 20_000
MULTIPLIER_TENTHS = {"NORMAL": 10, "SILVER": 11, "GOLD": 12, "PLATINUM": 13, "DIAMOND": 13}


def points_for(commission: int, tier: str) -> int:
    """Points in hundredths for a commission in hundredths at a tier."""
    return (commission * MULTIPLIER_TENTHS[tier] + 5) // 10


def points_of(client: Client, stretches: list[Stretch]) -> dict[str, int]:
    """Points in hundredths per trade id; trades that earn nothing are left out."""
    earned = {}
    for trade in client.trades:
        points = points_for(trade.commission, tier_on(stretches, trade.trade_date))
        if points:
            earned[trade.trade_id] = points
    return earned


def lot_end(trade_date: date) -> date:
    """The last day on which a trade's points can be used [P6]: the end of the month 24 months later."""
    months = trade_date.year * 12 + trade_date.month + LOT_MONTHS
    return date(months // 12, months % 12 + 1, 1) - timedelta(days=1)


def anniversaries(opened_on: date, first: date, last: date) -> list[date]:
    """The anniversaries of an opening from one day to another; of 29 February the 28th where there is none."""
    found = []
    for year in range(opened_on.year + 1, last.year + 1):
        day = opened_on.day
        if (opened_on.month, day) == (2, 29) and not (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)):
            day = 28
        found.append(date(year, opened_on.month, day))
    return [day for day in found if first <= day <= last]
