"""Complaints and callbacks in one platform: what one tells, the other does, and back again [A33, C11]."""

from datetime import timedelta

import pytest

from careline.replay.roster import FROM, roster
from chassis.actor import Actor, Role
from chassis.clock import business_date
from chassis.timeline import Timeline, announce
from contracts import complaints
from tests.callbacks.desk import IDENTITY
from tests.callbacks.desk import Desk as CallDesk
from tests.complaints.desk import CENTRE, COMPLIANCE, DIRECTOR, FEEDBACK, OFFICER, Desk, march
from tests.world import World

CALLER = Actor("HQ-CS-5", Role.AGENT, branch_id="HQ", purpose="test", seats=frozenset({("HQ", "call_centre")}))
pytestmark = pytest.mark.services("complaints", "callbacks")
RATED = {**IDENTITY, "time": "5", "feedback": "4", "result": "2", "accepted": "yes"}


@pytest.mark.both_buses
async def test_a_complaint_is_asked_about_and_reopened_by_its_answer(world: World) -> None:
    """Feedback makes a task of the centre; the branch gets none; a 2 reopens; the second answer closes; a grumble twice
    makes a care call."""
    async with world.database("gateway").unit_of_work() as uow:
        announce(uow, Timeline.SIMULATED, FROM)
    await world.publish(*roster(["B1"]), at=FROM)
    await world.settle()
    desk, calls = Desk(world), CallDesk(world)
    case = await desk.open()
    await desk.ordered(case)
    await desk.act(OFFICER, case, "feedback", march(26, 16), **FEEDBACK)
    await world.settle()
    [task] = await calls.tasks()
    assert (task["rule"], task["queue"], task["subject"], task["due_on"].isoformat()) == (
        "satisfaction", "centre", case["case_id"], "2009-03-27",
    )  # fmt: skip
    assert (await calls.next(OFFICER))["tasks"] == []  # the branch cannot record it

    await calls.ask(CALLER, "POST", f"/tasks/{task['task_id']}/claim", status=200)
    await calls.call(CALLER, task, "completed", march(27, 10), RATED)
    await world.settle()
    row = await desk.case(case)
    assert (row["state"], row["generation"], row["level"]) == ("reopened", 2, 1)
    await desk.act(COMPLIANCE, case, "ticket", march(27, 11), 201)
    await desk.act(OFFICER, case, "feedback", march(27, 12), **FEEDBACK)
    await world.settle()
    [again] = await calls.tasks("state = 'planned'")
    await calls.ask(CALLER, "POST", f"/tasks/{again['task_id']}/claim", status=200)
    said = {"result": "4", "opinions": "网点应延长营业时间，电话 13912345678"}
    await calls.call(CALLER, again, "completed", march(30, 10), RATED | said)
    await world.settle()
    assert (await desk.case(case))["outcome"] == "satisfied"
    [suggestion] = (await desk.get(CENTRE, f"/cases/{case['case_id']}/details"))["suggestions"]  # C12: passed back
    assert "营业时间" in suggestion["words"]
    assert "13912345678" not in suggestion["words"]
    answered = [what for what in await desk.what(case) if what == "satisfaction recorded"]
    assert len(answered) == 2

    for day in (26, 27):
        grumble = {"client_id": "c-li", "mood": "angry", "words": "还是太慢", "at": march(day).isoformat()}
        await desk.call(DIRECTOR, "POST", "/pre-complaints", grumble)
    await world.settle()
    [care] = await calls.tasks("rule = 'grumble'")
    assert (care["queue"], care["branch_id"], care["due_on"].isoformat()) == ("branch", "B1", "2009-03-31")
    assert (await desk.items(CENTRE, "/queue")) == []


@pytest.mark.services
async def test_nobody_reached_means_a_survey_about_this_case_and_no_breach_of_the_first_call(world: World) -> None:
    """C11: the limit is for the first call; tries on different days follow, then the survey, whose time closes the case."""
    async with world.database("gateway").unit_of_work() as uow:
        announce(uow, Timeline.SIMULATED, FROM)
    await world.publish(*roster(["B1"]), at=FROM)
    await world.settle()
    desk, calls = Desk(world), CallDesk(world)
    await world.close(march(25).date())
    case = await desk.open()
    await desk.ordered(case)
    await desk.act(OFFICER, case, "feedback", march(26, 16), **FEEDBACK)
    await world.settle()
    day, when = march(26).date(), march(26, 17)
    await world.close(day)
    for _ in range(4):
        [task] = await calls.tasks()
        await calls.ask(CALLER, "POST", f"/tasks/{task['task_id']}/claim", status=200)
        await calls.call(CALLER, task, "no_answer", when, evidence=False)
        [task] = await calls.tasks()
        if task["state"] == "exhausted":
            break
        when = task["not_before"]
        while day < business_date(when):
            day += timedelta(days=1)
            await world.close(day)
    assert (task["state"], task["channel"]) == ("exhausted", "e_survey")
    assert len({row["on_day"] for row in await world.rows("callbacks", "SELECT on_day FROM attempts")}) >= 3
    await world.settle()
    assert (await desk.case(case))["state"] == "satisfaction_call"
    while (await desk.case(case))["state"] == "satisfaction_call":
        day += timedelta(days=1)
        assert day < business_date(when) + timedelta(days=20)
        await world.close(day)
    row = await desk.case(case)
    assert row["outcome"] == "no_answer"
    breached = await desk.told(complaints.CaseBreached, case)
    assert [one for one in breached if "satisfaction_call" in one] == []
