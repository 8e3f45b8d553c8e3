"""Restoring a backup into a home that has nothing yet, and the drill: a restore into a home that is thrown away."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from careline.backup import programs
from careline.backup.manifest import Manifest, Part, Sums, read
from careline.backup.taking import LIKE_A_DUMP, Tell, databases_of, sums_of
from careline.lag import Heads
from careline.refusals import WrongArgument
from careline.schema import make_schemas
from careline.session import connected, os_user
from chassis.bus.log import SHARED_SCHEMA
from chassis.clock import utc_now
from chassis.consumer import Consumer
from chassis.database import connect
from chassis.migrate import CHASSIS_MIGRATIONS, LOG_MIGRATIONS, make_roles, newest_revision
from chassis.operations.positions import reconcile
from chassis.secrets import known_ring, name_of
from chassis.servers.postgres import PrivatePostgres
from chassis.service import Service
from chassis.settings import Settings
from chassis.witness import folder_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from careline.platform import Platform
    from chassis.verify import Finding

GATEWAY = "gateway"
QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""A drill's server is thrown away with what it holds."""


async def restore(
    settings: Settings,
    services: Sequence[Service],
    folder: Path,
    keys: Path,
    witness: Path,
    tell: Tell,
    *,
    bus: bool = True,
) -> Manifest:
    """Bring these services' part of a backup into databases and a home that have nothing of theirs.

    `keys`: those of the same backup or, better, of the newest one: who was erased since stays erased. Without `bus` Kafka is
    left alone.
    Raises: WrongArgument when backup and home do not fit, or what was restored is not what was backed up; ProgramFailed.
    """
    data = folder / "data"
    manifest = await asyncio.to_thread(read, data, Manifest)
    with_keys = any(service.name == GATEWAY for service in services)
    of_keys = await asyncio.to_thread(read, keys, Part) if with_keys else None
    _check_form(settings, services, manifest)
    new_bus = settings.on_kafka and bus and await _is_new(settings, manifest)
    databases = databases_of(settings, services)
    for url, schemas in databases.items():
        await _check_empty(url, schemas)
    if of_keys:
        _take_secrets(settings, keys)
    _check_keys(settings, manifest)
    for url, schemas in databases.items():
        await _make_roles(settings, services, url)
        for schema in schemas:
            await asyncio.to_thread(programs.load, url, data / f"{schema}.dump")
            if of_keys and schema == GATEWAY:
                await asyncio.to_thread(programs.load, url, keys / "client_keys.dump")
            tell(f"{schema} is there")
    expected = manifest.sums | (of_keys.sums if of_keys else {})
    await _check_sums(
        databases, {table: sums for table, sums in expected.items() if _schema(table) in _every(databases)}
    )
    tell("every table has the rows it had")
    _take_files(settings.home, data / "files")
    _take_witness(settings, services, witness, tell)
    async with connected(settings, services) as platform:
        gateway = platform.databases.get(GATEWAY)
        if gateway is not None:
            async with gateway.unit_of_work(os_user()) as uow:
                gone = await uow.sql.execute(
                    """DELETE FROM client_tokens t USING client_keys k
                       WHERE k.owner = t.owner AND k.destroyed_at IS NOT NULL"""
                )
                uow.audit("restore", "backup", made_at=manifest.made_at, forgotten=int(gone.split()[-1]))
        if settings.on_kafka and bus:
            await make_schemas(settings, services)
            changed = await _reconcile(platform, new_bus=new_bus)
            tell(
                f"{changed} positions begin anew: Kafka does not have what they had read"
                if changed
                else "Kafka has it all"
            )
    return manifest


async def _is_new(settings: Settings, made: Manifest) -> bool:
    """Whether the Kafka prefix is nobody's yet.

    Raises: WrongArgument when it is another home's.
    """
    from chassis.bus.home import marked_home
    from chassis.bus.kafka_topics import KafkaAddress

    marked = await marked_home(KafkaAddress.parse(settings.bus_url or ""))
    if marked is not None and str(marked) != made.home:
        raise WrongArgument(
            f"the Kafka prefix of CARELINE_BUS_URL belongs to home {marked}, this backup is of {made.home}"
        )
    return marked is None


async def _reconcile(platform: "Platform", *, new_bus: bool) -> int:
    changed = 0
    async with Heads(platform.settings, platform.databases) as heads:
        for service in platform.services:
            database = platform.databases[service.name]
            topics = sorted({*service.topics, *(kind.topic for kind in service.publishes if kind.topic)})
            ends = await heads.of(topics)
            async with database.reading() as sql:
                kept = await Consumer(service, database, 1).kept_from(sql, topics)
            changed += await reconcile(database, os_user(), ends, kept, new_bus=new_bus)
    return changed


async def drill(
    settings: Settings,
    services: Sequence[Service],
    folder: Path,
    keys: Path,
    witness: Path,
    scratch: Path | None,
    tell: Tell,
) -> "list[Finding]":
    """Restore a backup into a home of its own, compare the sums of every table, verify everything sealed, and remove the
    home again; what was found altered."""
    from chassis.verify import verify

    async with _scratch_home(settings, scratch) as home:
        made = await restore(home, services, folder, keys, witness, tell, bus=False)
        tell(f"backup of {made.made_at.isoformat(timespec='seconds')}, made by Careline {made.careline}")
        async with connected(home, services) as platform:
            return await verify(home, services, platform.databases, full=True)


@asynccontextmanager
async def _scratch_home(settings: Settings, scratch: Path | None) -> "AsyncIterator[Settings]":
    home = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="careline-drill-", dir=scratch))
    server = PrivatePostgres(home, settings=QUICK)
    try:
        await asyncio.to_thread(server.start)
        yield settings.model_copy(
            update={"home": home, "database_url": server.service_url, "owner_url": server.owner_url}
        )
    finally:
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)


def _schema(table: str) -> str:
    return table.partition(".")[0]


def _every(databases: dict[str, tuple[str, ...]]) -> set[str]:
    return {schema for schemas in databases.values() for schema in schemas}


def _check_form(settings: Settings, services: Sequence[Service], made: Manifest) -> None:
    if made.on_kafka != settings.on_kafka:
        there = "with Kafka" if made.on_kafka else "without Kafka"
        raise WrongArgument(f"this backup is of a platform {there}: CARELINE_BUS_URL must say the same")
    if made.partitions != settings.partitions:
        raise WrongArgument(
            f"this backup has {made.partitions} partitions, CARELINE_PARTITIONS says {settings.partitions}"
        )
    if not settings.on_kafka and {service.name for service in services} != _services_in(made):
        raise WrongArgument("services that share their log are restored together")
    folders = {"chassis_version": CHASSIS_MIGRATIONS, "log_version": LOG_MIGRATIONS}
    known = {f"{service.name}.version": service.migrations for service in services}
    for table, revision in made.revisions.items():
        migrations = known.get(table) or folders.get(table.partition(".")[2])
        if migrations and revision > newest_revision(migrations):
            raise WrongArgument(
                f"this backup is of Careline {made.careline}, which is newer ({table} is at {revision}): use that version"
            )


def _services_in(made: Manifest) -> set[str]:
    return {_schema(table) for table in made.revisions} - {SHARED_SCHEMA}


async def _check_empty(url: str, schemas: Iterable[str]) -> None:
    sql = await connect(url)
    try:
        there = await sql.fetch("SELECT nspname FROM pg_namespace WHERE nspname = ANY($1::text[])", list(schemas))
    finally:
        await sql.close()
    if there:
        names = ", ".join(sorted(name for (name,) in there))
        raise WrongArgument(
            f"there is a platform already (schemas {names}): restore into an empty database, or a new CARELINE_HOME"
        )


async def _make_roles(settings: Settings, services: Sequence[Service], url: str) -> None:
    sql = await connect(url)
    try:
        for schema in (*(service.name for service in services), *([] if settings.on_kafka else [SHARED_SCHEMA])):
            await make_roles(sql, settings, schema)
    finally:
        await sql.close()


async def _check_sums(databases: dict[str, tuple[str, ...]], expected: Sums) -> None:
    found: Sums = {}
    for url, schemas in databases.items():
        sql = await connect(url)
        try:
            await sql.execute(LIKE_A_DUMP)
            await sql.execute("ANALYZE")
            for schema in schemas:
                found |= await sums_of(sql, schema)
        finally:
            await sql.close()
    different = sorted(t for t in expected.keys() | found.keys() if expected.get(t) != found.get(t))
    if different:
        raise WrongArgument(f"what was restored is not what was backed up: {', '.join(different)}")


def _take_secrets(settings: Settings, keys: Path) -> None:
    """The key files of an embedded home; what is there already, or given by the environment, stays."""
    for path in (keys / "secrets").glob("*.key"):
        target = settings.home / "secrets" / path.name
        if not target.exists() and getattr(settings, f"{path.stem}_key", None) is None:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copy2(path, target)


def _check_keys(settings: Settings, made: Manifest) -> None:
    for name, used in made.keys.items():
        ring = known_ring(settings, name)
        if ring is not None and used not in map(name_of, ring):
            raise WrongArgument(
                f"the {name} key of this backup ({used}) is not among those here: set CARELINE_{name.upper()}_KEY, "
                "newest first, or put the file into CARELINE_HOME/secrets"
            )


def _take_files(home: Path, files: Path) -> None:
    for place in files.iterdir() if files.exists() else ():
        shutil.copytree(place, home / place.name, dirs_exist_ok=True)


def _take_witness(settings: Settings, services: Sequence[Service], witness: Path, tell: Tell) -> None:
    """The witness of the same moment. One that goes on beyond it is kept aside: it tells what was sealed since."""
    place = folder_of(settings)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("keys", *(service.name for service in services)):
        then, now = witness / f"{name}.log", place / f"{name}.log"
        if not then.exists():
            continue
        if now.exists():
            before, content = then.read_bytes(), now.read_bytes()
            if not content.startswith(before):
                raise WrongArgument(f"{now} is the witness of another home: move it away first")
            if len(content) == len(before) or name == "keys":
                continue
            aside = now.with_name(f"{name}.before-restore-{utc_now():%Y%m%dT%H%M%SZ}")
            now.rename(aside)
            tell(f"what was sealed after the backup is witnessed in {aside}")
        shutil.copy2(then, now)
    (place / "verified.json").unlink(missing_ok=True)
