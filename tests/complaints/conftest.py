"""Complaints behind the gateway's log, without neighbours: what callbacks tells comes as events a test writes."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from careline.replay.roster import FROM, roster
from careline.schema import make_schemas
from chassis.bus.log import SHARED_SCHEMA, Log
from chassis.database import connect, owner_of
from chassis.settings import Settings
from chassis.timeline import Timeline, announce
from contracts import callbacks, classification
from contracts.broker import StaffChanged
from gateway.app import service as gateway
from services.complaints.app import service as complaints
from tests.complaints.desk import Desk
from tests.conftest import Cluster
from tests.world import World, running

SERVICES = (gateway, complaints)
BRANCHES = ("B1", "B2")
MANAGERS = (StaffChanged(staff_id="m-1", branch_id="B1", user="xu"), StaffChanged(staff_id="m-2", branch_id="B1"))
TEMPLATES: dict[tuple[int, bool], str] = {}


@asynccontextmanager
async def home(settings: Settings, postgres: Cluster, bus: str, timeline: Timeline) -> AsyncIterator[Desk]:
    """A home in which nobody holds a seat yet; at the end of every test its seals hold."""
    which = (id(postgres), settings.on_kafka)
    if which not in TEMPLATES:
        TEMPLATES[which] = f"complaints_{'kafka' if settings.on_kafka else 'log'}"
        url = await postgres.make(TEMPLATES[which])
        await make_schemas(settings.model_copy(update={"database_url": url}), SERVICES)
    name = f"co_{uuid.uuid4().hex[:12]}"
    settings = settings.model_copy(update={"database_url": await postgres.make(name, TEMPLATES[which])})
    if settings.on_kafka:
        await make_schemas(settings, SERVICES)
    schema = "gateway" if settings.on_kafka else SHARED_SCHEMA
    admin = await connect(settings.database_url or "")
    try:
        await admin.execute(f"SET ROLE {owner_of(schema)}")
        await Log(schema).create_topics(admin, (callbacks.TOPIC, classification.TOPIC), settings.partitions)
    finally:
        await admin.close()
    async with running(World(settings, bus, SERVICES)) as world:
        async with world.database("gateway").unit_of_work() as uow:
            announce(uow, timeline, FROM)
        await world.settle()
        yield Desk(world)
        await world.seal()
        assert await world.findings() == []
    await postgres.drop(name)


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
