"""Whoever a finding is about is the person they are: the case it opens is hidden from them under all of their names."""

from datetime import date

import pytest

from chassis.actor import Actor, Role
from chassis.clock import at
from chassis.timeline import Timeline, announce
from contracts.broker import ClientOpened, Seat, StaffChanged
from tests.world import World

DAY = date(2024, 3, 4)
LEADER = Actor("lead", Role.BRANCH_MANAGER, branch_id="B1", purpose="test")
NAMES = ("s-x", "x", "user:x", "oidc:x")


@pytest.mark.parametrize("named", NAMES)
async def test_a_conduct_case_is_hidden_from_whom_it_is_about(world: World, named: str) -> None:
    async with world.database("gateway").unit_of_work() as uow:
        announce(uow, Timeline.REAL, at(DAY, 8))
    about = StaffChanged(staff_id="s-x", user="x", branch_id="B1", seats=(Seat(unit="HQ", seat="compliance"),))
    other = StaffChanged(staff_id="s-y", user="y", branch_id="HQ", seats=(Seat(unit="HQ", seat="compliance"),))
    opened = ClientOpened(client_id="c-1", branch_id="B1", opened_on=DAY)
    await world.publish(about, other, opened, at=at(DAY, 9))
    await world.settle()
    finding = {"client_id": "c-1", "kind": "gifts", "concerned": [named], "notes": "offered a gift"}
    async with world.client("callbacks", LEADER) as http:
        raised = await http.post("/v1/callbacks/findings", json=finding, headers={"idempotency-key": "k"})
        assert raised.status_code == 201, raised.text
        unknown = await http.post(
            "/v1/callbacks/findings", json=finding | {"concerned": ["user:nobody"]}, headers={"idempotency-key": "k2"}
        )
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/concerned/0")
    await world.settle()
    case = await world.value("complaints", "SELECT case_id FROM cases WHERE restricted")
    seen = {}
    for name in (*NAMES, "user:y"):
        async with world.client("complaints", Actor(name, Role.COMPLIANCE, purpose="test")) as http:
            one = (await http.get(f"/v1/complaints/cases/{case}")).status_code
            seen[name] = one, len((await http.get("/v1/complaints/cases")).json()["items"])
    assert seen == dict.fromkeys(NAMES, (404, 0)) | {"user:y": (200, 1)}
