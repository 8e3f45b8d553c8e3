"""Messaging behind the gateway's log, one world a module: what its neighbours tell comes as events a test writes."""

import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from chassis.settings import Settings
from gateway.app import service as gateway
from services.messaging.app import service as messaging
from tests.conftest import KEYS, Cluster, new_world
from tests.messaging.desk import Desk


@pytest.fixture(scope="module")
async def desk(clusters: Callable[[str], Cluster]) -> AsyncIterator[Desk]:
    """A world of gateway and messaging for the tests of a module; at its end its seals hold."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), **KEYS)
        async with new_world(settings, clusters("wheel"), "log", (gateway, messaging)) as world:
            made = Desk(world)
            await made.real()
            await made.nothing_kept()
            yield made
            await world.seal()
            assert await world.findings() == []
