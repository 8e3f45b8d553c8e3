"""Owners of real clients: facts of the broker and of people in any order, in the table that holds one chain [RE1]."""

import json
from datetime import date, timedelta
from itertools import permutations
from typing import Any

import asyncpg
import pytest
from sqlalchemy.exc import IntegrityError

from chassis.clock import at, start_of
from chassis.staff import HQ as HEADQUARTERS
from contracts import broker
from tests.relationships.conftest import (
    DIRECTOR,
    ELSEWHERE,
    HQ,
    MANAGER,
    OPENED,
    SECOND,
    Office,
    client,
    opened,
)
from tests.world import World

DAY = timedelta(days=1)
SINCE = at(date(2020, 1, 1), 9)


def staff(staff_id: str, branch: str = "B1", seat: str = "", **more: Any) -> broker.StaffChanged:
    seats = (broker.Seat(unit=branch, seat=seat),) if seat else ()
    return broker.StaffChanged(staff_id=staff_id, branch_id=branch, user=staff_id, seats=seats, **more)


PEOPLE = [
    staff("max"), staff("anna"), staff("otto"), staff("dora", seat="marketing_director"), staff("gina"),
    staff("chief", HEADQUARTERS, "brokerage"),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
async def people(branch: World) -> None:
    await branch.publish(*PEOPLE, at=SINCE)
    await branch.settle()


async def chain(world: World, client_id: str) -> list[tuple[str, str]]:
    rows = await world.rows("relationships", "SELECT * FROM owners WHERE client_id = $1 ORDER BY since", client_id)
    assert rows[0]["since"] == start_of(OPENED)
    assert [row["until"] for row in rows] == [*(row["since"] for row in rows[1:]), None]
    return [(row["role"], row["person"]) for row in rows]


async def test_any_order_of_facts_leaves_the_same_chain(branch: World) -> None:
    """A client opened, given to others, moved to another branch, their manager gone."""
    left = broker.StaffChanged(staff_id="{}", branch_id="B1", left_on=OPENED + DAY * 20)
    chains = set()
    for n, order in enumerate(permutations(range(4))):
        name, gone = f"o-{n}", f"gone-{n}"
        facts = [
            (opened(name, manager_id="max"), at(OPENED, 12)),
            (broker.ClientUpdated(client_id=name, manager_id=gone), at(OPENED + DAY * 5, 10)),
            (broker.ClientUpdated(client_id=name, branch_id="B2"), at(OPENED + DAY * 30, 10)),
            (broker.StaffChanged(staff_id=gone, branch_id="B1", left_on=left.left_on), at(OPENED, 8)),
        ]
        for place in order:
            fact, when = facts[place]
            await branch.publish(fact, at=when, id=f"o{n}-{place}")
            if n < 6:
                await branch.settle()
        await branch.settle()
        chains.add(str([(role, who.replace(gone, "gone")) for role, who in await chain(branch, name)]))
    assert chains == {
        str([("primary", "max"), ("primary", "gone"), ("pool_lead", "dora"), ("pool_lead", "chief")]),
    }


async def test_the_table_holds_one_chain(branch: World) -> None:
    await branch.publish(opened("t-1", manager_id="max"), opened("t-2"))
    await branch.settle()
    later = start_of(OPENED + DAY * 3)
    insert = (
        "INSERT INTO owners (client_id, since, until, role, person, reason) VALUES ('t-1', $1, $2, 'primary', 'x', 'x')"
    )
    for statement, arguments in (
        (insert, (later, None)),  # a second that lasts
        (insert, (later, later + DAY)),  # one whose end is no beginning
        (insert, (later, later - DAY)),  # one that ends before it begins
        ("DELETE FROM owners WHERE client_id = 't-1'", ()),  # nobody
        ("UPDATE owners SET until = $1 WHERE client_id = 't-1'", (later,)),  # a gap for ever
        ("UPDATE clients SET opened_on = '2024-03-01' WHERE client_id = 't-1'", ()),  # a gap at first
    ):
        with pytest.raises((asyncpg.IntegrityConstraintViolationError, IntegrityError)):
            async with branch.database("relationships").unit_of_work() as uow:
                await uow.sql.execute(statement, *arguments)
    assert await chain(branch, "t-1") == [("primary", "max")]
    assert await chain(branch, "t-2") == [("pool_lead", "dora")]


async def test_a_manager_is_named_by_two_persons_and_a_team_by_one(branch: World, office: Office) -> None:
    await branch.publish(opened("n-1", manager_id="max"))
    await branch.settle()
    asked = await office.post(DIRECTOR, "/clients/n-1/manager", {"person": "anna", "reason": "at their wish"}, 202)
    decision = f"/approvals/{asked['approval_id']}/approve"
    assert (await office.call(DIRECTOR, "POST", decision, {"because": "me"})).status_code == 403
    before = await office.get(MANAGER, "/clients/n-1/team")
    await office.post(SECOND, decision, {"because": "checked"}, 200)
    after = await office.get(MANAGER, "/clients/n-1/team")
    assert (before["owner"]["person"], after["owner"]["person"], after["owner"]["reason"]) == ("max", "anna", "named")
    body = {"role": "secondary", "person": "otto", "reason": "for holidays"}
    team = await office.post(DIRECTOR, "/clients/n-1/team", body)
    assert [(one["role"], one["person"]) for one in team["others"]] == [("secondary", "otto")]
    assert (await office.post(DIRECTOR, "/clients/n-1/team", body | {"begins": False}))["others"] == []
    await office.post(DIRECTOR, "/clients/n-1/team", body | {"begins": False}, 409)
    await office.post(DIRECTOR, "/clients/n-1/team", body | {"person": "stranger"}, 422)
    await office.post(MANAGER, "/clients/n-1/team", body, 403)
    await office.post(ELSEWHERE, "/clients/n-1/manager", {"person": "anna", "reason": "mine"}, 403)
    # The broker's old word again changes nothing; as known before, the client was max's.
    await branch.publish(broker.ClientUpdated(client_id="n-1", manager_id="max"), at=at(OPENED + DAY, 9))
    await branch.settle()
    assert (await office.get(HQ, "/clients/n-1/team"))["owner"]["person"] == "anna"
    then = before["at"].replace("+00:00", "Z")
    assert (await office.get(HQ, f"/clients/n-1/team?known_at={then}"))["owner"]["person"] == "max"
    assert (await office.get(HQ, f"/clients/n-1/team?as_of={OPENED}"))["owner"]["person"] == "max"
    assert (await office.call(HQ, "GET", f"/clients/n-1/team?as_of={OPENED - DAY}")).status_code == 404
    assert [one["person"] for one in await office.get(client("n-1"), "/clients/n-1/assignments")] == [
        "max",
        "anna",
        "otto",
    ]
    told = [
        json.loads(row["value"])
        for row in await branch.rows(
            "relationships",
            "SELECT value FROM bus.log WHERE type = 'relationships.assignment.changed' AND key = 'n-1' ORDER BY \"offset\"",
        )
    ]
    assert [one["revision"] for one in told] == [1, 2, 3, 4]
    assert [one["person"] for one in told[1]["stretches"]] == ["max", "anna"]


async def test_owner_and_team_read_what_is_personal_and_a_manager_their_own_clients(
    branch: World, office: Office
) -> None:
    await branch.publish(
        opened("p-1", manager_id="max", phone="13812345678"), opened("p-2", branch="B4", manager_id="zoe")
    )
    await branch.settle()
    read = await office.get(MANAGER, "/clients/p-1/information/personal")
    assert (read["in_full"], read["values"]) == (True, {"CI-P08": "13812345678"})
    assert not (await office.get(DIRECTOR, "/clients/p-1/information/personal"))["in_full"]
    mine = await office.get(MANAGER, "/managers/max/clients")
    assert "p-1" in [one["client_id"] for one in mine]
    assert (await office.call(MANAGER, "GET", "/managers/anna/clients")).status_code == 404
    assert [one["client_id"] for one in await office.get(HQ, "/managers/zoe/clients")] == ["p-2"]
    assert await office.get(DIRECTOR, "/managers/zoe/clients") == []
    figures = {row["branch_id"]: row for row in await office.get(HQ, "/owners")}
    assert all(row["without"] == 0 and row["clients"] == row["managed"] + row["pooled"] for row in figures.values())
    assert (figures["B4"]["managed"], figures["B4"]["managers"]) == (1, 1)
    information = await office.get(MANAGER, f"/clients/p-1/information?as_of={OPENED}")
    assert next(one["value"] for one in information["indicators"] if one["code"] == "CI-S01") == "max"


async def test_the_export_says_who_owns_whom_at_the_end_of_a_day(branch: World) -> None:
    from services.relationships.exports import assignments

    await branch.publish(opened("e-1", manager_id="max"))
    await branch.publish(broker.ClientUpdated(client_id="e-1", manager_id="anna"), at=at(OPENED + DAY, 9))
    await branch.settle()
    async with branch.sql("relationships") as sql:
        found = {
            day: [row async for row in assignments(sql, day) if row[0] == "e-1"] for day in (OPENED, OPENED + DAY, None)
        }
        before = [row async for row in assignments(sql, OPENED - DAY)]
    assert [row[2] for rows in found.values() for row in rows] == ["max", "anna", "anna"]
    assert before == []
