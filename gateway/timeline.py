"""The home's timeline: real from the first ingested fact, simulated from the first replay, and so for ever."""

from datetime import datetime

import asyncpg

from chassis.clock import end_of
from chassis.errors import Conflict, Text
from chassis.timeline import Timeline, announce
from chassis.uow import UnitOfWork


class SimulatedHome(Conflict):
    """This home replays a data set; its clock is that of the data. Facts as they happen need a home of their own."""

    title = Text("This home is simulated", "此环境为回放环境")


async def effective_now(sql: asyncpg.Connection) -> datetime:
    """As `chassis.timeline.effective_now`; the gateway closes no days, it knows which ones it has published."""
    through = await sql.fetchval("SELECT published_through FROM home WHERE timeline <> 'real'")
    now: datetime = await sql.fetchval("SELECT clock_timestamp()")
    return now if through is None else min(now, end_of(through))


async def require_real(uow: UnitOfWork) -> None:
    """Make the home's timeline real, if nothing has decided it yet.

    Raises: SimulatedHome, with what to do.
    """
    timeline = await uow.sql.fetchval("SELECT timeline FROM home")
    if timeline is None:
        # Two first facts at once: the row's lock lets one decide, and the other reads what it decided.
        decided = await uow.sql.fetchval(
            "UPDATE home SET timeline = 'real', decided_at = $1 WHERE timeline IS NULL RETURNING true", uow.now
        )
        if decided:
            announce(uow, Timeline.REAL, uow.now)
        timeline = await uow.sql.fetchval("SELECT timeline FROM home")
    if timeline != "real":
        raise SimulatedHome(
            Text(
                "facts as they happen cannot go into a replayed home: start the platform with another CARELINE_HOME "
                "(or another database)",
                "实时数据不能写入回放环境：请使用另一个 CARELINE_HOME（或另一个数据库）启动平台",
            )
        )
