"""Reading the ledger back: a client's balance, statement, and single trades."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

import asyncpg

from chassis.policy import STAMP
from chassis.timeline import TODAY
from services.points.policy import Policies
from services.points.rules import TierInterval
from services.points.trades import VALUE_ON

SIGNED = """e.points * (starts_with(e.credit_account, 'cust:')::int - starts_with(e.debit_account, 'cust:')::int)"""
"""An entry's points as the client sees them: none where they stay the client's own."""
OWED = """e.points * ((e.debit_account = 'cust:' || e.client_id || ':debt')::int
                      - (e.credit_account = 'cust:' || e.client_id || ':debt')::int)"""
"""What an entry adds to what is owed [P7]."""

_COLUMNS = f"""e.partition, e.number, e.entry_id::text, e.client_id, e.kind, e.trade_id, e.item, e.step, e.debit_account,
    e.credit_account, {SIGNED} AS points, e.points AS moved, e.expires_on, e.commission, e.tier, e.multiplier, e.trade_date, e.policy,
    e.posted_on, e.recorded_at, e.cause, e.original::text, {VALUE_ON} AS value_on"""


async def balance_of(sql: asyncpg.Connection, client_id: str) -> asyncpg.Record | None:
    """Branch, available, held and debt of a client that anything is known of."""
    return await sql.fetchrow(
        """SELECT c.branch_id, coalesce(b.available, 0) AS available, coalesce(b.held, 0) AS held,
                  coalesce(b.debt, 0) AS debt
           FROM (SELECT $1::text AS client_id) w
           LEFT JOIN clients c USING (client_id) LEFT JOIN balances b USING (client_id)
           WHERE c.client_id IS NOT NULL OR b.client_id IS NOT NULL""",
        client_id,
    )


class Overview(NamedTuple):
    """A client at a glance: branch, balance, the next ends of lots, holds, tiers above NORMAL, today, and the policies."""

    branch_id: str | None
    available: int
    held: int
    debt: int
    day: date
    ends: list[tuple[date, int, int]]
    holds: list[dict[str, Any]]
    tiers: list[TierInterval]
    policies: Policies


_ENDS = """
    SELECT expires_on, sum(free)::bigint AS points, sum(held)::bigint AS held
    FROM (SELECT expires_on, free, held FROM lots WHERE client_id = $1 AND free + held > 0
          UNION ALL
          SELECT e.expires_on, e.points, 0 FROM entries e
          WHERE e.client_id = $1 AND e.expires_on IS NOT NULL AND e.step = 0 AND e.points > 0
            AND NOT EXISTS (SELECT FROM lots l WHERE l.client_id = $1 AND l.lot = e.entry_id::text)) l
    WHERE expires_on > coalesce($2::date, '-infinity')
    GROUP BY expires_on ORDER BY expires_on LIMIT $3"""
_HOLDS = """
    SELECT hold, reward, points, held_at FROM holds
    WHERE client_id = $1 AND outcome IS NULL AND hold > $2 ORDER BY hold LIMIT $3"""
# One statement: at many requests a second each question more is what an answer waits for.
_OVERVIEW = f"""
    SELECT c.branch_id, coalesce(b.available, 0), coalesce(b.held, 0), coalesce(b.debt, 0), t.day,
           (SELECT array_agg(e) FROM ({_ENDS.replace("$2::date", "NULL::date").replace("$3", "$2")}) e),
           CASE WHEN b.held > 0 THEN (SELECT array_agg(h) FROM ({_HOLDS.replace("$2", "''").replace("$3", "$2")}) h) END,
           (SELECT array_agg(s) FROM (SELECT since, until, tier FROM tiers WHERE client_id = $1) s),
           (SELECT array_agg(p) FROM ({STAMP}) p)
    FROM (SELECT $1::text AS client_id) w
    CROSS JOIN ({TODAY.replace("$1::timestamptz", "clock_timestamp()")}) t
    LEFT JOIN clients c USING (client_id) LEFT JOIN balances b USING (client_id)
    WHERE c.client_id IS NOT NULL OR b.client_id IS NOT NULL"""


async def overview(sql: asyncpg.Connection, client_id: str, limit: int) -> Overview | None:
    """A client that anything is known of, with so many ends and holds."""
    row = await sql.fetchrow(_OVERVIEW, client_id, limit)
    if row is None:
        return None
    branch_id, has, keeps, owes, day, ends, holds, tiers, stamp = row
    names = ("hold", "reward", "points", "held_at")
    return Overview(
        branch_id,
        has,
        keeps,
        owes,
        day,
        [tuple(one) for one in ends or ()],
        [dict(zip(names, one, strict=True)) for one in holds or ()],
        [TierInterval(*one) for one in tiers or ()],
        await Policies.stamped(sql, stamp or ()),
    )


async def ends(sql: asyncpg.Connection, client_id: str, after: date | None, limit: int) -> list[tuple[date, int, int]]:
    """The next ends of a client's lots behind a date: what expires then, and what is held [P6]."""
    rows = await sql.fetch(_ENDS, client_id, after, limit)
    return [(day, points, held) for day, points, held in rows]


async def held(sql: asyncpg.Connection, client_id: str, after: str, limit: int) -> list[asyncpg.Record]:
    """A client's holds that have not ended, from behind a name on: names begin with their sort, then count up with time."""
    return await sql.fetch(_HOLDS, client_id, after, limit)


async def statement(
    sql: asyncpg.Connection, client_id: str, after: Sequence[Any] | None, limit: int
) -> list[asyncpg.Record]:
    """A client's entries, newest first, from behind (posted_on, number) on."""
    condition, arguments = "true", []
    if after is not None:
        condition, arguments = "(e.posted_on, e.number) < ($3, $4)", [date.fromisoformat(after[0]), int(after[1])]
    return await sql.fetch(
        f"""SELECT {_COLUMNS} FROM entries e WHERE e.client_id = $1 AND {condition}
            ORDER BY e.posted_on DESC, e.number DESC LIMIT $2""",
        client_id,
        limit,
        *arguments,
    )


async def between(sql: asyncpg.Connection, client_id: str, since: date, until: date) -> list[asyncpg.Record]:
    """A client's entries of a span of days, oldest first, without those of zero points and those that only move points
    between the client's own accounts; each with what the client had, debt taken off, after it."""
    return await sql.fetch(
        f"""WITH own AS (SELECT e.*, {SIGNED} AS signed, {VALUE_ON} AS counts_from FROM entries e
                         WHERE e.client_id = $1 AND e.points > 0 AND e.kind NOT IN ('held', 'released')),
                 before AS (SELECT coalesce(sum(signed), 0) AS points FROM own WHERE posted_on < $2)
            SELECT posted_on, kind, trade_id, signed, counts_from, expires_on,
                   ((SELECT points FROM before) + sum(signed) OVER (ORDER BY posted_on, number))::bigint
            FROM own WHERE posted_on BETWEEN $2 AND $3 ORDER BY posted_on, number""",
        client_id,
        since,
        until,
    )


async def same_trade(
    sql: asyncpg.Connection, client_id: str, entry_id: str, as_of: date | None
) -> list[asyncpg.Record]:
    """All entries of the trade (or other item) that an entry belongs to, in their order, those posted by the end of
    `as_of`."""
    return await sql.fetch(
        f"""SELECT {_COLUMNS} FROM entries o
            JOIN entries e ON e.client_id = o.client_id
                 AND (e.trade_id = o.trade_id OR (e.trade_id IS NULL AND o.trade_id IS NULL AND e.item = o.item))
            WHERE o.client_id = $1 AND o.entry_id = $2::uuid AND e.posted_on <= coalesce($3::date, 'infinity')
            ORDER BY e.step""",
        client_id,
        entry_id,
        as_of,
    )


async def steps_of(sql: asyncpg.Connection, items: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """How many entries these items have by now, of those that have any."""
    return {
        (client, item): steps
        for client, item, steps in await sql.fetch(
            """SELECT client_id, item, max(step) + 1 FROM entries
               JOIN unnest($1::text[], $2::text[]) AS i(client_id, item) USING (client_id, item)
               WHERE item IS NOT NULL GROUP BY 1, 2""",
            [client for client, _ in items],
            [item for _, item in items],
        )
    }
