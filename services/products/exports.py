"""Rows of the command line's CSV exports, streamed."""

from collections.abc import AsyncIterator
from datetime import date

import asyncpg

SUBSCRIPTIONS = ("client_id", "code", "since", "until", "state", "paid_by", "signed_on", "ended_by")
ROWS_AT_ONCE = 2_000


async def subscriptions(sql: asyncpg.Connection, as_of: date | None) -> AsyncIterator[tuple[str, ...]]:
    """A row per subscription, of a day those held on it; sorted by client, first day and product."""
    query = """SELECT client_id, code, since, until, state, paid_by, signed_on, coalesce(ended_by, '') FROM subscriptions
               WHERE $1::date IS NULL OR since <= $1 AND (until IS NULL OR until > $1)
               ORDER BY client_id COLLATE "C", since, code, subscription_id"""
    async with sql.transaction(isolation="repeatable_read", readonly=True):
        async for client, code, since, until, state, paid_by, signed_on, ended_by in sql.cursor(
            query, as_of, prefetch=ROWS_AT_ONCE
        ):
            last = until.isoformat() if until else ""
            yield client, code, since.isoformat(), last, state, paid_by, signed_on.isoformat(), ended_by
