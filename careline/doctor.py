"""What is wrong with a platform, and how to fix it: looked at from the outside in, and stopping where nothing more can be seen."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from careline.errors import told
from careline.services import SERVICES
from careline.session import connected, database_there, run
from careline.settings import SettingsWrong, judge_services, loaded, unknown
from careline.worker_lock import is_worker_lock_held
from chassis.database import Database, connect, owner_url_of, url_of
from chassis.migrate import newest_revision
from chassis.operations import conflicts, dead_letters
from chassis.operations.lag import lag
from chassis.service import Service
from chassis.settings import Settings

LEAST_FREE_BYTES = 1 << 30
OLDEST, NEWEST = 15, 18
SLOW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing looked at: whether it is bad, what was found, what to do."""

    bad: bool
    what: str
    fix: str = ""


def good(what: str) -> Diagnosis:
    """Nothing to do."""
    return Diagnosis(False, what)


def examine() -> Iterator[Diagnosis]:
    """Look at settings, home, database, bus, services, in this order."""
    for name, like in unknown(os.environ).items():
        yield Diagnosis(True, f"{name} is no setting", f"{like} was meant? Else unset it" if like else "unset it")
    try:
        settings = loaded()
        judge_services()
    except SettingsWrong as error:
        for line in error.lines:
            yield Diagnosis(True, line, "correct the environment variable, or the file")
        return
    yield good(f"settings: {'own PostgreSQL' if settings.embedded_database else 'CARELINE_DATABASE_URL'}, events over "
               f"{'Kafka' if settings.on_kafka else 'the log in PostgreSQL'}, {settings.partitions} partitions")  # fmt: skip
    yield _home(settings.home)
    try:
        with database_there() as settings:
            yield from run(_inside(settings))
    except Exception as error:
        yield Diagnosis(True, told(error) or repr(error), _database_fix(settings))


def _database_fix(settings: Settings) -> str:
    if settings.embedded_database:
        return f"look at {settings.home}/pg and {settings.home}/log/postgres.log; a full disk or another owner is usual"
    return "start that PostgreSQL, or correct CARELINE_DATABASE_URL (unset it for a private server)"


def _home(home: Path) -> Diagnosis:
    place = home if home.exists() else home.resolve().parent
    if not os.access(place, os.W_OK | os.X_OK):
        return Diagnosis(True, f"home {home} cannot be written", "set CARELINE_HOME to a folder of yours")
    if home.exists() and home.stat().st_mode & 0o077:
        return Diagnosis(True, f"home {home} is open to other users of this machine", f"chmod -R go= {home}")
    free = shutil.disk_usage(place).free
    if free < LEAST_FREE_BYTES:
        return Diagnosis(True, f"only {free >> 20} MB free under {place}", "make room, or set CARELINE_HOME elsewhere")
    return good(f"home {home}: {free >> 30} GB free")


async def _inside(settings: Settings) -> list[Diagnosis]:
    found = [finding async for finding in _database(settings)]
    if any(finding.bad for finding in found):
        return found
    if settings.on_kafka:
        found.append(await _kafka(settings))
        if found[-1].bad:
            return found
    async with connected(settings) as platform:
        for service in platform.services:
            found += [finding async for finding in _service(service, platform.databases[service.name], settings)]
        found.append(await _calendar(platform.databases["gateway"]))
    return found


async def _database(settings: Settings) -> AsyncIterator[Diagnosis]:
    for service in SERVICES:
        sql = await connect(owner_url_of(settings, service.name) or url_of(settings, service.name))
        try:
            version = sql.get_server_version().major
            if service is SERVICES[0]:
                fine = OLDEST <= version <= NEWEST
                yield Diagnosis(not fine, f"PostgreSQL {version}",
                              "" if fine else f"use PostgreSQL {OLDEST} to {NEWEST}")  # fmt: skip
            yield await _revision(sql, service)
        finally:
            await sql.close()


async def _revision(sql: asyncpg.Connection, service: Service) -> Diagnosis:
    newest = newest_revision(service.migrations)
    known = await sql.fetchval("SELECT to_regclass($1)", f"{service.name}.version")
    if known is None:
        return good(f"{service.name}: no schema yet; the first command makes it")
    revision = await sql.fetchval(f"SELECT version_num FROM {service.name}.version")
    if revision > newest:
        return Diagnosis(
            True, f"{service.name}: schema {revision} is newer than this program ({newest})", "update Careline"
        )
    return good(f"{service.name}: schema at {revision}" + ("" if revision == newest else f", {newest} is ready"))


async def _kafka(settings: Settings) -> Diagnosis:
    from careline.schema import make_schemas

    try:
        await make_schemas(settings, SERVICES)
    except Exception as error:
        fix = "start Kafka (`careline stack up`), or correct CARELINE_BUS_URL (kafka://host:port/prefix)"
        return Diagnosis(True, told(error) or repr(error), fix)
    return good("Kafka answers, every topic is there")


async def _service(service: Service, database: Database, settings: Settings) -> AsyncIterator[Diagnosis]:
    name, behind = service.name, await lag(service, database, settings)
    works = await is_worker_lock_held(database.url, name)
    waiting = behind.records + behind.unshipped
    if waiting and not works:
        yield Diagnosis(True, f"{name}: {waiting} records wait and nobody works on them",
                      f"run `careline up`, or `careline work {name}`")  # fmt: skip
    elif behind.seconds > SLOW_SECONDS:
        yield Diagnosis(True, f"{name}: {behind.records} records behind, the oldest {behind.seconds:.0f} s",
                      f"look at the log of the process that works for {name}; start another `careline work {name}`")  # fmt: skip
    else:
        yield good(f"{name}: {behind.records} records behind, closed through {behind.closed_through or 'no day yet'}, "
                   f"{'at work' if works else 'not running'}")  # fmt: skip
    async with database.reading() as sql:
        checked = {what: await look(sql) for what, look in service.checks.items()}
        letters, open_conflicts = await dead_letters.count(sql), await conflicts.count(sql)
    if letters:
        fix = f"`careline dead-letters list --service {name}`, mend the cause, `careline dead-letters redrive --all`"
        yield Diagnosis(True, f"{name}: {letters} dead letters", fix)
    if open_conflicts:
        fix = f"`careline conflicts list --service {name}`, then accept or reject each"
        yield Diagnosis(True, f"{name}: {open_conflicts} facts came again with other content", fix)
    for what, check in checked.items():
        bad, said = check["status"] == "fail", check.get("output", "as it should be")
        yield Diagnosis(bad, f"{name}: {what}: {said}", check.get("fix", "") if check["status"] != "pass" else "")


async def _calendar(database: Database) -> Diagnosis:
    from chassis.calendars import WARNING_DAYS, current, days_left

    async with database.reading() as sql:
        calendar = await current(sql)
    if days_left(calendar) <= WARNING_DAYS:
        return Diagnosis(
            False, f"the calendar ends on {calendar.last}", "publish the coming year's days: POST /v1/calendar/drafts"
        )
    return good(f"calendar {calendar.version} until {calendar.last}")
