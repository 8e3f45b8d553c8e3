"""Reading the ledger back: a client's balance, statement, and single trades."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import asyncpg

SIGNED = "CASE WHEN starts_with(e.credit_account, 'cust:') THEN e.points ELSE -e.points END"
"""An entry's points as the client sees them."""

_COLUMNS = f"""e.partition, e.number, e.entry_id::text, e.client_id, e.kind, e.trade_id, e.step, e.debit_account,
    e.credit_account, {SIGNED} AS points, e.expires_on, e.commission, e.tier, e.multiplier, e.trade_date, e.policy,
    e.posted_on, e.recorded_at, e.cause, e.original::text"""


async def balance_of(sql: asyncpg.Connection, client_id: str) -> asyncpg.Record | None:
    """Branch, available and debt of a client that anything is known of."""
    return await sql.fetchrow(
        """SELECT c.branch_id, coalesce(b.available, 0) AS available, coalesce(b.debt, 0) AS debt
           FROM (SELECT $1::text AS client_id) w
           LEFT JOIN clients c USING (client_id) LEFT JOIN balances b USING (client_id)
           WHERE c.client_id IS NOT NULL OR b.client_id IS NOT NULL""",
        client_id,
    )


async def next_expiries(sql: asyncpg.Connection, client_id: str, limit: int) -> list[asyncpg.Record]:
    """The next dates on which points would expire, and how many [P6]."""
    return await sql.fetch(
        """SELECT e.expires_on, sum(coalesce(r.remaining, e.points))::bigint AS points
           FROM entries e LEFT JOIN lot_remainders r USING (client_id, entry_id)
           WHERE e.client_id = $1 AND e.expires_on IS NOT NULL AND coalesce(r.remaining, e.points) > 0
           GROUP BY e.expires_on ORDER BY e.expires_on LIMIT $2""",
        client_id,
        limit,
    )


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


async def same_trade(
    sql: asyncpg.Connection, client_id: str, entry_id: str, as_of: date | None
) -> list[asyncpg.Record]:
    """All entries of the trade that an entry belongs to, in their order, those posted by the end of `as_of`."""
    return await sql.fetch(
        f"""SELECT {_COLUMNS} FROM entries e
            WHERE e.client_id = $1 AND e.posted_on <= coalesce($3::date, 'infinity') AND e.trade_id = (
                SELECT trade_id FROM entries WHERE client_id = $1 AND entry_id = $2::uuid)
            ORDER BY e.step""",
        client_id,
        entry_id,
        as_of,
    )
