"""Servers and worlds for every test: one private PostgreSQL and one Kafka a session, one fresh database a test.

`world` runs on the log in PostgreSQL; with `@pytest.mark.both_buses` also on real Kafka. `@pytest.mark.every_postgres`
runs a test on the wheel's PostgreSQL and on Debian's 15 where that is installed. `bus` and `postgres` may be asked for.
"""

import base64
import gc
import os
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from careline.schema import make_schemas
from careline.services import SERVICES, named
from chassis.bus.log import SHARED_SCHEMA, Log
from chassis.database import connect, owner_of
from chassis.servers.kafka import PrivateKafka
from chassis.servers.postgres import PrivatePostgres
from chassis.servers.process import ServerNotReady, StillStarting
from chassis.service import Service
from chassis.settings import Settings
from tests.world import World, running

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
POSTGRES = {"wheel": None, **({"debian": DEBIAN_15} if (DEBIAN_15 / "initdb").exists() else {})}
KEYS = {
    f"{name}_key": base64.b64encode(bytes([n]) * 32).decode()
    for n, name in enumerate(("internal", "field", "seal", "master"))
}
# Data of tests is made anew each time: it need not outlive a power cut.
FAST = {
    "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off",
    "wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "128MB",
}  # fmt: skip
MEMORY, ROOMY = Path("/dev/shm"), 8 << 30
LONGEST = (
    "tests/faults/", "tests/deploy/", "tests/replay/", "tests/structure/test_new_service", "tests/cli/",
    "tests/classification/test_closing", "tests/complaints/test_with_callbacks", "tests/complaints/test_march_2009",
    "tests/suitability/test_journey", "tests/fuzz/", "tests/operations/", "tests/walks/test_other_branch",
    "tests/callbacks/test_acts", "tests/complaints/test_acts",
)  # fmt: skip
IN_CI = os.environ.get("CI", "").lower() in {"true", "1"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "both_buses: on the log in PostgreSQL, and again on real Kafka")
    config.addinivalue_line("markers", "only_kafka: on real Kafka alone")
    config.addinivalue_line("markers", "own_kafka: starts a real Kafka of its own")
    config.addinivalue_line(
        "markers", "services(*names): a world of the gateway and these services; without names all of them"
    )
    config.addinivalue_line("markers", "every_postgres: on each PostgreSQL of this machine")
    # Settings of the person who runs the tests are none of the tests' business.
    for name in [name for name in os.environ if name.startswith("CARELINE_") and name != "CARELINE_CACHE"]:
        del os.environ[name]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "bus" in metafunc.fixturenames:
        buses = ["log", "kafka"] if _marked(metafunc, "both_buses") else ["log"]
        if _marked(metafunc, "only_kafka"):
            buses = ["kafka"]
        metafunc.parametrize("bus", buses, indirect=True)
    if "postgres" in metafunc.fixturenames:
        kinds = list(POSTGRES) if _marked(metafunc, "every_postgres") else ["wheel"]
        metafunc.parametrize("postgres", kinds, indirect=True, scope="session")


def _marked(metafunc: pytest.Metafunc, name: str) -> bool:
    return metafunc.definition.get_closest_marker(name) is not None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files begin first, so that none of them is left for one worker at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish() -> None:
    """What was imported stays: no collection of garbage walks it again."""
    gc.freeze()


class Cluster:
    """One PostgreSQL server of the session, and how to make databases on it."""

    def __init__(self, server: PrivatePostgres) -> None:
        self.server = server
        self.version = ""
        self.templates: dict[tuple[str, ...], str] = {}

    def url(self, database: str) -> str:
        return self.server.url.replace("/careline?", f"/{database}?")

    async def make(self, database: str, template: str | None = None) -> str:
        # A copy of the files takes a third of the time of a copy through the write-ahead log, the default.
        copied = f" TEMPLATE {template} STRATEGY FILE_COPY" if template else ""
        await self.admin(f"CREATE DATABASE {database}{copied}")
        return self.url(database)

    async def drop(self, database: str) -> None:
        await self.admin(f"DROP DATABASE {database} WITH (FORCE)")

    async def template(self, settings: Settings, services: Sequence[Service]) -> str:
        """A database of these services migrated to the newest revision, made once for each of the two forms of the log.
        It has the topics of neighbours that are not there: a test writes what they tell."""
        key = ("kafka" if settings.on_kafka else "log", *(service.name for service in services))
        if key not in self.templates:
            name = f"template_{len(self.templates)}"
            settings = settings.model_copy(update={"database_url": await self.make(name)})
            await make_schemas(settings, services)
            schema = "gateway" if settings.on_kafka else SHARED_SCHEMA
            admin = await connect(self.url(name))
            try:
                await admin.execute(f"SET ROLE {owner_of(schema)}")
                heard = {topic for service in services for topic in service.topics}
                await Log(schema).create_topics(admin, heard, settings.partitions)
            finally:
                await admin.close()
            self.templates[key] = name
        return self.templates[key]

    async def admin(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url("careline"))
        try:
            if not self.version:
                self.version = await connection.fetchval("SHOW server_version")
            await connection.execute(statement)
        finally:
            await connection.close()


def begun(server: PrivatePostgres | PrivateKafka) -> str:
    """Start a server and wait for it however busy the machine is; the limit is the test's own."""
    while True:
        try:
            return server.start()
        except StillStarting:
            continue


@pytest.fixture(scope="session")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where servers of the session keep their data: in memory where it is roomy, for a database of hundreds of small
    files a test."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOMY:
        with tempfile.TemporaryDirectory(prefix="careline-tests-", dir=MEMORY) as made:
            yield Path(made)
    else:
        yield tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def clusters(server_folder: Path) -> Iterator[Callable[[str], Cluster]]:
    """The session's PostgreSQL servers by kind, each started when first asked for."""
    started: dict[str, Cluster] = {}

    def of(kind: str) -> Cluster:
        if kind not in started:
            server = PrivatePostgres(server_folder / f"postgres-{kind}", bin_dir=POSTGRES[kind], settings=FAST)
            begun(server)
            started[kind] = Cluster(server)
        return started[kind]

    yield of
    for cluster in started.values():
        cluster.server.stop(even_if_used=True)


@pytest.fixture
async def postgres(request: pytest.FixtureRequest, clusters: Callable[[str], Cluster]) -> Cluster:
    """The PostgreSQL server a test runs on."""
    return clusters(request.param)


@pytest.fixture
def bus(request: pytest.FixtureRequest) -> str:
    """The bus a test runs on: `log` or `kafka`."""
    kind: str = request.param
    return kind


@pytest.fixture(scope="session")
def kafka_broker(server_folder: Path) -> Iterator[str]:
    """host:port of a real Kafka, started once."""
    server = PrivateKafka(server_folder / "kafka", short_lived=True)
    try:
        address = begun(server)
    except (ServerNotReady, OSError) as missing:
        if IN_CI:
            raise
        pytest.skip(f"no Kafka: {missing}")
    yield address
    server.stop()


@pytest.fixture
async def database_url(postgres: Cluster) -> AsyncIterator[str]:
    """A fresh, empty database."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    yield await postgres.make(name)
    await postgres.drop(name)


@pytest.fixture
def settings(request: pytest.FixtureRequest, bus: str, tmp_path: Path) -> Settings:
    """Settings of a world: no database yet; on Kafka a topic prefix of its own."""
    prefix = f"t{uuid.uuid4().hex[:8]}"
    url = f"kafka://{request.getfixturevalue('kafka_broker')}/{prefix}" if bus == "kafka" else None
    return Settings(home=tmp_path / "home", bus_url=url, **KEYS)


@asynccontextmanager
async def new_world(
    settings: Settings, postgres: Cluster, bus: str, services: Sequence[Service] = SERVICES
) -> AsyncIterator[World]:
    """A world of some services on a fresh database made from a migrated template."""
    name = f"w_{uuid.uuid4().hex[:12]}"
    url = await postgres.make(name, await postgres.template(settings, services))
    settings = settings.model_copy(update={"database_url": url})
    if settings.on_kafka:
        await make_schemas(settings, services)
    async with running(World(settings, bus, services)) as made:
        yield made
    await postgres.drop(name)


@pytest.fixture
def services(request: pytest.FixtureRequest) -> Sequence[Service]:
    """The services of `world`: those of `@pytest.mark.services(...)` beside the gateway, else all. The fewer, the faster:
    every turn of a world asks each of them. A folder about one service says so in its conftest."""
    return services_of(request, ())


def services_of(request: pytest.FixtureRequest, otherwise: Sequence[str]) -> Sequence[Service]:
    """The services a test names, or these; none is all."""
    marked = request.node.get_closest_marker("services")
    names = marked.args if marked else otherwise
    return named("gateway", *names) if names else SERVICES


@pytest.fixture
async def world(settings: Settings, postgres: Cluster, bus: str, services: Sequence[Service]) -> AsyncIterator[World]:
    """The gateway and `services`."""
    async with new_world(settings, postgres, bus, services) as made:
        yield made


RAN: Counter[str] = Counter()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note on which bus and database a test ran, for the words at the end."""
    report = yield
    if report.when == "call":
        report.ran_on = _ran_on(item)
    return report


def _ran_on(item: pytest.Item) -> list[str]:
    names = getattr(item, "fixturenames", [])
    chosen = getattr(getattr(item, "callspec", None), "params", {})
    ran = []
    if "kafka_broker" in names or chosen.get("bus") == "kafka" or item.get_closest_marker("own_kafka"):
        ran.append("real Kafka")
    elif "world" in names or chosen.get("bus") == "log":
        ran.append("the PostgreSQL log")
    if "postgres" in chosen:
        cluster = item.funcargs.get("postgres")  # type: ignore[attr-defined]
        if isinstance(cluster, Cluster) and cluster.version:
            where = "from the wheel" if chosen["postgres"] == "wheel" else "of this system"
            ran.append(f"PostgreSQL {cluster.version.split()[0]} {where}")
    return ran


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for where in getattr(report, "ran_on", []):
        RAN[f"{where}: {report.outcome}"] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say plainly what ran where."""
    terminalreporter.section("where the tests ran")
    for line, count in sorted(RAN.items()):
        where, outcome = line.rsplit(": ", 1)
        terminalreporter.write_line(f"{where}: {count} {outcome}")
    for missing in ("real Kafka", "the PostgreSQL log"):
        if not any(line.startswith(missing) for line in RAN):
            terminalreporter.write_line(f"{missing}: no test of this run")
