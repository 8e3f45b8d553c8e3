"""A browser without scripts, signed in to the console of a whole platform."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from chassis.actor import Role
from gateway.people import make_sign_in_link
from tests.conftest import Cluster
from tests.console.office import Office, office_of
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


@pytest.fixture(scope="module")
async def office(clusters: Callable[[str], Cluster], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    """One office for a module's tests."""
    async with office_of(clusters, tmp_path_factory.mktemp("office")) as made:
        yield made
