"""A client's way through relationships, on both buses: opened, the pool's, given to a manager by a run, known, core, contacted, handed
over when the manager leaves, lost with a reason."""

from datetime import date, timedelta

import pytest

from chassis.actor import Actor, Role
from chassis.clock import at
from contracts import broker, classification
from services.relationships.allocations import solve_next
from tests.relationships.conftest import DESK, DIRECTOR, HQ, MANAGER, SECOND, Office, close, opened
from tests.world import World

pytestmark = [pytest.mark.both_buses, pytest.mark.services("relationships")]
ANNA = Actor("anna", Role.CLIENT_MANAGER, branch_id="B1", purpose="service")
SINCE = at(date(2020, 1, 1), 9)
MONDAY, DAY = date(2024, 3, 4), timedelta(days=1)


def member(person: str, seat: str, left_on: date | None = None) -> broker.StaffChanged:
    seats = (broker.Seat(unit="B1", seat=seat),)
    return broker.StaffChanged(staff_id=person, branch_id="B1", seats=seats, left_on=left_on)


def called(number: str, person: str, day: date) -> broker.ContactRecorded:
    return broker.ContactRecorded(
        contact_id=number,
        client_id="j-1",
        staff_id=person,
        channel="phone",
        direction="out",
        valid=True,
        at=at(day, 10),
    )


async def owner(office: Office) -> tuple[str, str]:
    found = (await office.get(HQ, "/clients/j-1/team"))["owner"]
    return found["role"], found["person"]


async def test_from_the_opening_to_the_reason_of_the_loss(world: World) -> None:
    office = Office(world)
    people = (member("max", "client_manager"), member("anna", "client_manager"), member("dora", "marketing_director"))
    await world.publish(*people, at=SINCE)
    await world.publish(opened("j-1", on=MONDAY))
    await close(world, MONDAY)
    assert await owner(office) == ("pool_lead", "dora")  # nobody is without an owner

    # A run of the allocation gives the client to a manager, once a second person agrees.
    wanted = {"branch_id": "B1", "scope": "pool", "managers": ["max"], "reason": "new clients"}
    run = await office.post(DIRECTOR, "/allocations", wanted, 202)
    while await solve_next(world.database("relationships")):
        pass
    await office.post(SECOND, f"/allocations/{run['run_id']}/approval", {"approve": True}, 200)
    await world.settle()
    assert await owner(office) == ("primary", "max")

    # First contact, and the gaps that the form shows are filled.
    before = await office.get(MANAGER, "/clients/j-1/information")
    await world.publish(called("k-1", "max", MONDAY + DAY))
    await close(world, MONDAY + DAY)
    await office.enter(MANAGER, "j-1", P17="teacher", P32="mornings")
    await office.enter(DESK, "j-1", P08="13800138000")
    after = await office.get(MANAGER, "/clients/j-1/information")
    assert float(after["entered"]) > float(before["entered"])
    assert not {"CI-P17", "CI-P32"} & {gap["code"] for gap in after["gaps"]}
    [rhythm] = await office.get(MANAGER, "/managers/max/cadence")
    assert (rhythm["client_id"], rhythm["too_long"]) == ("j-1", False)

    # Core: more is asked.
    stretch = classification.CoreStretch(since=MONDAY + 2 * DAY, core=True)
    await world.publish(
        classification.CoreChanged(
            client_id="j-1", branch_id="B1", revision=1, changed_from=stretch.since, stretches=[stretch]
        )
    )
    await close(world, MONDAY + 2 * DAY)
    sheet = await office.get(MANAGER, "/clients/j-1/information")
    assert (sheet["set"], sheet["target"]) == ("C", 90)

    # The manager leaves: from 00:00 the client is the pool's, to be offered within a working day; then the first contact is due.
    gone = MONDAY + 3 * DAY
    await world.publish(member("max", "client_manager", left_on=gone), at=at(gone, 8))
    await close(world, gone)
    assert await owner(office) == ("pool_lead", "dora")
    [offer] = await office.get(DIRECTOR, f"/hand-overs?since={MONDAY}&person=dora")
    assert (offer["client_id"], offer["previous"], offer["state"]) == ("j-1", "max", "to_offer")
    named = await office.post(DIRECTOR, "/clients/j-1/manager", {"person": "anna", "reason": "takes over"}, 202)
    await office.post(SECOND, f"/approvals/{named['approval_id']}/approve", {"because": "agreed"}, 200)
    await world.settle()
    assert await owner(office) == ("primary", "anna")
    pack = await office.get(ANNA, "/clients/j-1/hand-over")
    assert {one["person"] for one in pack["owners"]} == {"dora", "max", "anna"}
    assert [one["source"] for one in pack["contacts"]] == ["broker"]
    await world.publish(called("k-2", "anna", gone + DAY))
    await close(world, gone + DAY)
    [handed] = [one for one in await office.get(ANNA, f"/hand-overs?since={MONDAY}") if one["person"] == "anna"]
    assert (handed["core"], handed["contact_at"] is not None, handed["late"]) == (True, True, False)

    # Lost, with the reason in time.
    lost = gone + 4 * DAY
    await world.publish(broker.ClientClosed(client_id="j-1", closed_on=lost))
    await close(world, lost)
    await office.enter(ANNA, "j-1", S22="moved away")
    [found] = await office.get(DIRECTOR, f"/lost?since={lost}&until={lost + 30 * DAY}")
    assert (found["person"], found["reason"], found["late"]) == ("anna", "moved away", False)
    await world.seal()
    assert await world.findings() == []
