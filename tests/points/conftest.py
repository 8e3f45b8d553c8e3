"""The points ledger behind the gateway's log, without its neighbours: tiers and answers of products come as events a test
writes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chassis.bus.log import SHARED_SCHEMA, Log
from chassis.database import connect, owner_of
from chassis.settings import Settings
from contracts import products
from gateway.app import service as gateway
from services.points.app import service as points
from tests.conftest import KEYS, Cluster
from tests.points.invariants import broken
from tests.world import World, running


@pytest.fixture
async def ledger(postgres: Cluster, tmp_path: Path) -> AsyncIterator[World]:
    """A world of gateway and points; at the end of every test the ledger is sound and its seals hold."""
    settings = Settings(home=tmp_path / "home", **KEYS)
    name = f"p_{tmp_path.name.lower()[:40].replace('-', '_').replace('[', '_').replace(']', '_')}"
    url = await postgres.make(name, await postgres.template(settings))
    settings = settings.model_copy(update={"database_url": url, "pool_overflow": 60})
    admin = await connect(url)
    try:
        await admin.execute(f"SET ROLE {owner_of(SHARED_SCHEMA)}")
        await Log(SHARED_SCHEMA).create_topics(admin, (products.TOPIC,), settings.partitions)
    finally:
        await admin.close()
    async with running(World(settings, "log", (gateway, points))) as world:
        yield world
        assert await broken(world) == []
        await world.seal()
        assert await world.findings() == []
    await postgres.drop(name)
