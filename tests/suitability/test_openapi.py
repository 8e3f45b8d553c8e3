"""Whatever is sent, the service answers in its own words: never a 5xx; every route names a permission that holds."""

import itertools
from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from chassis.actor import Actor, Role
from chassis.http import mint, permission_of, routes_of, service_app
from chassis.http.app import openapi_of
from chassis.http.identity import HEADER
from services.suitability.app import service
from tests.suitability.conftest import LOW, Desk, client, opened
from tests.world import World

EXAMPLES = 3
ROLES = {
    Role.CLIENT: client("c-1"),
    Role.AGENT: Actor("a", Role.AGENT, branch_id="B1", purpose="x"),
    Role.CLIENT_MANAGER: Actor("m", Role.CLIENT_MANAGER, branch_id="B1", purpose="x"),
    Role.BRANCH_MANAGER: Actor("b", Role.BRANCH_MANAGER, branch_id="B1", purpose="x"),
    Role.HQ: Actor("h", Role.HQ, purpose="x"),
    Role.COMPLIANCE: Actor("c", Role.COMPLIANCE, purpose="x"),
    Role.OPERATIONS: Actor("o", Role.OPERATIONS, purpose="x"),
    Role.SYSTEM: Actor("s", Role.SYSTEM),
}


async def test_every_route_refuses_the_roles_it_does_not_name(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"))
    await world.settle()
    worker = world.platform.workers["suitability"]
    app = service_app(service, worker.database, world.settings, worker)
    seen = 0
    for route in routes_of(app):
        if not route.path.startswith("/v1/suitability"):
            continue
        permission = permission_of(route.dependant)
        assert permission is not None, route.path
        path = route.path.removeprefix("/v1/suitability").replace("{client_id}", "c-1").replace("{version}", "1")
        path = "/".join("x" if part.startswith("{") else part for part in path.split("/"))
        for method, (role, actor) in itertools.product(sorted(route.methods or ()), ROLES.items()):
            if role not in permission.roles:
                assert (await desk.call(actor, method, path, {})).status_code == 403, (method, path, role)
                seen += 1
    assert seen > 100


@pytest.mark.parametrize("role", [Role.CLIENT, Role.HQ, Role.COMPLIANCE])
async def test_no_5xx_from_anything_that_fits_or_breaks_the_schema(world: World, desk: Desk, role: Role) -> None:
    """Schemathesis over the service's OpenAPI, cases made by the schema and against it."""
    await world.publish(opened("c-1"))
    await world.settle()
    await desk.submit("c-1", LOW)
    await desk.decide(client("c-1"), "c-1", "X")
    worker = world.platform.workers["suitability"]
    app = service_app(service, worker.database, world.settings, worker)
    schema = schemathesis.openapi.from_dict(openapi_of(app))
    headers = {HEADER: mint(ROLES[role], world.settings), "idempotency-key": "fuzz"}
    cases = []

    for operation in schema.get_all_operations():
        api = operation.ok()
        if not api.path.startswith("/v1/suitability"):
            continue

        @settings(max_examples=EXAMPLES, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
        def collect(case: schemathesis.Case) -> None:
            cases.append(case)

        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            with suppress(Unsatisfiable):  # where nothing can break the schema
                given(case=api.as_strategy(generation_mode=mode))(collect)()
    async with world.client("suitability", ROLES[role]) as http:
        for number, case in enumerate(cases):
            request = case.as_transport_kwargs(base_url="http://suitability")
            sent = {**(request.get("headers") or {}), **headers, "idempotency-key": f"fuzz-{number}"}
            response = await http.request(
                request["method"],
                request["url"],
                params=request.get("params"),
                json=request.get("json"),
                content=request.get("data"),
                headers={name: value for name, value in sent.items() if value.isascii()},
            )
            assert response.status_code < 500, (request, response.text)
            if response.status_code >= 400:
                assert response.headers["content-type"] == "application/problem+json"
