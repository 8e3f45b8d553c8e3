"""A small world with sealed rows: three batches of audit rows in one partition of points, and a few elsewhere."""

import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from careline.schema import make_schemas
from chassis.audit import Sealer
from chassis.bus.record import partition_of
from chassis.database import connect
from chassis.settings import Settings
from gateway.app import service as gateway
from services.points.app import service as points
from tests.conftest import Cluster
from tests.world import World, running

KEY = "c-1"
SERVICES = (gateway, points)
SEALED: dict[int, tuple[str, Path]] = {}


async def act(world: World, times: int, key: str = KEY, service: str = "points") -> None:
    """Leave some audit rows, each in a transaction of its own."""
    for n in range(times):
        async with world.database(service).unit_of_work() as uow:
            uow.audit("act", f"thing/{n}", key=key, amount=n)


@pytest.fixture
async def sealed(
    settings: Settings, postgres: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """Three seals of five rows each in the partition of `KEY`, a row unsealed, rows elsewhere; clean when verified."""
    if id(postgres) not in SEALED:
        name, home = f"sealed_{uuid.uuid4().hex[:8]}", tmp_path_factory.mktemp("sealed")
        first = settings.model_copy(update={"database_url": await postgres.make(name), "home": home})
        await make_schemas(first, SERVICES)
        async with running(World(first, "log", SERVICES)) as world:
            await _history(world)
        SEALED[id(postgres)] = name, home
    template, home = SEALED[id(postgres)]
    name = f"a_{uuid.uuid4().hex[:12]}"
    shutil.copytree(home, settings.home)
    settings = settings.model_copy(update={"database_url": await postgres.make(name, template)})
    async with running(World(settings, "log", SERVICES)) as world:
        assert await world.findings() == []
        yield world
    await postgres.drop(name)


async def _history(world: World) -> None:
    for _ in range(3):
        await act(world, 5)
        await world.seal()
    await act(world, 2, "c-2")
    await act(world, 2, service="gateway")
    await world.seal()
    await act(world, 1)


@pytest.fixture
def place(settings: Settings) -> int:
    """The partition of `KEY`."""
    return partition_of(KEY, settings.partitions)


@asynccontextmanager
async def superuser(world: World, schema: str = "points") -> AsyncIterator[asyncpg.Connection]:
    """A connection that may do everything, in a service's schema; what it did is counted when it ends."""
    connection = await connect(world.settings.database_url or "")
    try:
        await connection.execute(f"SET search_path = {schema}")
        yield connection
    finally:
        await connection.close()


def sealer(world: World, service: str = "points") -> Sealer:
    """The sealer of a service's worker."""
    return world.platform.workers[service].sealer
