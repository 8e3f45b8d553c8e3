"""Worlds of the gateway and classification alone: their days close faster than everybody's."""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from careline.schema import make_schemas
from careline.services import SERVICES, named
from chassis.settings import Settings
from tests.conftest import Cluster
from tests.world import World, running

Fresh = Callable[[], AbstractAsyncContextManager[World]]


@pytest.fixture
def fresh_world(settings: Settings, postgres: Cluster, bus: str) -> Fresh:
    """Make as many worlds as wanted, each on a database and in a home (of the audit's witness) of its own."""

    @asynccontextmanager
    async def make() -> AsyncIterator[World]:
        name = f"w_{uuid.uuid4().hex[:12]}"
        url = await postgres.make(name, await postgres.template(settings))
        own = settings.model_copy(update={"database_url": url, "home": settings.home / name})
        if own.on_kafka:
            await make_schemas(own, SERVICES)
        async with running(World(own, bus, named("gateway", "classification"))) as world:
            yield world
        await postgres.drop(name)

    return make


@pytest.fixture
async def world(fresh_world: Fresh) -> AsyncIterator[World]:
    """One world."""
    async with fresh_world() as made:
        yield made
