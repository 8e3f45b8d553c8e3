"""Relationships behind the gateway's log, without its neighbours: what they find comes as events a test writes."""

from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Any

import httpx
import pytest

from chassis.actor import Actor, Role
from chassis.settings import Settings
from contracts import broker, callbacks, classification, complaints, products
from contracts.base import Event, Registry
from gateway.app import service as gateway
from services.relationships.app import service as relationships
from tests.conftest import KEYS, Cluster, new_world
from tests.world import World

OPENED = date(2024, 3, 4)
DESK = Actor("desk-1", Role.AGENT, branch_id="B1", purpose="service")
MANAGER = Actor("max", Role.CLIENT_MANAGER, branch_id="B1", purpose="service")
DIRECTOR = Actor("dora", Role.BRANCH_MANAGER, branch_id="B1", purpose="service")
SECOND = Actor("gina", Role.BRANCH_MANAGER, branch_id="B1", purpose="service")
ELSEWHERE = Actor("desk-9", Role.CLIENT_MANAGER, branch_id="B9", purpose="service")
HQ = Actor("hq-1", Role.HQ, purpose="check")
COMPLIANCE = Actor("carla", Role.COMPLIANCE, purpose="check")
SYSTEM = Actor("accounts", Role.SYSTEM)


def client(client_id: str) -> Actor:
    return Actor(f"app/{client_id}", Role.CLIENT, client_id=client_id)


def opened(client_id: str, branch: str = "B1", on: date = OPENED, **more: Any) -> broker.ClientOpened:
    return broker.ClientOpened(client_id=client_id, branch_id=branch, opened_on=on, **more)


async def close(world: World, day: date) -> None:
    """Close a day here: the services it waits for are done with it too."""
    waited = (classification.DayCompleted, callbacks.DayCompleted, complaints.DayCompleted, products.DayCompleted)
    await world.publish(*(kind(business_date=day) for kind in waited))
    await world.close(day)


class Office:
    """Calls the service as somebody; each request carries a fresh Idempotency-Key."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.keys = 0

    async def call(self, actor: Actor, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        self.keys += 1
        async with self.world.client("relationships", actor) as http:
            given = {"idempotency-key": f"k-{self.keys}", **headers}
            return await http.request(method, f"/v1/relationships{path}", json=body, headers=given)

    async def get(self, actor: Actor, path: str) -> Any:
        response = await self.call(actor, "GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, actor: Actor, path: str, body: Any = None, status: int = 201) -> Any:
        response = await self.call(actor, "POST", path, body)
        assert response.status_code == status, response.text
        return response.json()

    async def enter(self, actor: Actor, client_id: str, status: int = 201, **values: str) -> Any:
        body = {"values": [{"code": f"CI-{code}", "value": value} for code, value in values.items()]}
        return await self.post(actor, f"/clients/{client_id}/information", body, status)


@pytest.fixture(scope="module")
async def branch(clusters: Callable[[str], Cluster], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A world of gateway and relationships for a whole module: each test has clients of its own."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), **KEYS)
    async with new_world(settings, clusters("wheel"), "log", (gateway, relationships)) as world:
        yield world
        await world.seal()
        assert await world.findings() == []


@pytest.fixture(scope="module")
def office(branch: World) -> Office:
    return Office(branch)


async def told(world: World, kind: type[Event], key: str) -> list[Any]:
    """What was told of a client under a type, in order."""
    rows = await world.rows(
        "relationships",
        'SELECT value FROM bus.log WHERE type = $1 AND key = $2 ORDER BY "offset"',
        kind.type,
        key,
    )
    return [Registry([kind]).decode(kind.type, row["value"]) for row in rows]
