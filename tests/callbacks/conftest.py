"""Callbacks behind the gateway's log, without its neighbours: what they tell comes as events a test writes."""

from collections.abc import AsyncIterator

import pytest

from chassis.settings import Settings
from gateway.app import service as gateway
from services.callbacks.app import service as callbacks
from tests.callbacks.desk import Desk
from tests.conftest import Cluster, new_world


@pytest.fixture
async def desk(settings: Settings, postgres: Cluster, bus: str) -> AsyncIterator[Desk]:
    """A world of gateway and callbacks; at the end of every test its seals hold."""
    settings = settings.model_copy(update={"pool_size": 64})
    async with new_world(settings, postgres, bus, (gateway, callbacks)) as world:
        yield Desk(world)
        await world.seal()
        assert await world.findings() == []
