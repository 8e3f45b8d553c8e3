"""Journeys on both buses: from a fact to proof, each as B21 and its neighbours say it."""

from datetime import date, timedelta

import pytest

from chassis.actor import Actor, Role
from chassis.clock import at
from contracts import broker
from services.callbacks.exports import callbacks
from tests.callbacks.desk import (
    AWAKE,
    COMPLIANCE,
    CONDUCT,
    FIRST,
    LEADER,
    TRAINED,
    Desk,
    agent,
    ten,
)

pytestmark = pytest.mark.both_buses
MONDAY = date(2022, 7, 4)
ANNA, BEN = agent("anna"), agent("ben")


async def exported(desk: Desk, as_of: date | None = None) -> list[tuple[str, ...]]:
    async with desk.world.sql("callbacks") as sql:
        return [row[1:] async for row in callbacks(sql, as_of)]


async def test_a_new_client_is_trained_within_the_month(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", MONDAY, manager_id="mia", opener_id="otto")
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    assert await exported(desk) == [("c-1", "new", "new_client", "branch", "B1", "2022-07-04", "2022-08-04", "planned")]

    # Avoidance [B10]: opener and manager are passed over, and told why.
    for excluded, word in (("otto", "opened the account"), ("mia", "is the client's manager")):
        nothing = await desk.next(agent(excluded))
        assert nothing["tasks"] == []
        [reason] = nothing["passed_over"][0]["reasons"]
        assert word in reason["en"]
        assert reason["zh-CN"].startswith(excluded)

    given = await desk.next(ANNA)
    [task] = given["tasks"]
    assert [reason["en"] for reason in given["why"]][:2] == ["priority 3, 1 is the most urgent", "due on 2022-08-04"]
    refused = await desk.call(ANNA, task, "completed", ten(MONDAY), TRAINED, 422, evidence=False)
    assert refused["type"] == "/problems/evidence-missing"
    missing = await desk.call(ANNA, task, "completed", ten(MONDAY), {"identity": "yes"}, 422)
    assert {error["pointer"] for error in missing["errors"]} >= {"/answers/risk", "/answers/operated"}
    done = await desk.call(ANNA, task, "completed", ten(MONDAY), TRAINED)
    assert done["tasks"][0]["state"] == "completed"

    assert [row[-1] for row in await exported(desk)] == ["completed"]
    path = "/coverage/new-clients?opened_from=2022-07-01&opened_to=2022-07-31"
    numbers = await desk.ask(LEADER, "GET", path, status=200)
    assert numbers == [{"branch_id": "B1", "opened": 1, "trained": 1, "breached": 0, "open": 0}]
    [told] = await desk.told("callbacks.task.completed")
    assert (told["client_id"], told["rule"], told["outcome"]) == ("c-1", "new", "completed")
    explained = await desk.ask(LEADER, "GET", f"/tasks/{task['task_id']}/explain", status=200)
    assert [step["to_state"] for step in explained["history"]] == ["planned", "assigned", "completed"]


async def test_what_nobody_does_expires_on_its_day_and_stays_a_breach(desk: Desk) -> None:
    await desk.close(date(2022, 1, 30))
    await desk.open("c-1", date(2022, 1, 31))
    await desk.close_through(date(2022, 1, 31), date(2022, 2, 27))
    assert [row[-2:] for row in await exported(desk)] == [("2022-02-28", "planned")]
    await desk.close(date(2022, 2, 28))
    assert [row[-1] for row in await exported(desk)] == ["expired"]
    assert [row[-1] for row in await exported(desk, date(2022, 2, 27))] == ["planned"]
    [task] = await desk.tasks()
    problem = await desk.ask(ANNA, "POST", f"/tasks/{task['task_id']}/claim", status=409)
    assert (problem["state"], problem["following"]) == ("expired", [])


async def test_abnormal_funds_are_asked_about_and_suspected_laundering_is_compliances_alone(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", date(2022, 5, 2))
    await desk.group("c-1", "ABNORMAL", MONDAY, MONDAY + timedelta(days=30))
    await desk.close_through(FIRST + timedelta(days=1), MONDAY - timedelta(days=1))
    alert = broker.SurveillanceAlerted(client_id="c-1", alert_id="a-1", kind="laundering", at=ten(MONDAY))
    await desk.world.publish(alert)
    await desk.close(MONDAY)
    abnormal, laundering = await desk.tasks()
    assert (abnormal["rule"], abnormal["created_on"], abnormal["due_on"]) == ("abnormal", MONDAY, date(2022, 7, 6))
    assert (laundering["queue"], laundering["restricted"]) == ("compliance", True)

    given = await desk.next(ANNA)
    assert [task["rule"] for task in given["tasks"]] == ["abnormal"]
    # No tipping off [B6]: not in lists, not by its id, for whoever calls.
    listed = await desk.ask(ANNA, "GET", "/clients/c-1/tasks", status=200)
    assert [task["rule"] for task in listed["items"]] == ["abnormal"]
    await desk.ask(LEADER, "GET", f"/tasks/{laundering['task_id']}", status=404)
    await desk.ask(ANNA, "POST", f"/tasks/{laundering['task_id']}/claim", status=404)
    taken = await desk.next(COMPLIANCE)
    assert [task["rule"] for task in taken["tasks"]] == ["suspected_laundering"]
    # It is an internal review: no call, no survey, no letter; its result completes it and is no contact with the client.
    refused = await desk.call(COMPLIANCE, laundering, "no_answer", ten(MONDAY), status=422)
    assert refused["errors"][0]["detail"].startswith("an internal review")
    await desk.call(COMPLIANCE, laundering, "completed", ten(MONDAY), {"result": "nothing found"}, channel="internal")
    [attempt] = await desk.world.rows("callbacks", "SELECT outcome, valid FROM attempts")
    assert (attempt["outcome"], attempt["valid"]) == ("completed", False)
    script = await desk.ask(ANNA, "GET", f"/tasks/{abnormal['task_id']}/script", status=200)
    said = " ".join((*script["words"].values(), *(w for q in script["questions"] for w in q["words"].values()))).lower()
    assert not any(word.lower() in said for word in script["never_say"])


async def test_a_dormant_client_nobody_reaches_gets_a_survey_and_then_a_letter(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", date(2021, 5, 2), phone="13800000000")
    await desk.open("c-2", date(2021, 5, 2))
    for client in ("c-1", "c-2"):
        await desk.group(client, "DORMANT", MONDAY)
    day = MONDAY
    await desk.close_through(FIRST + timedelta(days=1), day)
    # Four attempts on three days, in two parts of the day [B20]; the policy says when the next one may be.
    tried: dict[str, list[str]] = {"c-1": [], "c-2": []}
    when = ten(MONDAY)
    for attempt in range(4):
        for client in ("c-1", "c-2"):
            [task] = await desk.tasks(f"client_id = '{client}'")
            await desk.ask(ANNA, "POST", f"/tasks/{task['task_id']}/claim", status=200)
            await desk.call(ANNA, task, "no_answer", when, evidence=False)
            [task] = await desk.tasks(f"client_id = '{client}'")
            tried[client].append(task["state"])
        if attempt < 3:
            when = task["not_before"]
            following = when.astimezone(at(day, 0).tzinfo).date()
            await desk.close_through(day + timedelta(days=1), following) if following > day else None
            day = max(day, following)
    assert tried["c-1"] == ["planned", "planned", "planned", "exhausted"]
    [first, second] = await desk.tasks()
    assert (first["channel"], second["channel"]) == ("e_survey", "e_survey")
    surveys = await desk.world.rows("callbacks", "SELECT client_id FROM requests WHERE kind = 'e_survey'")
    assert [row["client_id"] for row in surveys] == ["c-1"]

    client = Actor("c-1", Role.CLIENT, client_id="c-1")
    await desk.ask(client, "POST", f"/tasks/{second['task_id']}/survey", {"answers": AWAKE}, 404)
    await desk.ask(client, "POST", f"/tasks/{first['task_id']}/survey", {"answers": AWAKE}, 201)
    await desk.close_through(day + timedelta(days=1), day + timedelta(days=18))
    [first, second] = await desk.tasks()
    assert (first["state"], first["outcome"]) == ("completed", "survey_answered")
    assert (second["state"], second["channel"]) == ("exhausted", "letter")


async def test_an_answer_that_shows_misconduct_reaches_compliance_and_not_the_manager(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", MONDAY, manager_id="mia")
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    [task] = (await desk.next(ANNA))["tasks"]
    await desk.call(ANNA, task, "completed", ten(MONDAY), {**TRAINED, "operated": "yes"})
    [told] = await desk.told("callbacks.finding.raised")
    assert (told["kind"], told["concerned"], told["client_id"]) == ("staff_operated_account", ["mia"], "c-1")
    # The answers themselves wait for a review, which whoever they concern does not see either.
    assert len(await desk.ask(LEADER, "GET", "/reviews", status=200)) == 1
    assert await desk.ask(agent("mia", role=Role.BRANCH_MANAGER), "GET", "/reviews", status=200) == []
    found = await desk.ask(COMPLIANCE, "GET", "/findings", status=200)
    assert [finding["kind"] for finding in found] == ["staff_operated_account"]
    for role in (Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.AGENT, Role.HQ):
        await desk.ask(agent("mia", role=role), "GET", "/findings", status=403)
    concerned = Actor("mia", Role.COMPLIANCE, purpose="test")
    assert await desk.ask(concerned, "GET", "/findings", status=200) == []


async def test_a_leavers_clients_are_asked_by_the_centre(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", date(2021, 5, 2), manager_id="mia")
    await desk.open("c-2", date(2021, 5, 2), manager_id="noah")
    left = broker.StaffChanged(staff_id="mia", branch_id="B1", left_on=MONDAY)
    await desk.world.publish(left, at=ten(MONDAY))
    await desk.world.publish(left, at=ten(MONDAY) + timedelta(hours=1))
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    [task] = await desk.tasks()
    assert (task["client_id"], task["rule"], task["queue"], task["due_on"]) == (
        "c-1", "manager_left", "centre", date(2022, 8, 4),
    )  # fmt: skip
    # Hidden from the leaver, and from whoever was the client's manager before [B5, B10].
    await desk.ask(agent("mia", None), "POST", f"/tasks/{task['task_id']}/claim", status=403)
    centre = agent("HQ-CS-1", None)
    [given] = (await desk.next(centre))["tasks"]
    done = await desk.call(centre, given, "completed", ten(MONDAY), CONDUCT)
    assert done["tasks"][0]["state"] == "completed"


async def test_the_ten_percent_draw_can_be_repeated_and_its_calls_fill_the_ledger(desk: Desk) -> None:
    await desk.close(FIRST)
    for number in range(30):
        await desk.world.publish(
            broker.ClientOpened(client_id=f"c-{number:02}", branch_id="B1", opened_on=date(2021, 5, 2))
        )
    # Out of the base [B4]: dormant at 31 December, closed before it, opened this year.
    await desk.world.publish(
        broker.ClientOpened(client_id="d-1", branch_id="B1", opened_on=date(2020, 5, 2), account_status="dormant"),
        broker.ClientOpened(client_id="d-2", branch_id="B1", opened_on=date(2020, 5, 2)),
        broker.ClientClosed(client_id="d-2", closed_on=date(2021, 12, 31)),
        broker.ClientOpened(client_id="d-3", branch_id="B1", opened_on=date(2022, 1, 1)),
    )
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    before = await desk.ask(LEADER, "GET", f"/coverage?as_of={MONDAY}", status=200)
    assert [(b["branch_id"], b["counted"], b["covered"], b["needed"]) for b in before] == [
        ("", 30, 0, 3), ("B1", 30, 0, 3),
    ]  # fmt: skip
    assert before[1]["left_out"] == {"opened_this_year": 1, "closed_before": 1, "dormant_or_suspended": 1}

    draw = await desk.ask(
        COMPLIANCE, "POST", "/coverage/draws", {"as_of": str(MONDAY), "seed": "lottery 2022-07-04"}, 201
    )
    assert draw["strata"]["B1/other"] == {"counted": 30, "covered": 0, "candidates": 30, "drawn": 5}
    drawn = await desk.tasks("rule = 'sample'")
    assert len(drawn) == 5

    centre = agent("HQ-CS-1", None)
    for task in drawn[:3]:
        await desk.ask(centre, "POST", f"/tasks/{task['task_id']}/claim", status=200)
        await desk.call(centre, task, "completed", ten(MONDAY), CONDUCT)
    after = await desk.ask(LEADER, "GET", f"/coverage?as_of={MONDAY}", status=200)
    assert (after[1]["covered"], after[1]["percent"], after[1]["reached"]) == (3, "10.00", True)
    await desk.ask(LEADER, "POST", "/coverage/draws", {"as_of": str(MONDAY)}, 403)  # headquarters draw, no branch
    await desk.ask(agent("eve", "B2", Role.BRANCH_MANAGER), "GET", f"/coverage/clients/d-1?as_of={MONDAY}", status=404)
    line = await desk.ask(LEADER, "GET", f"/coverage/clients/{drawn[0]['client_id']}?as_of={MONDAY}", status=200)
    assert line["standing"] == "counts"
    assert line["evidence_id"]
    assert line["covered_on"] == str(MONDAY)
    earlier = await desk.ask(LEADER, "GET", "/coverage?as_of=2022-07-03", status=200)
    assert earlier[1]["covered"] == 0
