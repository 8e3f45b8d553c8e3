"""The points ledger behind the gateway's log, without its neighbours: tiers and answers of products come as events a test
writes."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from chassis.service import Service
from chassis.settings import Settings
from gateway.app import service as gateway
from services.points.app import service as points
from tests.conftest import KEYS, Cluster, new_world, services_of
from tests.points.invariants import broken
from tests.world import World


@pytest.fixture
async def ledger(postgres: Cluster, tmp_path: Path) -> AsyncIterator[World]:
    """A world of gateway and points; at the end of every test the ledger is sound and its seals hold."""
    settings = Settings(home=tmp_path / "home", pool_size=64, **KEYS)
    async with new_world(settings, postgres, "log", (gateway, points)) as world:
        yield world
        assert await broken(world) == []
        await world.seal()
        assert await world.findings() == []


@pytest.fixture
def services(request: pytest.FixtureRequest) -> Sequence[Service]:
    """Points and classification behind the gateway, unless a test names others."""
    return services_of(request, ("points", "classification"))
