"""One service's row in the view of all services."""

from datetime import date
from typing import TYPE_CHECKING, Any

from chassis import calendars
from chassis.database import Database
from chassis.operations import conflicts, dead_letters, deadlines
from chassis.operations.lag import lag
from chassis.service import Service
from chassis.settings import Settings
from chassis.version import version

if TYPE_CHECKING:
    from chassis.worker import Worker


async def status(
    service: Service, database: Database, settings: Settings, worker: "Worker | None" = None
) -> dict[str, Any]:
    """State, version, lag, dead letters, conflicts and the last closed day; `worker`'s loops when they run here.

    Raises: an outage when the database or the bus does not answer.
    """
    behind = await lag(service, database, settings)
    async with database.reading() as sql:
        letters, undecided = await dead_letters.count(sql), await conflicts.count(sql)
        timers, calendar = await deadlines.counted(sql), await calendars.check(service.name, sql)
    failing = (
        {name: loop.error or "stopped" for name, loop in worker.states.items() if loop.error or loop.stopped}
        if worker
        else {}
    )
    closed: date | None = behind.closed_through
    return {
        "service": service.name,
        "state": "failing" if failing else "up",
        "version": version(),
        "lag_records": behind.records,
        "lag_seconds": behind.seconds,
        "unshipped": behind.unshipped,
        "dead_letters": letters,
        "conflicts": undecided,
        "deadlines_due": timers["due"],
        "deadlines_failed": timers["failed"],
        "deadlines_late": timers["late_last_day"],
        "calendar_last_day": calendar["last_day"],
        "calendar_warning": calendar.get("output", ""),
        "closed_through": closed.isoformat() if closed else None,
        "failing_loops": failing,
    }
