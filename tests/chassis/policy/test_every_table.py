"""Every table of every service: its own type is the check, one set of routes publishes it, in every process from its day."""

from collections.abc import AsyncIterator, Iterator
from copy import deepcopy
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from careline.services import SERVICES
from chassis.actor import Actor, Role
from chassis.policy import PolicyInvalid, PolicyTable
from chassis.service import Service
from chassis.timeline import today
from tests.world import World, running

TABLES = [(service, table) for service in SERVICES if service.policy for table in service.policy.tables.values()]
NAMES = [f"{service.name}/{table.name}" for service, table in TABLES]
MAKER, CHECKER = Actor("mia", Role.HQ, purpose="test"), Actor("max", Role.HQ, purpose="test")
COMPLIANCE = Actor("compliance-1", Role.COMPLIANCE, purpose="check")


def written(table: PolicyTable[Any]) -> dict[str, Any]:
    return deepcopy(dict(table.shipped[-1].written))


def places(body: Any, pointer: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a body, the whole of it left out."""
    if pointer:
        yield pointer
    if isinstance(body, dict):
        for key in body:
            yield from places(body[key], (*pointer, key))
    elif isinstance(body, list):
        for index in range(len(body)):
            yield from places(body[index], (*pointer, index))


def changed(body: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    *parents, last = place
    body = deepcopy(body)
    found: Any = body
    for step in parents:
        found = found[step]
    found[last] = value
    return body


def refusal(table: PolicyTable[Any], body: dict[str, Any]) -> list[str] | None:
    """The pointers with which a body is refused; None when it is taken."""
    try:
        table.parse(body)
    except PolicyInvalid as refused:
        return [error.pointer for error in refused.errors]
    return None


@pytest.mark.parametrize(("service", "table"), TABLES, ids=NAMES)
def test_a_wrong_type_anywhere_is_refused_with_a_pointer(service: Service, table: PolicyTable[Any]) -> None:
    body = written(table)
    table.parse(deepcopy(body))
    for place in places(body):
        for value in ({"colour": [None]}, [["x"], {}], float("inf"), None):
            if (pointers := refusal(table, changed(body, place, value))) is None:
                assert value is None, f"{place} takes {value!r}"  # what may be left out may be null
            else:
                assert pointers, (place, value)
                assert all(pointer.startswith("/body") for pointer in pointers)


@pytest.mark.parametrize(("service", "table"), TABLES, ids=NAMES)
def test_an_unknown_key_is_refused_with_a_pointer(service: Service, table: PolicyTable[Any]) -> None:
    with pytest.raises(PolicyInvalid) as refused:
        table.parse(written(table) | {"colour": "red"})
    assert [error.pointer for error in refused.value.errors] == ["/body/colour"]


@pytest.fixture
async def two(world: World) -> AsyncIterator[tuple[World, World]]:
    """Two platforms on one database: what one publishes the other has never been told."""
    async with running(World(world.settings, world.bus)) as other:
        yield world, other


async def post(world: World, service: str, actor: Actor, path: str, body: Any, status: int) -> Any:
    async with world.client(service, actor, idempotency_key=uuid4().hex) as http:
        answer = await http.post(f"/v1/{service}/policies{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def get(world: World, service: str, path: str, **query: Any) -> Any:
    async with world.client(service, MAKER) as http:
        answer = await http.get(f"/v1/{service}/policies{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_every_table_is_published_by_two_persons_and_counts_in_every_process(two: tuple[World, World]) -> None:
    here, there = two
    for service, table in TABLES:
        assert service.policy is not None
        name = service.name
        async with there.sql(name) as sql:
            day = await today(sql) + timedelta(days=1)
            assert (await service.policy.read(sql)).versions[table.name].on(
                day
            ) is not None  # read before it is published
        draft = {"effective_on": str(day), "body": written(table), "reason": "as it was, from tomorrow on"}
        made = await post(here, name, MAKER, f"/{table.name}", draft, 201)
        path = f"/{table.name}/{made['version']}"
        await post(here, name, MAKER, f"{path}/publication", {}, 403)
        if table.by_compliance:
            await post(here, name, CHECKER, f"{path}/publication", {}, 403)
        await post(here, name, COMPLIANCE if table.by_compliance else CHECKER, f"{path}/publication", {}, 200)
        await post(here, name, CHECKER, f"/{table.name}", draft | {"reason": "another of that day"}, 409)
        assert (await get(here, name, f"{path}/difference"))["changes"] == []
        async with there.sql(name) as sql:
            versions = (await service.policy.read(sql)).versions[table.name]
        assert versions.on(day).name == f"{table.prefix}/{made['version']}"
        assert versions.on(day - timedelta(days=1)) == table.shipped[-1]
        assert (await get(there, name, f"/{table.name}/in-force", on=str(day)))["version"] == versions.on(day).name
        if table.by_compliance:
            await post(here, name, CHECKER, f"{path}/withdrawal", {"reason": "not after all"}, 403)
        by = COMPLIANCE if table.by_compliance else CHECKER
        await post(here, name, by, f"{path}/withdrawal", {"reason": "not after all"}, 200)
        async with there.sql(name) as sql:
            assert (await service.policy.read(sql)).versions[table.name].on(day) == table.shipped[-1]


async def test_what_is_proposed_waits_in_the_list_of_approvals(world: World) -> None:
    draft = {"effective_on": str(date(2098, 1, 1)), "body": {"large": "600000"}, "reason": "inflation"}
    made = await post(world, "callbacks", MAKER, "/flows", draft, 201)
    async with world.client("callbacks", CHECKER) as http:
        [waiting] = (await http.get("/v1/callbacks/approvals")).json()["items"]
    assert (waiting["kind"], waiting["object"]) == ("policy", f"policy/flows/{made['version']}")
    assert (waiting["before"]["body"], waiting["after"]["body"]) == ({"large": "500000"}, {"large": "600000"})
    changes = (await get(world, "callbacks", f"/flows/{made['version']}/difference"))["changes"]
    assert changes == [{"pointer": "/large", "before": "500000", "after": "600000"}]
    wrong = await post(world, "callbacks", MAKER, "/flows", draft | {"body": {"large": "1_000", "small": 1}}, 422)
    assert wrong["errors"][0]["pointer"] in ("/body/large", "/body/small")
