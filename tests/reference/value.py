"""Value V, its type, rank and core at each month close [V1, V2], and the lifecycle [V5].

Choices where the texts are silent:
- A month close is the close of a month's last day; the core flag, value and lifecycle hold until the next one.
- Parts are compared unrounded; V is zero when its rounded value is.
- Core takes the class and the tier that come into force the day after; GOLD+ is GOLD, PLATINUM, DIAMOND.
- "Commission of the three calendar months" is that of the trade dates in them, each trade rounded to 0.01.
- The files hold no purchases and no closings: purchasing power is 0, nobody is LOST by closing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING

from .classes import Known, MonthClass, daily_totals, known_months, month_mean
from .days import ONE_DAY, month_of, twelve_months_before
from .facts import Client
from .tiers import TIERS, tier_on

if TYPE_CHECKING:
    from .exports import Outcome

TYPES = ("COMMISSION", "PRODUCT", "ASSETS")
WEIGHTS = (Fraction(40), Fraction(30), Fraction(30))  # weight x 100
REFERENCES = (Decimal(50_000), Decimal(1_000_000), Decimal(5_000_000))


@dataclass(frozen=True)
class MonthValue:
    """What a month close finds of one client; `value` in hundredths."""

    last_day: date
    value: int
    value_type: str
    assets: Decimal
    valued_client: bool
    lifecycle: str


def value_of(commission: Decimal, purchases: Decimal, assets: Decimal) -> tuple[int, str]:
    """V in hundredths, and its type: the largest weighted part, the earlier of TYPES when equal [V1]."""
    parts = [
        weight * min(Fraction(max(given, Decimal(0))) / Fraction(reference), Fraction(1))
        for weight, given, reference in zip(WEIGHTS, (commission, purchases, assets), REFERENCES, strict=True)
    ]
    value = floor(sum(parts) * 100 + Fraction(1, 2))
    return value, TYPES[parts.index(max(parts))] if value else "ASSETS"


def total_at(valuations: dict[date, Decimal], day: date) -> Decimal | None:
    """Total assets on a day: the last valuation on or before it, None when there is none [K2a]."""
    dates = [valued for valued in valuations if valued <= day]
    return valuations[max(dates)] if dates else None


def commission_between(client: Client, after: date, last: date) -> Decimal:
    """Commission with trade date later than `after`, up to `last`."""
    earned = sum(trade.commission for trade in client.trades if after < trade.trade_date <= last)
    return Decimal(earned).scaleb(-2)


def sum_of(amounts: Iterable[Decimal]) -> Decimal:
    """The sum, 0 of nothing."""
    return sum(amounts, Decimal(0))


def lifecycle_of(client: Client, months: dict[int, Known], day: date) -> str:
    """The lifecycle found at the close of a month's last day; first match [V5]."""
    trade_dates = [trade.trade_date for trade in client.trades if trade.trade_date <= day]
    active = max([client.opened_on, *trade_dates])
    total = total_at(client.valuations, day)
    if total is not None and total < 100 and day - active >= timedelta(days=180):
        return "LOST"
    if day - client.opened_on <= timedelta(days=90):
        return "ESTABLISHED"

    this = month_of(day)
    recent, earlier = range(this - 2, this + 1), range(this - 5, this - 2)
    commissions = {recent: Decimal(0), earlier: Decimal(0)}
    for trade in client.trades:
        for three in commissions:
            if month_of(trade.trade_date) in three:
                commissions[three] += trade.commission
    compared = [(commissions[recent], commissions[earlier])]
    if all(month in months for month in (*earlier, *recent)):
        # Sums instead of means: both sides have three months.
        means = {month: month_mean(months[month]) for month in (*earlier, *recent)}
        compared.append((sum_of(means[m] for m in recent), sum_of(means[m] for m in earlier)))
    comparable = [(now, before) for now, before in compared if before > 0]
    if any(10 * now <= 7 * before for now, before in comparable):
        return "DECLINING"
    if any(10 * now >= 11 * before for now, before in comparable):
        return "GROWING"
    return "MATURE"


def lost_on(client: Client, classes: list[MonthClass], day: date) -> bool:
    """Whether the last month close before a day left the client LOST."""
    closes = [evaluation.last_day for evaluation in classes if evaluation.last_day < day]
    return bool(closes) and lifecycle_of(client, {}, closes[-1]) == "LOST"


def month_values(outcome: "Outcome") -> list[MonthValue]:
    """What every month close finds of a client, before ranks are known."""
    client = outcome.client
    found = []
    months: dict[int, Known] = {}
    if outcome.classes:
        months = known_months(daily_totals(client.valuations, outcome.classes[-1].last_day))
    for evaluation in outcome.classes:
        day = evaluation.last_day
        commission = commission_between(client, twelve_months_before(day), day)
        value, value_type = value_of(commission, Decimal(0), evaluation.asset_mean)
        valued_client = evaluation.letter in ("A+", "B+", "A", "B") or (
            TIERS.index(tier_on(outcome.stretches, day + ONE_DAY)) >= TIERS.index("GOLD")
        )
        lifecycle = lifecycle_of(client, months, day)
        found.append(MonthValue(day, value, value_type, evaluation.asset_mean, valued_client, lifecycle))
    return found


def core_by_rank(values: dict[str, MonthValue]) -> set[str]:
    """Of the clients of one branch at one month close, the first fifth (rounded up) of those with V > 0 [V2]."""
    ranked = sorted(
        (client_id for client_id, found in values.items() if found.value > 0),
        key=lambda client_id: (-values[client_id].value, -values[client_id].assets, client_id),
    )
    return set(ranked[: (len(ranked) + 4) // 5])
