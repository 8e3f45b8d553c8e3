"""What a closed day does here, and what late facts left to do. Both run under the closer's lock."""

from collections.abc import Sequence
from datetime import date

import asyncpg

from chassis.uow import UnitOfWork
from services.callbacks import ending, moments, tasks
from services.callbacks.obligations import ONE_DAY, obligations_by_facts

CLIENTS_AT_ONCE = 2_000


async def close_days(days: Sequence[date], uow: UnitOfWork) -> None:
    """Close business dates, one after another."""
    for day in days:
        await _close_day(day, uow)


async def _close_day(day: date, uow: UnitOfWork) -> None:
    """Close a business date: make what it owes, dated the day it takes effect, and expire what was due by its end."""
    if not await uow.cached(_anybody):
        return
    owed = await obligations_by_facts(uow, day, day)
    await tasks.make(uow, owed)
    await ending.expire(uow, day, await uow.cached(tasks.first_due))
    if any(one.branch_id is None for one in owed) or await uow.cached(tasks.unplaced):
        await tasks.place(uow)
    await moments.birthdays(uow, day + ONE_DAY)


async def _anybody(sql: asyncpg.Connection) -> bool:
    """Whether there is anybody or anything to close a day for: a home may have no use for callbacks."""
    known: bool = await sql.fetchval(
        "SELECT EXISTS (SELECT FROM clients) OR EXISTS (SELECT FROM tasks) OR EXISTS (SELECT FROM assessments)"
    )
    return known


async def catch_up(through: date, uow: UnitOfWork) -> bool:
    """Compare what is owed with what is there for clients whose facts of closed days changed."""
    rows = await uow.sql.fetch(
        """DELETE FROM late WHERE client_id IN (SELECT DISTINCT client_id FROM late ORDER BY client_id LIMIT $1)
           RETURNING client_id""",
        CLIENTS_AT_ONCE,
    )
    if not rows:
        return False
    clients = sorted({row["client_id"] for row in rows})
    first: date = await uow.sql.fetchval("SELECT first FROM closed_days")
    await ending.compare(uow, clients, await obligations_by_facts(uow, first, through, clients), through)
    closed = await uow.sql.fetch(
        "SELECT client_id, closed_on FROM clients WHERE client_id = ANY($1::text[]) AND closed_on <= $2",
        clients,
        through,
    )
    await ending.cancel_closed(uow, {row["client_id"]: row["closed_on"] for row in closed}, waits=True)
    await ending.expire(uow, through)
    return True
