"""What `careline export` writes: CSV rows, streamed over a cursor on the server, sorted by their key."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import asyncpg

from services.suitability.history import counts

ROWS_AT_ONCE = 2_000
ASSESSMENT_COLUMNS = ("client_id", "scheme", "level", "valid_from", "valid_until", "source")
MISMATCH_COLUMNS = ("client_id", "trade_id", "trade_date", "symbol", "level_needed", "level_held", "reason")


async def assessments(sql: asyncpg.Connection, as_of: date | None = None) -> AsyncIterator[tuple[str, ...]]:
    """Every assessment made until the end of `as_of` (all, without it), by client and date."""
    query = f"""SELECT client_id, scheme, level, valid_from, valid_until, source FROM assessments a
                WHERE ($1::date IS NULL OR valid_from <= $1) AND {counts("a")}
                ORDER BY client_id COLLATE "C", valid_from, assessed_at, number"""
    async for row in _rows(sql, query, as_of):
        yield row


async def mismatches(sql: asyncpg.Connection, as_of: date | None = None) -> AsyncIterator[tuple[str, ...]]:
    """Every settled buy (until the end of `as_of`) that the level in force on its trade date did not cover."""
    query = """SELECT client_id, trade_id, trade_date, symbol, needed, held, reason FROM mismatches
               WHERE ($1::date IS NULL OR trade_date <= $1)
               ORDER BY client_id COLLATE "C", trade_id COLLATE "C" """
    async for row in _rows(sql, query, as_of):
        yield row


async def _rows(sql: asyncpg.Connection, query: str, *arguments: Any) -> AsyncIterator[tuple[str, ...]]:
    async with sql.transaction(readonly=True):
        async for row in sql.cursor(query, *arguments, prefetch=ROWS_AT_ONCE):
            yield tuple("" if value is None else str(value) for value in row.values())
