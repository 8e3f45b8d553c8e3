"""What is charged for what, by the month and by the day: pure [S3, S4]. Amounts are whole fen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from chassis.clock import month_end
from services.products import rules
from services.products.rules import Band
from services.products.subscription_rules import unused

DAYS_OF_A_YEAR = 365
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Valued:
    """Assets entrusted under an agreement at the end of a day."""

    agreement_id: str
    as_of: date
    value: Decimal


def fen(amount: Decimal) -> int:
    """CNY in whole fen, half up."""
    return int((amount * 100).to_integral_value(ROUND_HALF_UP))


def month_of_day(day: date) -> str:
    """The month of a day, as statements name it."""
    return f"{day:%Y-%m}"


def credit(price: Decimal, since: date, until: date, begins: date) -> int:
    """What is credited of a month that was charged: all of it when it was never in force, else its unused days [S4]."""
    return fen(price) if until <= begins else fen(unused(price, since, until))


def entrusted_on(valued: Iterable[Valued], day: date) -> Decimal:
    """The assets entrusted on a day: of each agreement the last valuation until then."""
    last: dict[str, Valued] = {}
    for one in valued:
        if one.as_of <= day and (one.agreement_id not in last or last[one.agreement_id].as_of < one.as_of):
            last[one.agreement_id] = one
    return sum((one.value for one in last.values()), start=Decimal(0))


def asset_fee(valued: Sequence[Valued], bands: Sequence[Band], first: date, last: date) -> int:
    """The fee of days of one month, both included: act/365 by margin each day, rounded once, so that days add up [S3]."""
    total, day = Decimal(0), first
    while day <= last:
        total += rules.year_fee(entrusted_on(valued, day), bands) / DAYS_OF_A_YEAR
        day += DAY
    return fen(total)


def months_between(first: date, last: date) -> list[tuple[date, date]]:
    """The days of each month from one to another, both included."""
    found = []
    while first <= last:
        found.append((first, min(last, month_end(first))))
        first = month_end(first) + DAY
    return found
