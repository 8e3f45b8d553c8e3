"""A browser without scripts, signed in to the console of a whole platform."""

import httpx
import pytest

from chassis.actor import Role
from gateway.people import make_sign_in_link
from tests.gateway.conftest import BASE, app, bearer, event, http, opened, own, trade
from tests.world import World

__all__ = ["app", "bearer", "http", "own"]


@pytest.fixture
async def browser(world: World, http: httpx.AsyncClient, bearer) -> httpx.AsyncClient:
    events = [event("broker.client.opened", opened()), event("broker.trade.settled", trade(), 2)]
    media = {"content-type": "application/cloudevents-batch+json"}
    await http.post("/v1/events", json=events, headers=bearer(Role.SYSTEM) | media)
    await world.settle()
    link = await make_sign_in_link(world.database("gateway"), BASE)
    signed_in = await http.get(link)
    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/")
    return http
