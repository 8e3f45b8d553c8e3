"""A simulated home with the gateway and the service of clocks."""

from collections.abc import AsyncIterator

import httpx
import pytest

from chassis.actor import Actor
from chassis.settings import Settings
from chassis.timeline import Timeline
from gateway.app import service as gateway
from tests.chassis.clocks_kept.service import CASES
from tests.chassis.deadlines.conftest import decided
from tests.chassis.staff.conftest import at_the_gateway
from tests.conftest import Cluster, new_world
from tests.world import World

SERVICES = (gateway, CASES)


@pytest.fixture
async def cases(settings: Settings, postgres: Cluster, bus: str) -> AsyncIterator[World]:
    """The services in a simulated home."""
    async with new_world(settings, postgres, bus, SERVICES) as made:
        yield await decided(made, Timeline.SIMULATED)


def as_(world: World, actor: Actor) -> httpx.AsyncClient:
    """The gateway's calendar and staff routes as somebody."""
    return at_the_gateway(world, actor)
