"""Months that are closed for good: nothing is posted into one any more [4.7a]."""

from datetime import date, timedelta

import asyncpg

from chassis.clock import month_end
from chassis.errors import Conflict, Text
from chassis.uow import UnitOfWork


class MonthNotOver(Conflict):
    """The last day of the month is not closed yet."""

    title = Text("The month is not over", "该月尚未日终结束")


async def open_from(sql: asyncpg.Connection) -> date:
    """The first day that may be posted on. Read with balances locked: a close waits for whoever has locked some."""
    frozen: date | None = await sql.fetchval("SELECT max(last_day) FROM frozen_months")
    return frozen + timedelta(days=1) if frozen else date.min


async def freeze(uow: UnitOfWork, month: date) -> None:
    """Close a month, given by its first day, and those before it: who posts is waited for, who comes later posts after it.

    Raises: MonthNotOver.
    """
    last = month_end(month)
    await uow.sql.execute("LOCK TABLE balances IN SHARE MODE")
    through = await uow.sql.fetchval("SELECT through FROM closed_days")
    if through is None or through < last:
        raise MonthNotOver(Text(f"{last} is not closed yet", f"{last} 尚未日终"))
    # Now that nobody else writes: whatever was recorded before this instant may lie in the month.
    await uow.sql.execute("INSERT INTO frozen_months VALUES ($1, clock_timestamp()) ON CONFLICT DO NOTHING", last)
