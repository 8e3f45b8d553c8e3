"""Callbacks behind the gateway's log, without its neighbours: what they tell comes as events a test writes."""

import uuid
from collections.abc import AsyncIterator

import pytest

from careline.schema import make_schemas
from chassis.bus.log import SHARED_SCHEMA, Log
from chassis.database import connect, owner_of
from chassis.settings import Settings
from contracts import classification, complaints, suitability
from gateway.app import service as gateway
from services.callbacks.app import service as callbacks
from tests.callbacks.desk import Desk
from tests.conftest import Cluster
from tests.world import World, running

NEIGHBOURS = (classification.TOPIC, suitability.TOPIC, complaints.TOPIC)


@pytest.fixture
async def desk(settings: Settings, postgres: Cluster, bus: str) -> AsyncIterator[Desk]:
    """A world of gateway and callbacks; at the end of every test its seals hold."""
    name = f"cb_{uuid.uuid4().hex[:12]}"
    settings = settings.model_copy(update={"database_url": await postgres.make(name), "pool_overflow": 60})
    services = (gateway, callbacks)
    await make_schemas(settings, services)
    world = World(settings, bus, services)
    schema = "gateway" if settings.on_kafka else SHARED_SCHEMA
    admin = await connect(settings.database_url or "")
    try:
        await admin.execute(f"SET ROLE {owner_of(schema)}")
        await Log(schema).create_topics(admin, NEIGHBOURS, settings.partitions)
    finally:
        await admin.close()
    async with running(world):
        yield Desk(world)
        await world.seal()
        assert await world.findings() == []
    await postgres.drop(name)
