"""A run of the allocation from being asked for to being taken back [A2, A6, RE2]."""

from datetime import date, timedelta
from typing import Any

import pytest

from chassis.clock import at
from contracts import broker, classification
from services.relationships.allocations import solve_next
from tests.relationships.conftest import DIRECTOR, ELSEWHERE, HQ, MANAGER, OPENED, SECOND, SYSTEM, Office, opened
from tests.relationships.test_assignments import staff
from tests.world import World

SINCE = at(date(2020, 1, 1), 9)
DAY = timedelta(days=1)
CLIENTS = [f"a-{n}" for n in range(12)]


@pytest.fixture(scope="module", autouse=True)
async def begun(branch: World, office: Office) -> None:
    """Three managers with skills; twelve clients, half of them traders without a manager."""
    managers = [staff(person, seat="client_manager") for person in ("max", "anna", "otto")]
    await branch.publish(*managers, staff("dora", seat="marketing_director"), at=SINCE)
    await branch.publish(*(opened(name, manager_id="max" if n < 6 else None) for n, name in enumerate(CLIENTS)))
    await branch.publish(
        *(
            classification.MonthEvaluated(
                client_id=name, branch_id="B1", month_end=date(2026, 10, 31), revision=1, investor_type="TRADER"
            )
            for name in CLIENTS[6:]
        )
    )
    await branch.settle()
    day = await branch.value("relationships", "SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date")
    given: dict[str, Any] = {
        "skill": "stock_analysis",
        "level": 5,
        "evidence": "first of 90",
        "shown_on": str(day - DAY),
    }
    await office.post(DIRECTOR, "/managers/anna/skills", given | {"kind": "contest"})
    await office.post(DIRECTOR, "/managers/anna/capacity", {"capacity": 4})
    await office.post(DIRECTOR, "/managers/otto/capacity", {"capacity": 0})


async def run(office: Office, scope: str = "pool", **more: Any) -> dict[str, Any]:
    body = {"branch_id": "B1", "scope": scope, "reason": "the quarter's round"} | more
    asked = await office.post(DIRECTOR, "/allocations", body, 202)
    assert asked["state"] == "asked"
    while await solve_next(office.world.database("relationships")):
        pass
    solved: dict[str, Any] = await office.get(DIRECTOR, f"/allocations/{asked['run_id']}")
    assert solved["state"] == "solved"
    return solved


async def lines(office: Office, run_id: str) -> dict[str, tuple[str | None, str | None, str]]:
    found = await office.get(MANAGER, f"/allocations/{run_id}/lines?limit=200")
    return {one["client_id"]: (one["before"], one["after"], one["why"]) for one in found["items"]}


async def owner(office: Office, client_id: str) -> tuple[str, str]:
    found = (await office.get(HQ, f"/clients/{client_id}/team"))["owner"]
    return found["role"], found["person"]


async def test_a_run_is_dry_until_a_second_person_approves_and_taken_back_as_a_whole(office: Office) -> None:
    solved = await run(office)
    result = solved["result"]
    assert (result["clients"], result["moved"], result["ties"], result["ties_kept"]) == (12, 6, 6, 6)
    assert {one["person"]: one["after"] for one in result["managers"]} == {"max": 8, "anna": 4, "otto": 0}
    given = await lines(office, solved["run_id"])
    assert [given[name][:2] for name in CLIENTS[:6]] == [("max", "max")] * 6
    assert sorted(given[name][1] or "" for name in CLIENTS[6:]) == ["anna"] * 4 + ["max"] * 2
    assert await owner(office, "a-6") == ("pool_lead", "dora")
    path = f"/allocations/{solved['run_id']}/approval"
    await office.post(DIRECTOR, path, {"approve": True}, 403)
    await office.post(ELSEWHERE, path, {"approve": True}, 403)
    assert (await office.post(SECOND, path, {"approve": True, "because": "fair"}, 200))["state"] == "applied"
    assert await owner(office, "a-6") == ("primary", given["a-6"][1])
    # Somebody gets another manager meanwhile: the run is taken back around them.
    asked = await office.post(DIRECTOR, "/clients/a-7/manager", {"person": "otto", "reason": "their wish"}, 202)
    await office.post(SECOND, f"/approvals/{asked['approval_id']}/approve", {"because": "yes"}, 200)
    back = await office.post(DIRECTOR, f"/allocations/{solved['run_id']}/rollback", {"reason": "by mistake"}, 200)
    assert back["state"] == "rolled_back"
    assert await owner(office, "a-6") == ("pool_lead", "dora")
    assert await owner(office, "a-7") == ("primary", "otto")
    await office.post(DIRECTOR, f"/allocations/{solved['run_id']}/rollback", {"reason": "again"}, 409)
    history = [one["reason"] for one in await office.get(HQ, "/clients/a-6/assignments")]
    assert history == ["no_manager", "allocation", "no_manager"]


async def test_the_same_inputs_give_the_same_lines_and_sex_is_none_of_them(office: Office) -> None:
    first = await run(office, "all")
    again = await run(office, "all")
    assert first["fingerprint"] == again["fingerprint"]
    for n, name in enumerate(CLIENTS):
        await office.enter(SYSTEM, name, P03="female" if n % 2 else "male")
    third = await run(office, "all")
    assert third["fingerprint"] == first["fingerprint"]
    found = [await lines(office, one["run_id"]) for one in (first, again, third)]
    assert found[0] == found[1] == found[2]
    assert {sex: row["clients"] for sex, row in third["result"]["by_sex"].items()} == {"female": 6, "male": 6}
    # Whom two persons named stays for a year.
    assert found[0]["a-7"] == ("otto", "otto", "pinned")


async def test_who_left_gets_nobody_and_a_run_not_solved_moves_nobody(branch: World, office: Office) -> None:
    asked = await office.post(HQ, "/allocations", {"branch_id": "B1", "reason": "now", "managers": ["anna"]}, 202)
    path = f"/allocations/{asked['run_id']}/approval"
    assert (await office.post(SECOND, path, {"approve": True}, 409))["state"] == "asked"
    await solve_next(branch.database("relationships"))
    given = await lines(office, asked["run_id"])
    assert {after for _, after, _ in given.values()} == {"anna", None}
    day = await branch.value("relationships", "SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date")
    await branch.publish(broker.StaffChanged(staff_id="anna", branch_id="B1", left_on=day), at=at(day - DAY, 9))
    await branch.settle()
    await office.post(SECOND, path, {"approve": True}, 200)
    assert {(await owner(office, name))[1] for name in CLIENTS} == {"max", "otto", "dora"}
    assert (await office.call(ELSEWHERE, "GET", f"/allocations/{asked['run_id']}")).status_code == 404
    assert len((await office.get(HQ, "/allocations"))["items"]) >= 5
    assert (await office.get(ELSEWHERE, "/allocations"))["items"] == []
    refused = await office.post(DIRECTOR, "/allocations", {"branch_id": "B1", "reason": "no"}, 202)
    told = await office.post(
        SECOND, f"/allocations/{refused['run_id']}/approval", {"approve": False, "because": "no"}, 200
    )
    assert told["state"] == "refused"


async def test_a_profile_fades_and_is_ones_own(office: Office) -> None:
    given = {"skill": "patience", "level": 5, "evidence": "a test", "shown_on": str(OPENED - DAY * 10)}
    profile = await office.post(MANAGER, "/managers/max/skills", given | {"kind": "self_assessment"})
    [skill] = profile["skills"]
    assert (skill["skill"], 0 < skill["strength"] < 250) == ("patience", True)
    await office.post(MANAGER, "/managers/max/skills", given | {"kind": "contest"}, 404)
    await office.post(MANAGER, "/managers/otto/skills", given | {"kind": "self_assessment"}, 404)
    assert (await office.call(MANAGER, "GET", "/managers/otto")).status_code == 404
    await office.post(DIRECTOR, "/managers/stranger/skills", given | {"kind": "test"}, 422)
    assert (await office.get(HQ, "/managers/max"))["clients"] >= 6
