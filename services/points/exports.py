"""Rows of the command line's CSV exports, streamed."""

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal

import asyncpg

from services.points.accounts import as_amount
from services.points.entries import OWED, SIGNED
from services.points.explain import as_multiplier

POINTS_COLUMNS = ("client_id", "posted_on", "kind", "trade_id", "tier", "multiplier", "points")
ROWS_AT_ONCE = 2000


async def points(sql: asyncpg.Connection, as_of: date | None) -> AsyncIterator[tuple[str, ...]]:
    """A row per entry posted by the end of `as_of`, corrections too, without entries of zero points; sorted by client,
    posting date and number. All fields are text, as they stand in the file."""
    query = f"""SELECT e.client_id, e.posted_on, e.kind, coalesce(e.trade_id, ''), coalesce(e.tier, ''), e.multiplier,
                       {SIGNED}
                FROM entries e WHERE e.points > 0 AND e.kind NOT IN ('held', 'released') AND e.posted_on <= coalesce($1::date, 'infinity')
                ORDER BY e.client_id COLLATE "C", e.posted_on, e.number"""
    async with sql.transaction(isolation="repeatable_read", readonly=True):
        async for client, day, kind, trade, tier, multiplier, signed in sql.cursor(query, as_of, prefetch=ROWS_AT_ONCE):
            times = "" if multiplier is None else as_multiplier(multiplier)
            yield (client, day.isoformat(), kind, trade, tier, times, str(as_amount(signed)))


async def balances(sql: asyncpg.Connection, as_of: date | None) -> AsyncIterator[tuple[str, Decimal, Decimal]]:
    """Client, points (available and held) and debt from all entries posted by the end of `as_of` [P7], sorted by client:
    for `clients`."""
    query = f"""SELECT e.client_id, sum({SIGNED})::bigint, sum({OWED})::bigint FROM entries e
                WHERE e.posted_on <= coalesce($1::date, 'infinity') GROUP BY e.client_id
                ORDER BY e.client_id COLLATE "C" """
    async with sql.transaction(isolation="repeatable_read", readonly=True):
        async for client, net, debt in sql.cursor(query, as_of, prefetch=ROWS_AT_ONCE):
            yield client, as_amount(net + debt), as_amount(debt)
