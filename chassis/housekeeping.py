"""Room for the log, and what nobody needs any more: done once an hour by whichever process comes first.

A day's part of the log is dropped as a whole once it is older than a week and every consumer (and, on Kafka, the
relay) has passed all of it: see docs/decisions/0004-retention.md.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

import asyncpg
import structlog

from chassis.bus.log import SHARED_SCHEMA, Log
from chassis.clock import utc_now
from chassis.database import connect, role_of, url_of
from chassis.http.idempotency import KEPT
from chassis.outages import OUTAGES
from chassis.service import Service
from chassis.settings import Settings

log = structlog.get_logger()
EVERY_SECONDS = 3600.0
KEPT_DAYS = 7
LOCK = "careline upkeep"


async def run(settings: Settings, services: Sequence[Service]) -> None:
    """Look after every database, for ever; an outage is waited out."""
    while True:
        try:
            await once(settings, services, utc_now().date())
        except OUTAGES as error:
            log.warning("upkeep waits", error=repr(error))
        await asyncio.sleep(EVERY_SECONDS)


async def once(settings: Settings, services: Sequence[Service], today: date) -> list[str]:
    """Make room ahead and drop what is over. Returns the table partitions dropped; nothing when another is at it."""
    dropped: list[str] = []
    by_url: dict[str, list[Service]] = {}
    for service in services:
        by_url.setdefault(url_of(settings, service.name), []).append(service)
    for url, there in by_url.items():
        admin = await connect(url)
        try:
            if await admin.fetchval("SELECT pg_try_advisory_lock(hashtext($1))", LOCK):
                schemas = [service.name for service in there] if settings.on_kafka else [SHARED_SCHEMA]
                for schema in schemas:
                    dropped += await _look_after_log(admin, schema, there, today, on_kafka=settings.on_kafka)
                for service in there:
                    await _forget_answers(admin, service.name)
        finally:
            await admin.close()
    return dropped


async def _look_after_log(
    admin: asyncpg.Connection, schema: str, services: Iterable[Service], today: date, *, on_kafka: bool
) -> list[str]:
    await admin.execute(f"SET ROLE {role_of(schema)}")
    await Log(schema).make_room(admin, today - timedelta(days=1))
    await admin.execute("RESET ROLE")
    positions = (
        f"SELECT topic, partition, next FROM {schema}.relay_cursors"
        if on_kafka
        else " UNION ALL ".join(f"SELECT topic, partition, next FROM {s.name}.consumer_offsets" for s in services)
    )
    dropped = []
    for (table,) in await admin.fetch(
        """SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
           WHERE i.inhparent = $1::regclass ORDER BY c.relname""",
        f"{schema}.log",
    ):
        written_on = datetime.strptime(table.removeprefix("log_"), "%Y%m%d").replace(tzinfo=UTC).date()
        if written_on >= today - timedelta(days=KEPT_DAYS):
            continue
        needed = await admin.fetchval(
            f"""SELECT EXISTS (
                    SELECT FROM (SELECT topic, partition, max("offset") AS last FROM {schema}.{table} GROUP BY 1, 2) t
                    JOIN ({positions}) p USING (topic, partition) WHERE p.next <= t.last)"""
        )
        if not needed:
            await admin.execute(f"DROP TABLE {schema}.{table}")
            log.info("log part dropped", table=f"{schema}.{table}")
            dropped.append(f"{schema}.{table}")
    return dropped


async def _forget_answers(admin: asyncpg.Connection, schema: str) -> None:
    await admin.execute(
        f"DELETE FROM {schema}.idempotency_keys WHERE created_at < clock_timestamp() - $1::interval", KEPT
    )
