"""Schemathesis over every service and the gateway: cases made by the published schema and against it. Never a 5xx, and every
answer is one the document names: status, kind of content, and shape.

A few cases an operation in `make test`; `make fuzz CASES=10000` makes that many a service.
"""

import os
from collections import Counter
from contextlib import suppress
from typing import Any

import httpx
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from careline.asgi import apps_of, client_parts
from careline.services import SERVICES
from chassis.actor import Actor, Role
from chassis.http import mint, openapi_of
from chassis.http.identity import HEADER
from gateway.app import gateway_app
from gateway.settings import GatewaySettings
from gateway.tokens import issue_token
from tests.classification.facts import opened
from tests.conftest import IN_CI
from tests.world import World

ALL = [service.name for service in SERVICES]
CASES = int(os.environ.get("CASES", "200" if IN_CI else "0"))
"""Cases a service; 0: one of each mode an operation."""
ACTORS = (
    Actor("c-1", Role.CLIENT, client_id="c-1"),
    Actor("head", Role.BRANCH_MANAGER, branch_id="B1", purpose="fuzz"),
    Actor("hq", Role.HQ, purpose="fuzz"),
    Actor("compliance", Role.COMPLIANCE, purpose="fuzz"),
)
STREAMED = {"/v1/messaging/clients/{client_id}/mailbox/stream"}


def cases_of(document: dict[str, Any], wanted: int) -> list[schemathesis.Case]:
    """Cases of every operation, by its schema and against it."""
    found: list[schemathesis.Case] = []
    operations = [one.ok() for one in schemathesis.openapi.from_dict(document).get_all_operations()]
    each = max(1, -(-wanted // (2 * len(operations))))
    for operation in operations:
        if operation.path in STREAMED:
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @settings(
                max_examples=each, database=None, derandomize=True, phases=[Phase.generate], deadline=None,
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            def collect(case: schemathesis.Case) -> None:
                found.append(case)

            with suppress(Unsatisfiable):  # where nothing can break the schema
                given(case=operation.as_strategy(generation_mode=mode))(collect)()
    return found


def flaw_of(document: dict[str, Any], case: schemathesis.Case, answer: httpx.Response) -> str:
    """What an answer is that the document does not name; empty when it is as documented."""
    if answer.status_code >= 500:
        return f"{answer.status_code}: {answer.text[:200]}"
    said = document["paths"][case.operation.path][case.method.lower()]["responses"].get(str(answer.status_code))
    if said is None:
        return f"{answer.status_code} is not documented: {answer.text[:200]}"
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if not answer.content:
        return ""
    if kind not in said.get("content", {}):
        return f"{answer.status_code} is {kind or 'nothing'}, documented is {', '.join(said.get('content', {})) or 'nothing'}"
    if kind.endswith("json") and (schema := said["content"][kind].get("schema")):
        validator = jsonschema_rs.validator_for(schema | {"components": document["components"]})
        if wrong := next(validator.iter_errors(answer.json()), None):
            return f"{answer.status_code}: {wrong.message[:200]} at {list(wrong.instance_path)}"
    return ""


async def send(http: httpx.AsyncClient, case: schemathesis.Case, given: dict[str, str]) -> httpx.Response | None:
    request = case.as_transport_kwargs(base_url="http://fuzz")
    sent = {name: value for name, value in (request.get("headers") or {}).items() if isinstance(value, str)} | given
    sent = {name: value for name, value in sent.items() if name.isascii() and value.isascii() and value.isprintable()}
    return await http.request(
        request["method"], request["url"], params=request.get("params"), json=request.get("json"),
        content=request.get("data") if isinstance(request.get("data"), bytes | str) else None, headers=sent,
    )  # fmt: skip


@pytest.mark.parametrize("service", ALL)
async def test_every_answer_is_as_documented(world: World, service: str) -> None:
    await world.publish(opened("c-1"))
    await world.settle()
    apps = apps_of(world.platform)
    if service == "gateway":
        app = gateway_app(
            world.settings, world.database("gateway"), apps, own=GatewaySettings(), client_parts=client_parts()
        )
    else:
        app = apps[service]
    document = openapi_of(app)
    flaws: Counter[str] = Counter()
    cases = cases_of(document, CASES)
    for number, case in enumerate(cases):
        actor = ACTORS[number % len(ACTORS)]
        given = {"idempotency-key": f"fuzz-{number}"}
        if service == "gateway":
            rest = {"client_id": actor.client_id} if actor.client_id else {"branch_id": actor.branch_id}
            given["authorization"] = f"Bearer {issue_token(world.settings, actor.role, **rest)}"
        else:
            given[HEADER] = mint(actor, world.settings)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://fuzz") as http:
            try:
                answer = await send(http, case, given)
            except httpx.InvalidURL:
                continue
        if answer is not None and (flaw := flaw_of(document, case, answer)):
            flaws[f"{case.method} {case.operation.path} {flaw}"] += 1
    assert len(cases) > 20
    assert flaws == {}
