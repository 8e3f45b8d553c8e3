"""Exports: one row per case, as text."""

from collections.abc import AsyncGenerator
from datetime import date

import asyncpg

ROWS_AT_ONCE = 2000
CASE_COLUMNS = (
    "case_id",
    "external_ref",
    "received_on",
    "source",
    "channel",
    "flow",
    "severity",
    "state",
    "owner",
    "branch_id",
    "dispatch_met",
    "due_on",
)


async def cases(sql: asyncpg.Connection, as_of: date | None = None) -> AsyncGenerator[tuple[str, ...], None]:
    """Every case received by a day (all, without one) as it stands, sorted by `external_ref` as text.

    Group cases of the radar are nobody's complaint and stay out.
    A case opened here has no such number: it comes first, in order of its id.
    """
    columns = ", ".join(f"coalesce({name}::text, '')" for name in CASE_COLUMNS)
    query = f"""SELECT {columns} FROM cases WHERE ($1::date IS NULL OR received_on <= $1) AND kind <> 'cluster'
                ORDER BY coalesce(external_ref, '') COLLATE "C", case_id"""
    async with sql.transaction(isolation="repeatable_read", readonly=True):
        async for row in sql.cursor(query, as_of, prefetch=ROWS_AT_ONCE):
            yield tuple(row)
