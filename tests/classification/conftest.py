"""A world for each example of a property test."""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from chassis.settings import Settings
from tests.conftest import Cluster
from tests.world import World, running


@pytest.fixture
def fresh_world(settings: Settings, postgres: Cluster, bus: str) -> Callable[[], AbstractAsyncContextManager[World]]:
    """Make as many worlds as wanted, each on a database of its own."""

    @asynccontextmanager
    async def make() -> AsyncIterator[World]:
        name = f"w_{uuid.uuid4().hex[:12]}"
        url = await postgres.make(name, await postgres.template(settings))
        async with running(World(settings.model_copy(update={"database_url": url}), bus)) as world:
            yield world
        await postgres.drop(name)

    return make
