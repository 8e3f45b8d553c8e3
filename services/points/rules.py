"""Decisions of the points ledger: facts, policy and time in, a decision out."""

from calendar import isleap
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import cache
from typing import NamedTuple

from chassis.clock import business_date, end_of, month_end, months_after
from chassis.memo import Memo
from chassis.policy import Versions
from contracts.classification import TierChanged, TierCode
from services.points.policy import Terms

# Wide enough for every commission that contracts let in (15 digits before and 40 after the point): nothing is rounded
# before the one rounding that the rule names.
EXACT = Context(prec=80, rounding=ROUND_HALF_UP)

MEMO_COMMISSIONS = 50_000
FIRST_YEAR = 1990
"""Of business dates."""


class TierInterval(NamedTuple):
    """A tier above NORMAL from `since` until `until` (exclusive; None: until further notice)."""

    since: date
    until: date | None
    tier: TierCode


class Rate(NamedTuple):
    """What trades of one date earn at a tier: `multiplier` in hundredths, the policy's version, their lot's end; when the
    date itself `ends`; the `points` of commissions."""

    tier: TierCode
    multiplier: int
    policy: str
    expires_on: date
    ends: datetime
    points: Mapping[Decimal, int]


def points_for_commission(commission: Decimal, multiplier: int) -> int:
    """Points for one commission in CNY [P1], in hundredths, rounded half up; `multiplier` in hundredths (110 is 1.1)."""
    return int(EXACT.to_integral_value(EXACT.multiply(commission, multiplier)))


@cache
def _points(multiplier: int) -> Mapping[Decimal, int]:
    """The same commissions come again and again."""
    return Memo(lambda commission: points_for_commission(commission, multiplier), MEMO_COMMISSIONS)


def lot_end(terms: Versions[Terms], day: date) -> date:
    """The last day of a lot gained on a day: at the end of a month [P6]."""
    return month_end(months_after(day, terms.on(day).body.lot_months))


def openings_celebrated_on(day: date) -> list[date]:
    """The opening dates that have an anniversary on a day [P3]; 29 February has its own on the 28th in other years."""
    days = [(day.month, day.day)]
    if days == [(2, 28)] and not isleap(day.year):
        days.append((2, 29))
    years = range(FIRST_YEAR, day.year)
    return [date(year, *one) for year in years for one in days if one != (2, 29) or isleap(year)]


def rate_on(terms: Versions[Terms], trade_date: date, tier: TierCode) -> Rate:
    """What the policy in force on a trade date gives a tier; a lot expires at the end of a month [P6]."""
    version = terms.on(trade_date)
    expires_on = lot_end(terms, trade_date)
    multiplier = version.body.multiplier[tier]
    return Rate(tier, multiplier, version.name, expires_on, end_of(trade_date), _points(multiplier))


def tier_on(stretches: Sequence[TierInterval], day: date) -> TierCode:
    """The tier in force on a day; NORMAL where no stretch above it is known [T7]."""
    for since, until, tier in stretches:
        if since <= day and (until is None or day < until):
            return tier
    return "NORMAL"


def posting_date(trade_date: date, cause: datetime) -> date:
    """The date an entry counts from: the business date of what caused it, never before the trade date."""
    return max(trade_date, business_date(cause))


def timeline(changes: Sequence[TierChanged]) -> list[TierInterval]:
    """The stretches above NORMAL that a client's tier changes leave, whatever order they came in [T5, T7].

    Each revision says how it is from its `changed_from` on; what it replaces there is gone.
    """
    known: list[TierInterval] = []
    for change in sorted(changes, key=lambda c: c.revision):
        start = change.changed_from
        kept = [s for s in known if s.since < start]
        known = [s._replace(until=start) if s.until is None or s.until > start else s for s in kept]
        stretches = sorted(change.stretches, key=lambda s: s.since)
        following = [*(s.since for s in stretches[1:]), None]
        for stretch, next_since in zip(stretches, following, strict=True):
            ends = [end for end in (stretch.until, next_since) if end is not None]
            until, since = min(ends, default=None), max(stretch.since, start)
            if until is None or since < until:
                known.append(TierInterval(since, until, stretch.tier))
    return [s for s in known if s.tier != "NORMAL"]
