"""Every route of every service x every role x own and other objects."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from careline.asgi import apps_of
from careline.services import SERVICES
from chassis.actor import Role
from chassis.http import permission_of, routes_of
from chassis.http.changes import SAFE
from chassis.http.idempotency import Route
from chassis.http.permissions import Permission
from chassis.http.work import work
from tests.gateway.conftest import event, opened, trade
from tests.world import World

pytestmark = pytest.mark.services()

OPEN = {"/livez", "/readyz", "/metrics", "/openapi.json"}
BRANCH_STAFF = (Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER)
VALUES = {"client_id": "7c", "entry": "00000000-0000-0000-0000-000000000000"}


@pytest.fixture
def apps(world: World) -> dict[str, FastAPI]:
    return {name: app for name, app in apps_of(world.platform).items() if isinstance(app, FastAPI)}


def _routes(apps: dict[str, FastAPI]) -> Iterator[tuple[str, str, Permission | None, list[str]]]:
    for app in apps.values():
        for route in routes_of(app):
            if route.path and route.path not in OPEN:
                for method in sorted((route.methods or set()) - {"HEAD"}):
                    yield method, route.path, permission_of(route.dependant), list(route.param_convertors)


def _filled(path: str, names: list[str]) -> str:
    return path.format(**{name: VALUES.get(name, "1") for name in names})


def test_every_route_of_every_service_names_its_permission(apps: dict[str, FastAPI]) -> None:
    assert set(apps) == {service.name for service in SERVICES} - {"gateway"}
    assert [f"{method} {path}" for method, path, permission, _ in _routes(apps) if permission is None] == []


def test_every_route_that_changes_something_leaves_a_row(app: FastAPI, apps: dict[str, FastAPI]) -> None:
    """Its work is the request's own, which leaves a row by itself where the route names none; or it is one of these,
    which open works of their own and put each on record."""
    found = {
        f"{method} {route.path}"
        for one in (app, *apps.values())
        for route in routes_of(one)
        for method in (route.methods or set()) - SAFE
        if not (isinstance(route.original_route, Route) and _has_work(route.dependant))
        if not route.endpoint.__module__.startswith("gateway.console.")  # the service a form is sent to leaves the row
    }
    assert {one for one in found if "/operations/" not in one} == {
        "POST /v1/suitability/decisions",  # a row of the sealed decisions each
        "POST /v1/client-keys",  # for services
        "POST /v1/messaging/templates/{kind}/preview",  # fills a template with what is given, of nobody
        "POST /v1/relationships/information/score",  # works out what is given, of nobody
    }  # fmt: skip


def _has_work(dependant: Any) -> bool:
    return any(one.call is work or _has_work(one) for one in dependant.dependencies)


async def test_every_route_refuses_every_role_it_does_not_name(
    apps: dict[str, FastAPI], http: httpx.AsyncClient, bearer
) -> None:
    wrong = []
    for method, path, permission, names in _routes(apps):
        assert permission is not None
        for role in set(Role) - permission.roles:
            headers = bearer(role, client_id="7c", branch_id="B7") | {"idempotency-key": "k"}
            answer = await http.request(method, _filled(path, names), headers=headers)
            if answer.status_code != 403:
                wrong.append((method, path, role, answer.status_code))
    assert wrong == []


async def test_nobody_sees_or_changes_another_clients_or_branchs_objects(
    world: World, apps: dict[str, FastAPI], http: httpx.AsyncClient, bearer
) -> None:
    events = [event("broker.client.opened", opened()), event("broker.trade.settled", trade(), 2)]
    media = {"content-type": "application/cloudevents-batch+json"}
    assert (await http.post("/v1/events", json=events, headers=bearer(Role.SYSTEM) | media)).status_code == 202
    await world.settle()
    others: list[tuple[Role, dict[str, Any]]] = [(Role.CLIENT, {"client_id": "8c"})]
    others += [(role, {"branch_id": "B8"}) for role in BRANCH_STAFF]
    seen = []
    for method, path, permission, names in _routes(apps):
        if "client_id" not in names or permission is None:
            continue
        for role, place in others:
            if role in permission.roles:
                headers = bearer(role, **place) | {"idempotency-key": f"{method}{path}{role}"}
                answer = await http.request(method, _filled(path, names), headers=headers, json={})
                if answer.status_code < 400 or answer.status_code >= 500:
                    seen.append((method, path, role, answer.status_code, answer.text[:200]))
    assert seen == []


async def test_own_objects_are_seen(world: World, http: httpx.AsyncClient, bearer) -> None:
    events = [event("broker.client.opened", opened()), event("broker.trade.settled", trade(), 2)]
    media = {"content-type": "application/cloudevents-batch+json"}
    await http.post("/v1/events", json=events, headers=bearer(Role.SYSTEM) | media)
    await world.settle()
    for role, place in ((Role.CLIENT, {"client_id": "7c"}), (Role.AGENT, {"branch_id": "B7"}), (Role.HQ, {})):
        for path in ("/v1/classification/clients/7c", "/v1/points/clients/7c", "/v1/points/clients/7c/entries"):
            assert (await http.get(path, headers=bearer(role, **place))).status_code == 200, (role, path)
