"""Whether this version of Careline can take over what is there, and what it would change. Nothing is changed by asking."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import asyncpg

from careline.doctor import NEWEST, OLDEST, Diagnosis, good
from careline.services import SERVICES
from careline.session import run
from chassis.bus.log import SHARED_SCHEMA
from chassis.clock import utc_now
from chassis.database import connect, owner_url_of
from chassis.migrate import CHASSIS_MIGRATIONS, LOG_MIGRATIONS, newest_revision
from chassis.service import Service
from chassis.settings import Settings

BACKUP_AGE = timedelta(days=1)


def examine(settings: Settings) -> Iterator[Diagnosis]:
    """What an upgrade to this version would do, and what stands against it."""
    yield from run(_all(settings))


async def _all(settings: Settings) -> list[Diagnosis]:
    found: list[Diagnosis] = []
    for service in SERVICES:
        url = owner_url_of(settings, service.name)
        if url is None:
            return [Diagnosis(True, "no login that owns the schemas", "set CARELINE_OWNER_URL")]
        sql = await connect(url)
        try:
            if not found:
                found += [finding async for finding in _platform(settings, sql)]
            found += [finding async for finding in _schemas(settings, sql, service)]
        finally:
            await sql.close()
    return found


async def _platform(settings: Settings, sql: asyncpg.Connection) -> AsyncIterator[Diagnosis]:
    version = sql.get_server_version().major
    fine = OLDEST <= version <= NEWEST
    yield Diagnosis(not fine, f"PostgreSQL {version}", "" if fine else f"use PostgreSQL {OLDEST} to {NEWEST}")
    gateway = SERVICES[0].name
    if await sql.fetchval("SELECT to_regclass($1)", f"{gateway}.audit") is None:
        return
    partitions = await sql.fetchval(f"SELECT max(partition) + 1 FROM {gateway}.sealed_heads")
    fix = "" if partitions == settings.partitions else f"set CARELINE_PARTITIONS={partitions}"
    yield Diagnosis(bool(fix), f"{partitions} partitions", fix)
    at = await sql.fetchval(f"SELECT max(at) FROM {gateway}.audit WHERE action = 'back_up'")
    said = f"backed up at {at.isoformat(timespec='minutes')}" if at else "never backed up with `careline backup`"
    recent = at is not None and utc_now() - at < BACKUP_AGE
    yield Diagnosis(False, said, "" if recent else "`careline backup FOLDER` first: only a restore undoes a migration")


async def _schemas(settings: Settings, sql: asyncpg.Connection, service: Service) -> AsyncIterator[Diagnosis]:
    log_schema = service.name if settings.on_kafka else SHARED_SCHEMA
    for table, folder in (
        (f"{service.name}.chassis_version", CHASSIS_MIGRATIONS),
        (f"{log_schema}.log_version", LOG_MIGRATIONS),
        (f"{service.name}.version", service.migrations),
    ):
        if log_schema != SHARED_SCHEMA or folder != LOG_MIGRATIONS or service is SERVICES[0]:
            yield await _revision(sql, table, folder)


async def _revision(sql: asyncpg.Connection, table: str, folder: Path) -> Diagnosis:
    if await sql.fetchval("SELECT to_regclass($1)", table) is None:
        return good(f"{table}: not there yet; it is made")
    there, newest = await sql.fetchval(f"SELECT version_num FROM {table}"), newest_revision(folder)
    if there and there > newest:
        return Diagnosis(True, f"{table} is at {there}, this version knows {newest}", "install the newer version again")
    names = sorted(path.stem for path in (folder / "versions").glob("[0-9]*.py") if path.name[:4] > (there or ""))
    return good(
        f"{table} at {there or 'the beginning'}" + (f": {', '.join(names)} will run" if names else ", nothing to do")
    )
