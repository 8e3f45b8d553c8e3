"""Room for the log, and what nobody needs any more: looked at every minute by whichever process comes first.

A day's part of the log is dropped as a whole once it is older than a week and every registered consumer (and, on Kafka, the
relay) has passed all of it: see docs/decisions/0016-low-water-marks.md. A consumer is registered by its positions: whichever
service has some in this database is asked, also one that this process knows nothing of.
"""

import asyncio
from collections.abc import Sequence

import asyncpg
import structlog

from chassis.bus.log import SHARED_SCHEMA
from chassis.bus.parts import Parts
from chassis.database import connect, owner_url_of
from chassis.http.idempotency import KEPT
from chassis.outages import is_outage
from chassis.service import Service
from chassis.settings import Settings

log = structlog.get_logger()
EVERY_SECONDS = 60.0
LOCK = "careline upkeep"


async def run(settings: Settings, services: Sequence[Service]) -> None:
    """Look after every database, for ever; an outage is waited out."""
    while True:
        try:
            await once(settings, services)
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("housekeeping waits", error=error)
        await asyncio.sleep(EVERY_SECONDS)


async def once(settings: Settings, services: Sequence[Service]) -> list[str]:
    """Make room ahead and drop what is over. Returns the table partitions dropped; nothing when another is at it."""
    dropped: list[str] = []
    by_url: dict[str, list[Service]] = {}
    for service in services:
        if url := owner_url_of(settings, service.name):
            by_url.setdefault(url, []).append(service)
    for url, there in by_url.items():
        admin = await connect(url)
        try:
            if await admin.fetchval("SELECT pg_try_advisory_lock(hashtext($1))", LOCK):
                for schema in [service.name for service in there] if settings.on_kafka else [SHARED_SCHEMA]:
                    positions = await _readers(admin, schema, on_kafka=settings.on_kafka)
                    dropped += await Parts(admin, schema).look_after(positions)
                for service in there:
                    await _forget_answers(admin, service.name)
        finally:
            await admin.close()
    return dropped


async def _readers(admin: asyncpg.Connection, schema: str, *, on_kafka: bool) -> str:
    """A query for the positions of everybody who reads a log."""
    if on_kafka:
        return f"SELECT topic, partition, next FROM {schema}.relay_cursors"
    consumers = await admin.fetch(
        """SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.relname IN ('consumer_offsets', 'heard_types') AND c.relkind = 'r' ORDER BY 1"""
    )
    return " UNION ALL ".join(f"SELECT topic, partition, next FROM {name}" for (name,) in consumers)


async def _forget_answers(admin: asyncpg.Connection, schema: str) -> None:
    await admin.execute(
        f"DELETE FROM {schema}.idempotency_keys WHERE created_at < clock_timestamp() - $1::interval", KEPT
    )
