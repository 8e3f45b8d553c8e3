"""Taking a backup: one moment of every database, the witness of that moment, then each schema as it was then.

Publishing is held for that moment alone, so that nobody has heard a fact that its publisher's database does not have.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg

from careline.backup import programs
from careline.backup.manifest import Manifest, Part, Sums, write
from careline.refusals import WrongArgument
from chassis.bus.log import SHARED_SCHEMA
from chassis.clock import utc_now
from chassis.database import connect, owner_of, owner_url_of
from chassis.key_history import KeyHistory
from chassis.secrets import known_ring, name_of
from chassis.service import Service
from chassis.settings import Settings
from chassis.version import version
from chassis.witness import Witness, folder_of

CLIENT_KEYS = "gateway.client_keys"
KEYS = ("internal", "field", "master", "seal")
FILES = ("evidence", "messages")
"""Folders of a home in which services keep files."""
AT_ONCE = 2
TRIES = 40
LIKE_A_DUMP = """
    SET timezone = 'UTC'; SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex';
    SET extra_float_digits = 1; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0"""
Tell = Callable[[str], None]


class Source(NamedTuple):
    """A database as it was at the moment: its owner's URL, the schemas in it, a transaction that sees them, its snapshot."""

    url: str
    schemas: tuple[str, ...]
    sql: asyncpg.Connection
    snapshot: str


async def take(
    settings: Settings, services: Sequence[Service], folder: Path, keys: Path, witness: Path, tell: Tell
) -> Manifest:
    """Back the platform up into three folders, each of which must be empty or not there yet.

    Raises: WrongArgument; ProgramFailed.
    """
    for place in (folder, keys, witness):
        if place.exists() and any(place.iterdir()):
            raise WrongArgument(f"{place} is not empty: choose a new folder for each backup")
    data = folder / "data"
    for place in (folder, data, keys, witness):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        with ExitStack() as held:
            _hold_witness(settings, services, held)
            sources = await stack.enter_async_context(_one_moment(settings, services))
            made_at = utc_now()
            _copy_witness(settings, services, witness)
        tell(f"the moment is {made_at.isoformat(timespec='seconds')}")
        turns = asyncio.Semaphore(AT_ONCE)
        dumps = [_dump(source, schema, data, keys, turns) for source in sources for schema in source.schemas]
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(_sums_and_revisions(sources))
            for dump in dumps:
                group.create_task(dump)
        sums, revisions, postgres = reading.result()
        home = await sources[0].sql.fetchval(f"SELECT id::text FROM {sources[0].schemas[0]}.home_id")
        tell(f"{len(dumps)} schemas, {sum(rows for rows, _ in sums.values())} rows")
    await asyncio.to_thread(_copy_files, settings.home, data / "files")
    await asyncio.to_thread(_copy_secrets, settings.home, keys)
    names = {name: name_of(ring[0]) for name in KEYS if (ring := known_ring(settings, name))}
    of_keys = {table: sums.pop(table) for table in [CLIENT_KEYS] if table in sums}
    made = Manifest(
        made_at=made_at, sums=sums, careline=version(), postgres=postgres, on_kafka=settings.on_kafka,
        partitions=settings.partitions, revisions=revisions, keys=names, home=home or "",
    )  # fmt: skip
    await asyncio.to_thread(write, keys, Part(made_at=made_at, sums=of_keys))
    await asyncio.to_thread(write, data, made)
    return made


def databases_of(settings: Settings, services: Sequence[Service]) -> dict[str, tuple[str, ...]]:
    """The schemas in each database, by the URL of their owner's login.

    Raises: WrongArgument where this process does not have it.
    """
    by_place: dict[str, tuple[str, list[str]]] = {}
    for service in services:
        url = owner_url_of(settings, service.name)
        if url is None:
            raise WrongArgument("this needs the login that owns the schemas: set CARELINE_OWNER_URL")
        _, schemas = by_place.setdefault(url.rpartition("@")[2], (url, []))
        schemas.append(service.name)
        if not settings.on_kafka and SHARED_SCHEMA not in schemas:
            schemas.append(SHARED_SCHEMA)
    return {url: tuple(schemas) for url, schemas in by_place.values()}


@asynccontextmanager
async def _one_moment(settings: Settings, services: Sequence[Service]) -> AsyncIterator[list[Source]]:
    async with AsyncExitStack() as stack:
        places = [
            (url, schemas, await stack.enter_async_context(_reading(url)))
            for url, schemas in databases_of(settings, services).items()
        ]
        async with _nobody_publishes(places):
            sources = [
                Source(url, schemas, sql, await sql.fetchval("SELECT pg_export_snapshot()"))
                for url, schemas, sql in places
            ]
        yield sources


@asynccontextmanager
async def _reading(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection in a transaction whose snapshot is taken by its first query."""
    sql = await connect(url)
    try:
        await sql.execute(LIKE_A_DUMP)
        await sql.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield sql
    finally:
        await sql.close()


@asynccontextmanager
async def _nobody_publishes(places: Sequence[tuple[str, tuple[str, ...], asyncpg.Connection]]) -> AsyncIterator[None]:
    """Hold the heads of every outbox, where there are several databases; nobody waits for longer than half a second."""
    if len(places) == 1:
        yield
        return
    for attempt in range(TRIES):
        async with AsyncExitStack() as held:
            try:
                for url, schemas, _ in places:
                    sql = await connect(url)
                    held.push_async_callback(sql.close)
                    await sql.execute("BEGIN; SET LOCAL lock_timeout = '500ms'")
                    for schema in schemas:
                        await sql.execute(f"SET LOCAL ROLE {owner_of(schema)}; LOCK TABLE {schema}.heads IN SHARE MODE")
            except asyncpg.LockNotAvailableError:
                if attempt == TRIES - 1:
                    raise
                continue
            yield
            return


async def _dump(source: Source, schema: str, data: Path, keys: Path, turns: asyncio.Semaphore) -> None:
    options = [f"--schema={schema}"]
    apart = CLIENT_KEYS.startswith(f"{schema}.")
    async with turns:
        archive = data / f"{schema}.dump"
        without = [*options, f"--exclude-table-data={CLIENT_KEYS}"] if apart else options
        await asyncio.to_thread(programs.dump, source.url, archive, source.snapshot, owner_of(schema), *without)
        if apart:
            only = ["--data-only", f"--table={CLIENT_KEYS}"]
            archive = keys / "client_keys.dump"
            await asyncio.to_thread(programs.dump, source.url, archive, source.snapshot, owner_of(schema), *only)


async def _sums_and_revisions(sources: Sequence[Source]) -> tuple[Sums, dict[str, str], int]:
    sums: Sums = {}
    revisions: dict[str, str] = {}
    for source in sources:
        for schema in source.schemas:
            sums |= await sums_of(source.sql, schema)
            revisions |= await revisions_of(source.sql, schema)
    return sums, revisions, sources[0].sql.get_server_version().major


async def sums_of(sql: asyncpg.Connection, schema: str) -> Sums:
    """Rows of every table of a schema, and the sum of the hashes of their text. Settings are those of `LIKE_A_DUMP`."""
    await sql.execute(f"SET ROLE {owner_of(schema)}")
    found: Sums = {}
    for (table,) in await sql.fetch(
        """SELECT quote_ident(relname) FROM pg_class
           WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname""",
        schema,
    ):
        rows, digest = await sql.fetchrow(
            f"SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM {schema}.{table} t",
            timeout=None,
        )  # type: ignore[misc]
        found[f"{schema}.{table}"] = rows, digest
    await sql.execute("RESET ROLE")
    return found


async def revisions_of(sql: asyncpg.Connection, schema: str) -> dict[str, str]:
    """The revision of each version table of a schema."""
    await sql.execute(f"SET ROLE {owner_of(schema)}")
    tables = await sql.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = $1::regnamespace AND relname ~ '^(chassis_|log_)?version$'",
        schema,
    )
    found = {f"{schema}.{t}": await sql.fetchval(f"SELECT version_num FROM {schema}.{t}") for (t,) in tables}
    await sql.execute("RESET ROLE")
    return found


def _hold_witness(settings: Settings, services: Sequence[Service], held: ExitStack) -> None:
    """Nobody seals until witness and database have been seen together."""
    for file in (KeyHistory(settings), *(Witness(settings, service.name) for service in services)):
        held.enter_context(file.held(alone=False, wait=True))


def _copy_witness(settings: Settings, services: Sequence[Service], target: Path) -> None:
    for name in ("keys", *(service.name for service in services)):
        path = folder_of(settings) / f"{name}.log"
        if path.exists():
            shutil.copy2(path, target)


def _copy_files(home: Path, target: Path) -> None:
    """A file is there before the row that names it."""
    for name in FILES:
        if (home / name).is_dir():
            shutil.copytree(home / name, target / name, ignore=shutil.ignore_patterns(".*"))


def _copy_secrets(home: Path, target: Path) -> None:
    for path in (home / "secrets").glob("*.key"):
        (target / "secrets").mkdir(mode=0o700, exist_ok=True)
        shutil.copy2(path, target / "secrets")
