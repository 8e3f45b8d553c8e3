"""A world of the gateway and the small service of time."""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from careline.schema import make_schemas
from chassis.clock import utc_now
from chassis.service import Service
from chassis.settings import Settings
from chassis.timeline import Timeline, announce
from gateway.app import service as gateway
from tests.chassis.deadlines.service import TIMED
from tests.conftest import Cluster
from tests.world import World, running

SERVICES = (gateway, TIMED)


TEMPLATES: dict[tuple[int, str], str] = {}


@asynccontextmanager
async def world_of(
    services: Sequence[Service], name: str, settings: Settings, postgres: Cluster, bus: str
) -> AsyncIterator[World]:
    """A world of some services on a fresh database, made from a template that is migrated once."""
    template = f"{name}_{'kafka' if settings.on_kafka else 'log'}"
    if (id(postgres), template) not in TEMPLATES:
        url = await postgres.make(template)
        await make_schemas(settings.model_copy(update={"database_url": url}), services)
        TEMPLATES[id(postgres), template] = template
    database = f"t_{uuid.uuid4().hex[:12]}"
    settings = settings.model_copy(update={"database_url": await postgres.make(database, template)})
    if settings.on_kafka:
        await make_schemas(settings, services)
    async with running(World(settings, bus, services)) as made:
        yield made
    await postgres.drop(database)


@pytest.fixture
async def timed(settings: Settings, postgres: Cluster, bus: str) -> AsyncIterator[World]:
    """The two services; nobody has said yet whose time it is."""
    async with world_of(SERVICES, "timed", settings, postgres, bus) as made:
        yield made


@pytest.fixture
async def real(timed: World) -> World:
    """A real home."""
    return await decided(timed, Timeline.REAL)


@pytest.fixture
async def simulated(timed: World) -> World:
    """A simulated home."""
    return await decided(timed, Timeline.SIMULATED)


async def decided(world: World, timeline: Timeline) -> World:
    """Say whose time it is, as the gateway and the replay do."""
    async with world.database("gateway").unit_of_work() as uow:
        announce(uow, timeline, utc_now() - timedelta(days=1))
    await world.settle()
    return world
