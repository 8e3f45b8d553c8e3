"""State gauges: what a service's database says, told by every process of it, so that no process's death silences an alert.

Counters start at 0 here too: a label set that is born with its first event has no increase.
"""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from chassis import calendars
from chassis.clock import end_of
from chassis.database import Database
from chassis.operations import conflicts, dead_letters
from chassis.operations.lag import lag
from chassis.service import Service
from chassis.settings import Settings
from chassis.telemetry import (
    CLOSED_THROUGH,
    CONFLICTS,
    CONFLICTS_OPEN,
    CONSUMED,
    DEAD_LETTERS,
    DEAD_LETTERS_OPEN,
    DEADLINES_FAILED,
    DEADLINES_FAILED_OPEN,
    DEADLINES_OVERDUE_SECONDS,
    DISK_FREE,
    RELAYED,
    SEALED_AT,
    STATE_READ_AT,
    UNSEALED_ROWS,
)
from chassis.timeline import Timeline, timeline

EVERY_SECONDS = 15.0
ANSWER_SECONDS = 10.0
log = structlog.get_logger()


async def run(services: Sequence[Service], databases: Mapping[str, Database], settings: Settings) -> None:
    """Read every service's state, for ever; what cannot be read keeps its values, and its time of reading stands still."""
    for service in services:
        start_at_zero(service)
    while True:
        for service in services:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await read(service, databases[service.name], settings)
            except Exception as error:  # an alert of its own says that nothing was read
                log.warning("state not read", service=service.name, error=error)
        await asyncio.sleep(EVERY_SECONDS)


def start_at_zero(service: Service) -> None:
    """Make every label set a service can count under."""
    for counter in (DEAD_LETTERS, CONFLICTS, RELAYED):
        counter.labels(service.name)
    for kind in service.hears:
        CONSUMED.labels(service.name, kind.type)
    for due in service.deadlines:
        DEADLINES_FAILED.labels(service.name, due)


def disk_free(folder: Path) -> float:
    """What is free of a folder's file system, 0 to 1; of the nearest one that exists."""
    usage = shutil.disk_usage(next(one for one in (folder, *folder.absolute().parents) if one.exists()))
    return usage.free / usage.total


async def read(service: Service, database: Database, settings: Settings) -> None:
    """Set the gauges of one service from its database. On Kafka the lag is its workers' to measure.

    Raises: an outage when the database does not answer.
    """
    name = service.name
    DISK_FREE.labels(name).set(await asyncio.to_thread(disk_free, settings.home))
    async with database.reading() as sql:  # not the probes' connection: they answer in time
        DEAD_LETTERS_OPEN.labels(name).set(await dead_letters.count(sql))
        CONFLICTS_OPEN.labels(name).set(await conflicts.count(sql))
        await calendars.check(name, sql)
        DEADLINES_FAILED_OPEN.labels(name).set(
            await sql.fetchval("SELECT count(*) FROM deadlines WHERE failed_at IS NOT NULL")
        )
        late = await sql.fetchval(
            "SELECT extract(epoch FROM clock_timestamp() - min(due))::float8 FROM deadlines WHERE failed_at IS NULL"
        )
        real = await timeline(sql) is Timeline.REAL
        DEADLINES_OVERDUE_SECONDS.labels(name).set(max(0.0, late or 0.0) if real else 0.0)
        if through := await sql.fetchval("SELECT through FROM closed_days"):
            CLOSED_THROUGH.labels(name).set(end_of(through).timestamp())
        seals = await sql.fetchrow(
            """SELECT coalesce(sum(h.next - coalesce(s.last + 1, 0)), 0)::bigint AS unsealed,
                      coalesce(extract(epoch FROM max(s.sealed_at)), 0)::float8 AS sealed_at
               FROM sealed_heads h LEFT JOIN LATERAL (
                   SELECT last, sealed_at FROM seals s WHERE s.name = h.name AND s.partition = h.partition
                   ORDER BY first DESC LIMIT 1) s ON true"""
        )
        assert seals is not None
        UNSEALED_ROWS.labels(name).set(seals["unsealed"])
        SEALED_AT.labels(name).set(seals["sealed_at"])
        STATE_READ_AT.labels(name).set(await sql.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8"))
    if not settings.on_kafka:
        await lag(service, database, settings)
