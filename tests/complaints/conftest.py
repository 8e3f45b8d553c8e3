"""Complaints behind the gateway's log, without neighbours: what callbacks tells comes as events a test writes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from careline.replay.roster import FROM, roster
from chassis.settings import Settings
from chassis.timeline import Timeline, announce
from contracts.broker import StaffChanged
from gateway.app import service as gateway
from services.complaints.app import service as complaints
from tests.complaints.desk import Desk
from tests.conftest import Cluster, new_world

BRANCHES = ("B1", "B2")
MANAGERS = (StaffChanged(staff_id="m-1", branch_id="B1", user="xu"), StaffChanged(staff_id="m-2", branch_id="B1"))


@asynccontextmanager
async def home(settings: Settings, postgres: Cluster, bus: str, timeline: Timeline) -> AsyncIterator[Desk]:
    """A home in which nobody holds a seat yet; at the end of every test its seals hold."""
    async with new_world(settings, postgres, bus, (gateway, complaints)) as world:
        async with world.database("gateway").unit_of_work() as uow:
            announce(uow, timeline, FROM)
        await world.settle()
        yield Desk(world)
        await world.seal()
        assert await world.findings() == []


@pytest.fixture
async def bare(settings: Settings, postgres: Cluster, bus: str) -> AsyncIterator[Desk]:
    """A simulated home in which nobody holds a seat yet."""
    async with home(settings, postgres, bus, Timeline.SIMULATED) as made:
        yield made


@pytest.fixture
async def real(settings: Settings, postgres: Cluster, bus: str) -> AsyncIterator[Desk]:
    """A home of the real time, with the same people as `desk`."""
    async with home(settings, postgres, bus, Timeline.REAL) as made:
        await made.world.publish(*roster(BRANCHES), *MANAGERS, at=FROM)
        await made.world.settle()
        yield made


@pytest.fixture
async def desk(bare: Desk) -> Desk:
    """The same with the complaint groups of two branches, the call centre and the departments."""
    await bare.world.publish(*roster(BRANCHES), *MANAGERS, at=FROM)
    await bare.world.settle()
    return bare
