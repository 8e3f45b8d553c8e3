"""A world of the gateway and the small service of time."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from chassis.clock import utc_now
from chassis.settings import Settings
from chassis.timeline import Timeline, announce
from gateway.app import service as gateway
from tests.chassis.deadlines.service import TIMED
from tests.conftest import Cluster, new_world
from tests.world import World

SERVICES = (gateway, TIMED)


@pytest.fixture
async def timed(settings: Settings, postgres: Cluster, bus: str) -> AsyncIterator[World]:
    """The two services; nobody has said yet whose time it is."""
    async with new_world(settings, postgres, bus, SERVICES) as made:
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
