"""What is charged for what, by the month and by the day: pure [S3, S4]. Amounts are whole fen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from chassis.clock import month_end
from contracts.products import RateStretch
from services.products import rules
from services.products.rules import Band
from services.products.subscription_rules import unused
from services.products.told import before

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


@dataclass(frozen=True, slots=True)
class Applied:
    """A revision of the rates as it was told: from `changed_from` on they are `stretches`, applied from a day on."""

    changed_from: date
    apply_from: date
    stretches: Sequence[RateStretch]


@dataclass(frozen=True, slots=True)
class Turnover:
    """What was traded in A-shares on an account and a day, CNY."""

    account_id: str
    day: date
    amount: Decimal


def rate_of(stretches: Iterable[RateStretch], account: str, day: date) -> Decimal | None:
    """The rate of an account on a day, per mille: its own, else the client's."""
    found = {
        one.account_id: Decimal(one.rate)
        for one in stretches
        if one.since <= day and (not one.until or day < one.until)
    }
    return found.get(account, found.get(None))


def difference(turnovers: Iterable[Turnover], told: Sequence[Applied]) -> Decimal:
    """What trades cost by the rates as they are now, less what was applied when they were made [S1], unrounded. Where no rate
    was applied yet, what the broker took is not known here, and nothing differs."""
    now: dict[tuple[str, date], Decimal | None] = {}
    total = Decimal(0)
    for one in turnovers:
        applied = rate_of(in_force(told, one.day), one.account_id, one.day)
        if applied is None:
            continue
        key = one.account_id, one.day
        if key not in now:
            now[key] = rate_of(in_force(told, date.max), *key)
        rate = now[key]
        if rate is not None:  # else the agreement was withdrawn, and no other is known
            total += one.amount * (rate - applied) / 1000
    return total


def in_force(told: Sequence[Applied], by: date) -> list[RateStretch]:
    """The rates as they were told up to the last revision that is applied by a day."""
    last = max((n for n, one in enumerate(told, 1) if one.apply_from <= by), default=0)
    held: list[RateStretch] = []
    for one in told[:last]:
        held = [*before(held, one.changed_from), *one.stretches]
    return held


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
