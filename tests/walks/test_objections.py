"""A client who objects to being looked at: every route of every service that shows a client's pages refuses staff, unless a service
asks for it [A16]."""

import re
from typing import Any

import pytest

from chassis.actor import Actor, Role
from chassis.http import permission_of
from chassis.objections import folded, is_triggered
from contracts.broker import ClientOpened, StaffChanged
from contracts.relationships import ObjectionChanged, ObjectionStretch
from tests.relationships.conftest import OPENED, Office
from tests.walks.rest import routes
from tests.world import World

OWN = Actor("app/o-1", Role.CLIENT, client_id="o-1")
LIMITED = (Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ, Role.OPERATIONS)
FILL = {"client_id": "o-1", "day": "2024-03-04", "number": "1", "month": "2024-03"}
PARAMETER = re.compile(r"{(\w+)}")


def somebody(role: Role, purpose: str) -> Actor:
    branch = "B1" if role in (Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER) else None
    return Actor("max" if role is Role.CLIENT_MANAGER else f"some-{role}", role, branch_id=branch, purpose=purpose)


def pages() -> list[tuple[str, str, Any]]:
    """Every GET of every service with a client in its path or asked for by query, each with its permission."""
    found = []
    for service, route in routes():
        if service == "gateway" or "GET" not in (route.methods or ()):
            continue
        names = PARAMETER.findall(route.path)
        asks = {field.alias for field in route.dependant.query_params}
        if "client_id" in names or "client_id" in asks:
            path = PARAMETER.sub(lambda m: FILL.get(m[1], "00000000-0000-0000-0000-000000000001"), route.path)
            path += "" if "client_id" in names else "?client_id=o-1"
            found.append((service, path, permission_of(route.dependant)))
    return found


async def ask(world: World, service: str, actor: Actor, path: str) -> str:
    async with world.client(service, actor) as http:
        answer = await http.get(path)
    return str(answer.json().get("type", "")) if answer.status_code == 403 else ""


async def test_every_read_of_every_service_honours_an_objection(world: World) -> None:
    office = Office(world)
    await world.publish(
        StaffChanged(staff_id="max", branch_id="B1"),
        ClientOpened(
            client_id="o-1", branch_id="B1", opened_on=OPENED, manager_id="max", name="单", phone="13812345678"
        ),
    )
    await world.settle()
    await office.enter(OWN, "o-1", S21="objects")
    await world.settle()
    found, wrong = pages(), []
    for n, (service, path, permission) in enumerate(found):
        roles = [role for role in LIMITED if role in permission.roles]
        for role in roles[n % max(1, len(roles)) :][:1]:  # each route by one of those who may, all in turn
            if "viewing-objected" not in await ask(world, service, somebody(role, "curious"), path):
                wrong.append((service, path, role))
            if "viewing-objected" in await ask(world, service, somebody(role, "task/1"), path):
                wrong.append((service, path, role, "a service asks for it"))
    assert wrong == []
    told = "/v1/relationships/operations/messages?key=o-1"
    assert "viewing-objected" in await ask(world, "relationships", somebody(Role.OPERATIONS, "curious"), told)
    assert await ask(world, "relationships", somebody(Role.COMPLIANCE, "check"), told) == ""
    assert len(found) > 50
    assert len({service for service, *_ in found}) == 8
    # Compliance looks where it must, and the client at what is theirs.
    for actor in (somebody(Role.COMPLIANCE, "check"), OWN):
        assert (await office.call(actor, "GET", "/clients/o-1/information")).status_code == 200
    manager = somebody(Role.CLIENT_MANAGER, "curious")
    printed = await office.call(manager, "GET", "/managers/max/register?format=csv")
    assert "o-1" not in printed.text
    served = await office.call(somebody(Role.CLIENT_MANAGER, "visit/1"), "GET", "/managers/max/register?format=csv")
    assert "o-1" in served.text
    # Staff do not end the client's own objection without evidence; with it, or by the client, it ends.
    for word in ("none", "objects:anna"):
        await office.enter(manager, "o-1", 422, S21=word)
    await office.enter(manager, "o-1", 422, S21="perhaps")
    ended = {"values": [{"code": "CI-S21", "value": "none", "evidence": "REC-7"}]}
    await office.post(manager, "/clients/o-1/information", ended)
    await office.enter(OWN, "o-1", S21="objects:max")
    await world.settle()
    assert (await office.call(manager, "GET", "/clients/o-1/information")).status_code == 403
    head = somebody(Role.BRANCH_MANAGER, "curious")
    for service, path in (
        ("relationships", "/v1/relationships/clients/o-1/team"),
        ("points", "/v1/points/clients/o-1"),
    ):
        assert await ask(world, service, head, path) == ""
        assert "viewing-objected" in await ask(world, service, manager, path)
    await office.enter(OWN, "o-1", S21="none")
    await world.settle()
    assert (await office.call(manager, "GET", "/clients/o-1/information")).status_code == 200


@pytest.mark.parametrize(
    ("stretches", "found"),
    [
        ([(None, True)], (True, [])),
        ([(None, True), (None, False)], (False, [])),
        ([("a", True), ("b", True), ("a", False)], (False, ["b"])),
        ([("a", True), (None, False)], (False, [])),
        ([(None, True), ("a", False)], (True, [])),
    ],
)
def test_stretches_are_folded_in_their_order(stretches, found) -> None:
    from chassis.clock import at

    told = [ObjectionStretch(since=at(OPENED, 9), person=person, objects=objects) for person, objects in stretches]
    event = ObjectionChanged(client_id="c", revision=1, changed_from=OPENED, stretches=told)
    assert folded(event) == found


@pytest.mark.parametrize(
    ("purpose", "triggered"),
    [
        ("task/01890a5d-ac96-774b-bcce-b302099a8057", True), ("console: case/k-1", True), ("console: callback", False),
        ("task/", False), ("other: task/1", False),
    ],
)  # fmt: skip
def test_a_purpose_names_the_service_that_asks_in_the_console_as_well(purpose: str, triggered: bool) -> None:
    assert is_triggered(purpose) is triggered
