"""What the firm owes its clients in points, month by month, from entries by `posted_on` (IFRS 15 B39 to B43).

Outstanding is available and held. Expected breakage is by the firm's own history, a version of the policy table `liability`
says how: of the points whose lots ended in the last so many months, the share that expired, of what is outstanding. Without
such months none is expected. Points are integers in hundredths, value is in CNY.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import asyncpg
import msgspec

from chassis.clock import month_end, months_after
from chassis.uow import UnitOfWork
from services.points import periods, rules
from services.points.accounts import HUNDREDTH, as_amount
from services.points.entries import OWED, SIGNED
from services.points.policy import Liability, Policies
from services.points.trades import VALUE_ON

COLUMNS = (
    "month", "earned", "bonus", "spent", "expired", "reversed", "adjusted", "outstanding", "expected_breakage",
)  # fmt: skip
KINDS = COLUMNS[1:7]
EARLIEST = date(1990, 1, 1)
GAINED_IN = f"date_trunc('month', coalesce(e.trade_date, {VALUE_ON}))::date"
"""SQL: the month whose gains an entry belongs to; of a trade's entries that of the trade."""

REVENUE, EXPENSE = "revenue: services", "selling expenses: points"
OWING, BREAKAGE = "contract liability: points", "revenue: points not used"
JOURNAL = {
    "earned": (REVENUE, OWING), "bonus": (EXPENSE, OWING), "adjusted": (EXPENSE, OWING), "reversed": (REVENUE, OWING),
    "spent": (REVENUE, OWING), "expired": (BREAKAGE, OWING),
}  # fmt: skip
"""Debit and credit of what raises the liability; what lowers it is booked the other way round."""


@dataclass(slots=True)
class Month:
    """One month of the firm; movements are signed as clients see them, `owed` is what clients owe at its end."""

    first: date
    movements: dict[str, int]
    outstanding: int
    owed: int
    rate: Decimal
    breakage: int

    def row(self) -> tuple[str, ...]:
        """Its row of the export."""
        amounts = [*(self.movements.get(kind, 0) for kind in KINDS), self.outstanding, self.breakage]
        return (f"{self.first:%Y-%m}", *(str(as_amount(points)) for points in amounts))


async def months(sql: asyncpg.Connection, until: date) -> list[Month]:
    """Every month from the first entry to the one of a day, by what was posted by the end of that day."""
    policies = await Policies.read(sql)
    by_month: dict[date, dict[str, int]] = {}
    owed: defaultdict[date, int] = defaultdict(int)
    gained: defaultdict[date, defaultdict[date, int]] = defaultdict(lambda: defaultdict(int))
    expired: defaultdict[date, defaultdict[date, int]] = defaultdict(lambda: defaultdict(int))
    for month, kind, cohort, value_on, points, owes in await sql.fetch(
        f"""SELECT date_trunc('month', e.posted_on)::date, e.kind, {GAINED_IN},
                   CASE WHEN e.kind = 'expired' THEN {VALUE_ON} END, sum({SIGNED})::bigint, sum({OWED})::bigint
            FROM entries e WHERE e.posted_on <= $1 AND e.points > 0 GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4""",
        until,
    ):
        named = "earned" if kind in ("accrued", "corrected") else kind
        if named in KINDS:
            moved = by_month.setdefault(month, {})
            moved[named] = moved.get(named, 0) + points
        owed[month] += owes
        if value_on:
            expired[value_on][month] -= points
        elif kind != "spent":
            gained[rules.lot_end(policies.points, cohort)][month] += points
    if not by_month:
        return []
    found, outstanding, debt, first = [], 0, 0, min(by_month)
    while first <= until:
        last = min(month_end(first), until)
        moved = by_month.get(first, {})
        debt += owed[first]
        outstanding += sum(moved.values()) + owed[first]
        rate = _breakage(policies.liability.on(last).body, gained, expired, last)
        expected = int((outstanding * rate).to_integral_value(ROUND_HALF_UP))
        found.append(Month(first, moved, outstanding, debt, rate, expected))
        first = months_after(first, 1)
    return found


def _breakage(
    terms: Liability, gained: Mapping[date, Mapping[date, int]], expired: Mapping[date, Mapping[date, int]], last: date
) -> Decimal:
    """The share of points of lots that ended in the months before `last` that expired, as posted by then; 6 decimals."""
    since = months_after(last.replace(day=1), 1 - terms.history_months)

    def known(cohorts: Mapping[date, Mapping[date, int]]) -> int:
        ended = (posted for end, posted in cohorts.items() if since <= end <= last)
        return sum(points for posted in ended for month, points in posted.items() if month <= last)

    points = known(gained)
    share = Decimal(max(known(expired), 0)) / points if points > 0 else Decimal(0)
    return min(share, Decimal(1)).quantize(Decimal("0.000001"), ROUND_HALF_UP)


async def exported(sql: asyncpg.Connection, as_of: date | None) -> AsyncIterator[tuple[str, ...]]:
    """`points-liability`: a row a month, the last as far as it was posted by `as_of`."""
    until = as_of or await sql.fetchval("SELECT max(posted_on) FROM entries")
    for month in await months(sql, until) if until else ():
        yield month.row()


class Journal(msgspec.Struct, frozen=True):
    """A journal line in CNY."""

    debit: str
    credit: str
    amount: str
    why: str


class Cohort(msgspec.Struct, frozen=True):
    """What is outstanding of clients of a tier, of points that end on a day; none: held beyond all lots."""

    tier: str
    expires_on: date | None
    points: str


class TieOut(msgspec.Struct, frozen=True):
    """Two sums that must be equal, in points."""

    what: str
    ledger: str
    other: str

    @property
    def holds(self) -> bool:
        return self.ledger == self.other


class Close(msgspec.Struct, frozen=True):
    """A closed month: what was found, frozen."""

    month: str
    policy: str
    method: str
    rate: str
    row: dict[str, str]
    owed: str
    cohorts: list[Cohort]
    journal: list[Journal]
    liability: str
    tie_out: list[TieOut]


async def close(uow: UnitOfWork, month: date) -> Close:
    """The close of a month that is frozen, made once: later calls give what was found then.

    Raises: MonthNotOver.
    """
    await periods.freeze(uow, month)
    kept = await uow.sql.fetchval("SELECT found FROM liability_closes WHERE month = $1", month)
    if kept is not None:
        return msgspec.convert(kept, Close)
    found = await _found(uow.sql, month, await uow.policies(Policies))
    await uow.sql.execute(
        "INSERT INTO liability_closes (month, found, closed_at, closed_by) VALUES ($1, $2, $3, $4)",
        month, msgspec.to_builtins(found), uow.now, uow.actor.person,
    )  # fmt: skip
    uow.audit("points.month.closed", f"liability/{found.month}", liability=found.liability, **found.row)
    return found


async def _found(sql: asyncpg.Connection, month: date, policies: Policies) -> Close:
    last = month_end(month)
    known = await months(sql, last)
    nothing = Month(month, {}, 0, 0, Decimal(0), 0)
    now = next((one for one in known if one.first == month), nothing)
    before = next((one for one in known if one.first == months_after(month, -1)), nothing)
    version = policies.liability.on(last)
    value = version.body.point_value
    cohorts = await _cohorts(sql, last, policies)
    allotted = sum(points for *_, points in cohorts)
    if now.outstanding != allotted:
        cohorts.append(("", None, now.outstanding - allotted))
    return Close(
        month=f"{month:%Y-%m}",
        policy=version.name,
        method=f"share of points that expired, of lots that ended in the {version.body.history_months} months to {last}",
        rate=str(now.rate),
        row=dict(zip(COLUMNS, now.row(), strict=True)),
        owed=str(as_amount(now.owed)),
        cohorts=[Cohort(tier, ends, str(as_amount(points))) for tier, ends, points in cohorts],
        journal=list(_journal(before, now, value)),
        liability=_money(now.outstanding - now.breakage, value),
        tie_out=await _tie_out(sql, last, known),
    )


def _money(points: int, value: Decimal) -> str:
    return str((points * HUNDREDTH * value).quantize(HUNDREDTH, ROUND_HALF_UP))


def _journal(before: Month, now: Month, value: Decimal) -> Iterable[Journal]:
    """What takes the liability of the month before to this one's."""
    lines = [(kind, *JOURNAL[kind], now.movements.get(kind, 0)) for kind in KINDS]
    lines.append(("points owed by clients", "receivable: points", OWING, now.owed - before.owed))
    lines.append(("change of expected breakage", BREAKAGE, OWING, before.breakage - now.breakage))
    for why, debit, credit, points in lines:
        if points:
            one, other = (debit, credit) if points > 0 else (credit, debit)
            yield Journal(one, other, _money(abs(points), value), why)


async def _cohorts(sql: asyncpg.Connection, last: date, policies: Policies) -> list[tuple[str, date | None, int]]:
    """Outstanding points by tier and end of lot. Spending takes what ends first, so what is left is what ends last [P6]."""
    gained_in = [months_after(EARLIEST, n) for n in range((last.year - EARLIEST.year) * 12 + last.month)]
    rows = await sql.fetch(
        f"""WITH ends AS (SELECT * FROM unnest($2::date[], $3::date[]) AS m(month, expires_on)),
            parts AS (
                SELECT e.client_id, {SIGNED} AS points, {OWED} AS owed,
                       CASE e.kind WHEN 'expired' THEN {VALUE_ON} WHEN 'spent' THEN NULL ELSE m.expires_on END AS expires_on
                FROM entries e LEFT JOIN ends m ON m.month = {GAINED_IN} WHERE e.posted_on <= $1),
            totals AS (SELECT client_id, sum(points + owed)::bigint AS outstanding FROM parts GROUP BY client_id),
            cohorts AS (SELECT client_id, expires_on, greatest(sum(points), 0)::bigint AS gained FROM parts
                        WHERE expires_on IS NOT NULL GROUP BY client_id, expires_on),
            ordered AS (SELECT c.*, t.outstanding, sum(gained) OVER (
                            PARTITION BY client_id ORDER BY expires_on DESC ROWS UNBOUNDED PRECEDING) - gained AS later
                        FROM cohorts c JOIN totals t USING (client_id) WHERE t.outstanding > 0)
            SELECT coalesce(r.tier, 'NORMAL') AS tier, o.expires_on,
                   sum(least(o.gained, o.outstanding - o.later))::bigint AS points
            FROM ordered o LEFT JOIN tiers r
              ON r.client_id = o.client_id AND r.since <= $1 AND (r.until IS NULL OR r.until > $1)
            WHERE o.gained > 0 AND o.outstanding > o.later GROUP BY 1, 2 ORDER BY 1, 2""",
        last,
        gained_in,
        [rules.lot_end(policies.points, one) for one in gained_in],
    )
    return [tuple(row.values()) for row in rows]


# Every trade as it was last told, whenever that was: its commission (accepted by an operator in place of the first), what
# cancellations leave of it, the multiplier last posted by; and what was posted for it after a day.
_TRADES = f"""
    WITH posted AS (
        SELECT e.client_id, e.trade_id,
               coalesce(sum({SIGNED}) FILTER (WHERE e.posted_on > $1 AND e.kind <> 'reversed'), 0) AS gained_later,
               coalesce(sum({SIGNED}) FILTER (WHERE e.posted_on > $1 AND e.kind = 'reversed'), 0) AS reversed_later,
               max(e.commission) FILTER (WHERE e.step = 0) AS first, (array_agg(e.multiplier ORDER BY e.step DESC))[1] AS multiplier
        FROM entries e WHERE e.trade_id IS NOT NULL GROUP BY 1, 2),
    told AS (
        SELECT p.*, coalesce(a.commission, p.first::numeric) AS commission, c.remaining
        FROM posted p LEFT JOIN amendments a USING (client_id, trade_id)
        LEFT JOIN (SELECT client_id, trade_id, min(remaining) AS remaining FROM cancellations GROUP BY 1, 2) c
          USING (client_id, trade_id))
    SELECT coalesce(sum(gained_later), 0)::bigint, coalesce(sum(reversed_later), 0)::bigint,
           coalesce(sum(round(commission * multiplier)), 0)::bigint,
           coalesce(sum(round(least(commission, remaining) * multiplier)), 0)::bigint FROM told"""


async def _tie_out(sql: asyncpg.Connection, last: date, known: Sequence[Month]) -> list[TieOut]:
    """The statement of all months against the ledger's accounts, and against the commission that trades were told with, also where
    it was corrected or cancelled after the last of them [P1]. Both sides are as of the last month's end: a month closed later says the
    same."""
    row = await sql.fetchrow(
        f"""SELECT coalesce(sum({SIGNED} + {OWED}), 0)::bigint, coalesce(sum({OWED}), 0)::bigint,
                   coalesce(sum({SIGNED}) FILTER (WHERE e.kind = 'reversed' AND e.trade_id IS NULL), 0)::bigint
            FROM entries e WHERE e.posted_on <= $1""",
        last,
    )
    trades = await sql.fetchrow(_TRADES, last)
    assert row is not None
    assert trades is not None
    outstanding, owed, of_bonuses = row
    gained_later, reversed_later, told, left = trades
    earned, reversed_ = (sum(one.movements.get(kind, 0) for one in known) for kind in ("earned", "reversed"))
    stated = known[-1] if known else None
    pairs: list[tuple[str, Any, Any]] = [
        ("outstanding: movements of all months; accounts of all clients", stated.outstanding if stated else 0, outstanding),
        ("owed by clients: movements of all months; accounts of all clients", stated.owed if stated else 0, owed),
        (
            "earned in all months; commission of trades as last told, times the multiplier, half up, less what was posted since",
            earned, told - gained_later,
        ),
        (
            "the same less what trades were reversed by; commission that cancellations leave, likewise",
            earned + reversed_ - of_bonuses, left - gained_later - reversed_later,
        ),
    ]  # fmt: skip
    return [TieOut(what, str(as_amount(one)), str(as_amount(other))) for what, one, other in pairs]
