"""Worlds of the gateway and classification alone: their days close faster than everybody's."""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from careline.services import named
from chassis.settings import Settings
from tests.conftest import Cluster, new_world
from tests.world import World

Fresh = Callable[[], AbstractAsyncContextManager[World]]


@pytest.fixture
def fresh_world(settings: Settings, postgres: Cluster, bus: str) -> Fresh:
    """Make as many worlds as wanted, each on a database and in a home (of the audit's witness) of its own."""

    @asynccontextmanager
    async def make() -> AsyncIterator[World]:
        own = settings.model_copy(update={"home": settings.home / uuid.uuid4().hex})
        async with new_world(own, postgres, bus, named("gateway", "classification")) as world:
            yield world

    return make


@pytest.fixture
async def world(fresh_world: Fresh) -> AsyncIterator[World]:
    """One world."""
    async with fresh_world() as made:
        yield made
