"""Where a benchmark runs: the servers given by the settings, or a stack of its own, and databases made for each lane."""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import msgspec

from bench.lanes.lane import LaneResult, Task
from bench.trades import PARTITIONS
from careline.schema import make_schemas
from chassis.bus.kafka_topics import KafkaAddress, create_topics
from chassis.servers import stack
from chassis.service import Service
from chassis.settings import Settings

LANE_SECONDS = 240


class Ground:
    """A PostgreSQL server, a Kafka, and a name of this run's own for everything made there."""

    def __init__(self, database_url: str, servers: str) -> None:
        self.database_url = database_url
        self.servers = servers
        self.run = f"bench{uuid4().hex[:8]}"
        self._made: list[str] = []

    def url(self, database: str) -> str:
        """The URL of a database of the same server."""
        return urlunsplit(urlsplit(self.database_url)._replace(path=f"/{database}"))

    def settings(self, database_url: str, prefix: str) -> Settings:
        """Careline's settings for a database and a topic prefix."""
        return Settings(database_url=database_url, bus_url=f"kafka://{self.servers}/{prefix}")

    async def admin(self, *statements: str) -> None:
        """Run statements on the server's own database."""
        connection = await asyncpg.connect(self.database_url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def make(self, name: str, template: str | None = None) -> str:
        """A database of this run, fresh; its URL. What was written before is on disk by then."""
        database = f"{self.run}_{name}"
        of = f" TEMPLATE {self.run}_{template}" if template else ""
        await self.admin(f"CREATE DATABASE {database}{of}", "CHECKPOINT")
        self._made.append(database)
        return self.url(database)

    async def drop(self, name: str) -> None:
        """Remove a database of this run."""
        database = f"{self.run}_{name}"
        await self.admin(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        self._made.remove(database)

    async def clear(self) -> None:
        """Remove every database of this run that is left."""
        for database in list(self._made):
            await self.drop(database.removeprefix(f"{self.run}_"))

    async def make_template(self, name: str, services: Sequence[Service]) -> None:
        """A database with these services' schemas, to make lanes' databases from."""
        await make_schemas(self.settings(await self.make(name), self.run), services)

    async def topics(self, prefix: str, names: Sequence[str]) -> None:
        """Make topics under a prefix."""
        await create_topics(KafkaAddress(self.servers, prefix), names, PARTITIONS)

    async def lane(self, module: str, task: Task) -> LaneResult:
        """Run one lane in a process of its own."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"bench.lanes.{module}", msgspec.json.encode(task).decode(),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            said, _ = await asyncio.wait_for(process.communicate(), LANE_SECONDS)
        except BaseException:
            if process.returncode is None:
                process.kill()
                await process.wait()
            raise
        if process.returncode:
            raise RuntimeError(f"lane {module} ended with {process.returncode}")
        return msgspec.json.decode(said.splitlines()[-1], type=LaneResult)


async def versions(ground: Ground) -> str:
    """What runs, in one line."""
    connection = await asyncpg.connect(ground.database_url)
    try:
        server = await connection.fetchval("SHOW server_version")
    finally:
        await connection.close()
    names = ("aiokafka", "asyncpg", "sqlalchemy", "faststream", "httpx", "msgspec", "uvloop")
    python = sys.version.split()[0]
    return f"Python {python}, PostgreSQL {server}, " + ", ".join(f"{name} {version(name)}" for name in names)


@contextmanager
def ground() -> Iterator[Ground]:
    """The servers that `CARELINE_DATABASE_URL` and `CARELINE_BUS_URL` name; without both a stack in a temporary home."""
    given = Settings()
    if given.database_url and given.bus_url:
        yield Ground(given.owner_url or given.database_url, KafkaAddress.parse(given.bus_url).servers)
        return
    home = Path(tempfile.mkdtemp(prefix="careline-bench-"))
    try:
        settings = stack.up(home)
        postgres, _ = stack.servers(home)  # its superuser, who may write checkpoints and read other backends' times
        yield Ground(postgres.url, KafkaAddress.parse(settings["CARELINE_BUS_URL"]).servers)
    finally:
        stack.down(home)
        shutil.rmtree(home, ignore_errors=True)
