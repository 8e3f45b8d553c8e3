"""Basic classes A+ to G at the end of each closed month [K1, K2, K2a].

Choices where the texts are silent:
- A month has a class when its last day is a closed day; a replay that begins on the first of a month closes it
  in full, so no month is closed in part.
- Days, trades and valuations before the first close count in windows like any other: they are facts.
- The class is found from the rounded month mean and the rounded turnover.
- A client never valued has mean 0.00, turnover 0.0000, provisional.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from .days import ONE_DAY, every_day, last_day_of, length_of, month_of
from .exact import half_up
from .facts import Client

THETA = Decimal(3)
# Lower bound of assets, class below theta, class from theta on [K1]; first match from above.
BANDS = [
    (Decimal(5_000_000), "A+", "B+"),
    (Decimal(1_000_000), "A", "B"),
    (Decimal(500_000), "C", "D"),
    (Decimal(100_000), "C-", "D-"),
    (Decimal(10_000), "E", "F"),
]


@dataclass(frozen=True)
class MonthClass:
    """The class found at the close of a month's last day, in force from the next day on."""

    last_day: date
    letter: str
    provisional: bool
    asset_mean: Decimal
    turnover: Decimal


@dataclass(frozen=True)
class Known:
    """What is known of a client's daily totals in one month: their sum, and on how many days."""

    total: Decimal
    days: int


def class_of(assets: Decimal, turnover: Decimal | None) -> str:
    """The class of assets and turnover; a missing turnover is 0 [K1]."""
    low = turnover is None or turnover < THETA
    for bound, below, above in BANDS:
        if assets >= bound:
            return below if low else above
    return "G"


def daily_totals(valuations: dict[date, Decimal], last: date) -> dict[date, Decimal]:
    """Total assets of every known day up to the last: a day without a valuation carries the one before it."""
    if not valuations or min(valuations) > last:
        return {}
    totals = {}
    carried = Decimal(0)
    for day in every_day(min(valuations), last):
        carried = valuations.get(day, carried)
        totals[day] = carried
    return totals


def known_months(totals: dict[date, Decimal]) -> dict[int, Known]:
    """Sum and number of the known days of every month that has any."""
    months: dict[int, Known] = {}
    for day, total in totals.items():
        so_far = months.get(month_of(day), Known(Decimal(0), 0))
        months[month_of(day)] = Known(so_far.total + total, so_far.days + 1)
    return months


def month_mean(known: Known | None) -> Decimal:
    """Mean of the known days, half up to 0.01; 0 when no day is known."""
    return half_up(known.total, Decimal(known.days), 2) if known else Decimal("0.00")


def evaluate_month(month: int, months: dict[int, Known], traded: dict[int, Decimal]) -> MonthClass:
    """The class at the end of a month, from the known days and the traded amounts of the months."""
    window = range(month - 11, month + 1)
    days = sum(months[m].days for m in window if m in months)
    total = sum((months[m].total for m in window if m in months), Decimal(0))
    amount = sum((traded[m] for m in window if m in traded), Decimal(0))
    # amount / (total / days), so that the mean itself is never rounded.
    turnover = half_up(amount * days, total, 4) if total > 0 else Decimal("0.0000")
    provisional = days < sum(length_of(m) for m in window)
    mean = month_mean(months.get(month))
    return MonthClass(last_day_of(month), class_of(mean, turnover), provisional, mean, turnover)


def classes_of(client: Client, closes: list[date]) -> list[MonthClass]:
    """Every month evaluation of a client: month ends among the closed days, account opened on or before."""
    if not closes:
        return []
    months = known_months(daily_totals(client.valuations, closes[-1]))
    traded: dict[int, Decimal] = {}
    for trade in client.trades:
        month = month_of(trade.trade_date)
        traded[month] = traded.get(month, Decimal(0)) + trade.amount
    month_ends = [day for day in closes if (day + ONE_DAY).day == 1 and day >= client.opened_on]
    return [evaluate_month(month_of(day), months, traded) for day in month_ends]
