"""Products behind the gateway's log, without its neighbours: tiers, decisions and redemptions come as events a test writes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chassis.settings import Settings
from gateway.app import service as gateway
from services.products.app import service as products
from tests.conftest import KEYS, Cluster, new_world
from tests.world import World


@pytest.fixture
async def shop(postgres: Cluster, tmp_path: Path) -> AsyncIterator[World]:
    """A world of gateway and products; at the end its seals hold."""
    settings = Settings(home=tmp_path / "home", pool_size=64, **KEYS)
    async with new_world(settings, postgres, "log", (gateway, products)) as world:
        yield world
        await world.seal()
        assert await world.findings() == []
