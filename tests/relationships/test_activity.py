"""Visits by their acts, and what a week of activity counts [A13, A31]."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from chassis.clock import at, business_date, utc_now
from contracts import broker, callbacks
from services.relationships import visits
from services.relationships.activity import Done, bounds, points
from services.relationships.policy import Policies
from services.relationships.visits import ACTS, Assessment
from tests.relationships.conftest import DIRECTOR, ELSEWHERE, HQ, MANAGER, OPENED, SECOND, Office, client, opened
from tests.walks.acts import Walk
from tests.world import World

TERMS = Policies.activity.shipped[0].body
POINTS = [point.code for point in TERMS.preparation]
WELL = dict.fromkeys(Assessment.model_fields, "good")


def record(**more) -> dict[str, Any]:
    return {
        "made_at": utc_now().isoformat(),
        "place": "home",
        "content": "talked about bonds",
        "assessment": WELL,
        **more,
    }


def test_two_visits_five_calls_and_a_new_client_are_fifteen() -> None:
    assert points(Done(visits=2, calls=5, new_clients=1), TERMS) == 15
    assert points(Done(unready=3), TERMS) == 0


def test_periods_and_gaps() -> None:
    monday = OPENED
    assert bounds("week", monday + timedelta(days=6)) == (monday, monday + timedelta(days=6))
    assert bounds("month", monday)[1].day == 31
    assert Done(visits=2, calls=5).less(Done(visits=3, calls=1)) == Done(calls=4)


async def visit(office: Office, client_id: str, *steps: tuple[str, Any]) -> Any:
    one = await office.post(MANAGER, f"/clients/{client_id}/visits", {"purpose": "care"})
    for act, body in steps:
        one = await office.post(MANAGER, f"/visits/{one['visit_id']}/{act}", body, 200)
    return one


APPOINT = ("appoint", {"asked_by": "sms", "planned_for": (utc_now() + timedelta(days=2)).isoformat()})
PREPARE = ("prepare", {"points": POINTS})


async def test_a_week_of_evidence_counts_and_a_visit_without_preparation_does_not(
    branch: World, office: Office
) -> None:
    now = utc_now()
    today = business_date(now)
    first, _ = bounds("week", today)
    moment = max(at(first, 0), now - timedelta(hours=5))
    await branch.publish(broker.StaffChanged(staff_id="max", branch_id="B1"))
    await branch.publish(opened("v-1"), opened("v-2", on=today, manager_id="max"))
    await branch.settle()
    calls = [
        callbacks.TaskAttempted(
            task_id=UUID(int=n), client_id="v-1", rule="core", attempt_id=UUID(int=100 + n), agent="max", channel="phone",
            outcome="completed" if n < 5 else "no_answer", valid_contact=n < 5, attempted_at=moment,
        )
        for n in range(6)
    ]  # fmt: skip
    await branch.publish(*calls)
    await branch.settle()
    await office.post(  # the same call as one of those: evidence has it already
        MANAGER, "/clients/v-1/contacts", {"channel": "phone", "direction": "out", "at": moment.isoformat()}
    )
    assert (await visit(office, "v-1", APPOINT, PREPARE, ("record", record())))["counts"] is True
    assert (await visit(office, "v-1", ("record", record(emergency="the terminal broke"))))["counts"] is True
    assert (await visit(office, "v-1", ("record", record())))["counts"] is False
    assert (await visit(office, "v-1", APPOINT, ("record", record())))["counts"] is False
    week = await office.get(MANAGER, "/managers/max/activity?period=week")
    assert week["done"] == {
        "visits": 2, "calls": 5, "on_site": 0, "new_clients": 1, "points": 15, "unready": 2, "self_reported": 0,
    }  # fmt: skip
    assert week["plan"] is None
    plan = {"visits": 3, "calls": 4, "new_clients": 1}
    kept = await office.call(MANAGER, "PUT", f"/managers/max/plans/week/{first}", plan)
    assert (kept.status_code, kept.json()["points"]) == (200, 18)
    week = await office.get(DIRECTOR, "/managers/max/activity?period=week")
    assert week["gap"] == {"visits": 1, "calls": 0, "on_site": 0, "new_clients": 0, "points": 4}
    for path, status in (
        (f"week/{first + timedelta(days=1)}", 422),
        ("week/2024-03-04", 422),
        ("year/2024-01-01", 422),
    ):
        assert (await office.call(MANAGER, "PUT", f"/managers/max/plans/{path}", plan)).status_code == status
    contacts = (await office.get(MANAGER, "/clients/v-1/contacts"))["items"]
    assert sum(one["source"] == "visits" for one in contacts) == 4
    day = await office.call(MANAGER, "PUT", f"/managers/max/days/{today}", {"words": "bonds are asked for"})
    assert day.json()["words"] == "bonds are asked for"
    assert (await office.call(DIRECTOR, "PUT", f"/managers/max/days/{today}", {"words": "x"})).status_code == 422


async def test_everybody_sees_their_own_activity_and_who_leads_them(branch: World, office: Office) -> None:
    await branch.publish(broker.StaffChanged(staff_id="max", branch_id="B1"), opened("v-3"))
    await branch.settle()
    assert (await office.call(ELSEWHERE, "GET", "/managers/max/activity")).status_code == 404
    await office.get(HQ, "/managers/max/activity?period=day")
    await office.get(DIRECTOR, f"/managers/max/days/{OPENED}")
    one = await visit(office, "v-3")
    assert [act["act"] for act in one["acts"] if act["can"]] == ["appoint", "refuse", "record", "cancel"]
    assert (await office.call(ELSEWHERE, "GET", f"/visits/{one['visit_id']}")).status_code == 404
    refused = await office.post(MANAGER, f"/visits/{one['visit_id']}/refuse", {"reason": "no_time"}, 200)
    assert (refused["state"], refused["refused"]) == ("refused", "no_time")
    assert (await office.post(MANAGER, f"/visits/{one['visit_id']}/appoint", APPOINT[1], 200))["state"] == "appointed"
    short = await office.post(MANAGER, f"/visits/{one['visit_id']}/prepare", {"points": POINTS[1:]}, 422)
    assert short["errors"][0]["pointer"] == "/points"
    await office.post(MANAGER, f"/visits/{one['visit_id']}/record", record(assessment={"preparation": "good"}), 422)
    await office.post(SECOND, f"/visits/{one['visit_id']}/cancel", {"reason": "the client is away"}, 200)
    steps = await office.get(MANAGER, f"/visits/{one['visit_id']}/history")
    assert [step["act"] for step in steps] == ["plan", "refuse", "appoint", "cancel"]
    mine = (await office.get(MANAGER, "/managers/max/visits?state=cancelled"))["items"]
    assert [row["visit_id"] for row in mine] == [one["visit_id"]]
    assert one["visit_id"] not in [
        row["visit_id"] for row in (await office.get(HQ, "/managers/max/visits?state=open"))["items"]
    ]
    assert (await office.call(ELSEWHERE, "GET", "/managers/max/visits")).status_code == 404


@pytest.mark.parametrize("sort", ["care"])
async def test_every_act_of_visits_in_every_state_by_everybody(branch: World, sort: str) -> None:
    await branch.publish(opened("v-9"))
    await branch.settle()
    people = {"visitor": MANAGER, "leader": DIRECTOR, "elsewhere": ELSEWHERE, "hq": HQ, "client": client("v-9")}

    async def make(uow, _: str):
        return (await visits.plan(uow, "v-9", "B1", sort)).visit_id

    bodies = {
        "appoint": lambda _: visits.Appointment.model_validate(APPOINT[1]),
        "refuse": lambda _: visits.Refusal(reason="no_need"),
        "prepare": lambda _: visits.Preparation(points=POINTS),
        "record": lambda uow: visits.VisitRecord.model_validate(record(made_at=uow.now.isoformat())),
        "cancel": lambda _: visits.Cancelling(reason="not now"),
    }
    await Walk(branch, "relationships", ACTS, people, make, (sort,), bodies).run()
