"""The desk of the worked example, and who comes to it."""

from collections.abc import AsyncIterator

import pytest

from chassis.actor import Actor, Role
from chassis.settings import Settings
from gateway.app import service as gateway
from tests.chassis.acts.service import DESK
from tests.conftest import Cluster, new_world
from tests.world import World

PEOPLE = {
    "client": Actor("c-1", Role.CLIENT, client_id="c-1"),
    "other client": Actor("c-2", Role.CLIENT, client_id="c-2"),
    "agent": Actor("user:bo", Role.AGENT, branch_id="B1", person="E1"),
    "manager": Actor("user:mei", Role.BRANCH_MANAGER, branch_id="B1", person="E2"),
    "manager elsewhere": Actor("user:lan", Role.BRANCH_MANAGER, branch_id="B2", person="E3"),
    "compliance": Actor("user:hua", Role.COMPLIANCE, person="E4"),
    "about whom it is": Actor("user:qi", Role.BRANCH_MANAGER, branch_id="B1", person="E5"),
    "platform": Actor("careline", Role.SYSTEM),
}


@pytest.fixture
async def desk(settings: Settings, postgres: Cluster, bus: str) -> AsyncIterator[World]:
    """The gateway and the desk."""
    async with new_world(settings, postgres, bus, (gateway, DESK)) as made:
        yield made
