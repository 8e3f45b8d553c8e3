"""Now, as this home lives it: the database's clock in a real home, the end of the last closed day in a replayed one."""

from datetime import datetime

import asyncpg

from chassis.clock import end_of
from chassis.timeline import Timeline, timeline


async def effective_now(sql: asyncpg.Connection, recorded: datetime) -> datetime:
    """The moment staff act at. A home that nobody has named yet and that has closed days is treated as replayed."""
    if await timeline(sql) is Timeline.REAL:
        return recorded
    through = await sql.fetchval("SELECT through FROM closed_days")
    return recorded if through is None else min(recorded, end_of(through))
