"""Journeys: on site, a promise nobody gave, a major case, a regulator after a refusal, a reopened case."""

from datetime import UTC, date
from uuid import uuid4

import pytest

from chassis.clock import end_of
from contracts import callbacks, complaints
from tests.complaints.desk import CENTRE, COMPLIANCE, DIRECTOR, FEEDBACK, OFFICER, Desk, march


@pytest.mark.both_buses
async def test_on_site_the_branch_registers_and_answers_itself(desk: Desk) -> None:
    """C3 (c): no order is owed; the flow is fixed at intake."""
    case = await desk.open(OFFICER, channel="on_site", branch_id=None)
    assert (case["flow"], case["branch_id"], case["owner"], case["dispatch_due"]) == (
        "on_site",
        "B1",
        "B1-officer",
        None,
    )
    await desk.act(OFFICER, case, "acceptance", march(26, 10, 5))
    await desk.act(OFFICER, case, "investigation", march(26, 10, 10))
    await desk.act(OFFICER, case, "feedback", march(26, 16), **FEEDBACK)
    await desk.answer(case, march(27), {"time": 4, "feedback": 4, "result": 3}, True)
    assert (await desk.case(case))["state"] == "closed"
    await desk.close(31)
    assert await desk.told(complaints.CaseBreached) == []


@pytest.mark.both_buses
async def test_without_result_or_promise_the_ladder_is_climbed_once_and_in_order(desk: Desk) -> None:
    """C6, C22: 75 % of the day, 100 %, then each step an hour after one that nobody acknowledged."""
    case = await desk.open()
    await desk.ordered(case)
    await desk.close(26)
    steps = [what for what in await desk.what(case) if what.startswith("escalated")]
    assert steps == ["escalated: warning", "escalated: due"]
    rows = await desk.world.rows(
        "complaints", 'SELECT step, "to", at FROM notices WHERE clock = $1 ORDER BY id', "result"
    )
    # Working time from 10:00 to 17:30 is 6.5 hours; three quarters of it are used at 15:52:30.
    assert {(row["step"], row["to"]) for row in rows if row["at"] == march(26, 15, 52).replace(second=30)} == {
        ("warning", "HQ-CS-1"),
        ("warning", "B1-officer"),
    }
    assert {row["to"] for row in rows if row["at"] == march(26, 17, 30)} == {"B1-marketing", "B1-operations"}
    assert len(await desk.told(complaints.CaseBreached, case)) == 1

    # Nobody at the branch answers: the next step comes an hour of working time later, on Friday at 10:00.
    await desk.close(27)
    fired = await desk.world.rows("complaints", "SELECT step, fired_at FROM clock_steps ORDER BY number")
    assert [(row["step"], row["fired_at"]) for row in fired][2:4] == [
        ("general_manager", march(27, 10)),
        ("centre", march(27, 11)),
    ]
    assert fired[4]["fired_at"] == march(27, 12)
    await desk.close(31)
    assert len(await desk.world.rows("complaints", "SELECT FROM clock_steps")) == 5
    shown = await desk.items(DIRECTOR, "/escalations")
    assert [one["step"] for one in shown] == ["general_manager"]
    await desk.act(DIRECTOR, case, "escalations/result/general_manager/acknowledgement", march(31))
    assert await desk.items(DIRECTOR, "/escalations") == []
    await desk.act(OFFICER, case, "escalations/result/general_manager/acknowledgement", march(31), 404)


@pytest.mark.both_buses
async def test_a_promise_may_be_moved_once(desk: Desk) -> None:
    """C6: a promise stops the day's clock and starts its own; missing it escalates."""
    case = await desk.open()
    await desk.ordered(case)
    await desk.act(CENTRE, case, "promise", march(26, 15), due=march(27, 12).isoformat())
    await desk.act(CENTRE, case, "promise", march(26, 16), 422, due=march(30, 12).isoformat())
    await desk.act(CENTRE, case, "promise", march(26, 16), due=march(30, 12).isoformat(), reason="出差")
    await desk.act(OFFICER, case, "promise", march(26, 17), 403, due=march(31, 12).isoformat(), reason="再次")
    await desk.close(29)
    assert await desk.told(complaints.CaseBreached) == []
    await desk.close(30)
    (told,) = await desk.told(complaints.CaseBreached, case)
    assert "result/2009-03-30T04:00:00" in told


@pytest.mark.both_buses
async def test_a_major_case_is_reported_at_once(desk: Desk) -> None:
    """C7: three departments are told at intake; all have to acknowledge within 30 minutes of natural time."""
    case = await desk.open(allegations=["代客操作"], at=march(28, 22))  # a Saturday night
    assert (case["severity"], case["due_on"]) == ("major", "2009-04-02")
    notices = await desk.world.rows("complaints", 'SELECT "to" FROM notices ORDER BY id')
    assert [row["to"] for row in notices] == ["HQ-operations", "HQ-risk", "HQ-compliance"]
    for name in ("HQ-operations", "HQ-risk"):
        actor = type(CENTRE)(name, CENTRE.role)
        await desk.act(actor, case, "escalations/report/major/acknowledgement", march(28, 22, 5))
    await desk.close(28)
    (told,) = [one for one in await desk.told(complaints.CaseBreached, case) if "report" in one]
    assert f"report/{march(28, 22, 30).isoformat()}" in told
    other = await desk.open(claim="500000", at=march(29, 9))
    assert other["severity"] == "major"
    for name in ("HQ-operations", "HQ-risk", "HQ-compliance"):
        actor = type(CENTRE)(name, CENTRE.role)
        await desk.act(actor, other, "escalations/report/major/acknowledgement", march(29, 9, 29))
    await desk.close(29)
    assert [one for one in await desk.told(complaints.CaseBreached, other) if "report" in one] == []
    await desk.act(CENTRE, other, "downgrade", march(29, 10), 202, reason="核实后金额有误")
    await desk.agree(CENTRE, other, "case.downgrade", 403)
    await desk.agree(COMPLIANCE, other, "case.downgrade")
    assert (await desk.case(other))["severity"] == "ordinary"


async def test_five_complainants_on_one_matter_make_it_major(desk: Desk) -> None:
    """C7: the fifth within ten days."""
    severities = [
        (await desk.open(client_id=f"c-{n}", product="fund-1", at=march(10 + n)))["severity"] for n in range(5)
    ]
    assert severities == ["ordinary"] * 4 + ["major"]


@pytest.mark.both_buses
async def test_a_regulator_case_after_a_refused_one_finds_it_by_itself(desk: Desk) -> None:
    """C14: refused, then the regulator asks about the same client and matter: accountability opens by itself."""
    first = await desk.open(at=march(2))
    await desk.act(CENTRE, first, "rejection", march(2, 11), reason="不属于受理范围", further="12386，证券调解")
    letter = {
        "source": "regulator", "channel": "regulator_transfer", "regulator_ref": "京证监2009-7",
        "reply_due_on": "2009-03-31",
    }  # fmt: skip
    case = await desk.open(at=march(26), **letter)
    assert (case["severity"], case["due_on"], case["external_ref"]) == ("major", "2009-03-31", "京证监2009-7")
    again = await desk.open(at=march(26), status=200, **letter)
    assert again["case_id"] == case["case_id"]  # the same letter twice is one case
    details = await desk.get(COMPLIANCE, f"/cases/{case['case_id']}/details")
    assert [(link["other_id"], link["relation"]) for link in details["links"]] == [(first["case_id"], "refused_before")]
    (opened,) = (await desk.get(COMPLIANCE, f"/cases/{first['case_id']}/details"))["accountability"]
    assert (opened["cause"], opened["against"]) == ("refused_before", ["B1-director", "HQ-CS-1"])
    (clock,) = await desk.world.rows(
        "complaints", "SELECT due FROM clocks WHERE clock = 'result' AND state <> 'stopped'"
    )
    assert clock["due"] == end_of(date(2009, 3, 31))


@pytest.mark.both_buses
async def test_a_bad_answer_reopens_one_level_higher(desk: Desk) -> None:
    """C11, C23: a score of 2 opens the case again at headquarters, with clocks of its own; the history stays."""
    case = await desk.open()
    await desk.ordered(case)
    await desk.act(OFFICER, case, "feedback", march(26, 16), **FEEDBACK)
    await desk.answer(case, march(27), {"time": 5, "feedback": 2, "result": 5}, True)
    row = await desk.case(case)
    assert (row["state"], row["generation"], row["level"], row["owner"]) == ("reopened", 2, 1, "HQ-operations")
    assert {one["generation"] for one in await desk.get(CENTRE, f"/cases/{case['case_id']}/clocks")} == {1, 2}
    await desk.act(CENTRE, case, "ticket", march(27, 11), 201)
    await desk.act(OFFICER, case, "feedback", march(27, 12), **FEEDBACK)
    await desk.answer(case, march(27, 15), {"time": 5}, False)
    row = await desk.case(case)
    assert (row["generation"], row["level"], row["owner"]) == (3, 2, "HQ-compliance")
    assert "satisfaction recorded" in await desk.what(case)


async def test_no_answer_to_the_survey_closes_the_case(desk: Desk) -> None:
    """C11: ten working days after the survey went out."""
    case, other = await desk.open(at=march(2)), await desk.open(at=march(2, 11), words="另一件事")
    for one in (case, other):
        await desk.ordered(one, 2)
        await desk.act(OFFICER, one, "feedback", march(2, 16), **FEEDBACK)
    exhausted = callbacks.TaskExhausted(
        task_id=uuid4(), client_id="c-li", rule="satisfaction", subject=case["case_id"], channel="e_survey",
        exhausted_at=march(5),
    )  # fmt: skip
    await desk.world.publish(exhausted, at=march(5))
    await desk.world.settle()
    await desk.close(18)
    assert (await desk.case(case))["state"] == "satisfaction_call"
    await desk.close(19)
    row = await desk.case(case)
    assert (row["outcome"], row["closed_at"]) == ("no_answer", march(19, 17, 30))
    assert (await desk.case(other))["state"] == "satisfaction_call"  # the survey was about one case of hers


async def test_who_refuses_the_call_has_not_been_satisfied(desk: Desk) -> None:
    """C11: a refusal closes the case without a rating; a wrong number leaves the survey's time."""
    refused, wrong = await desk.open(at=march(2)), await desk.open(at=march(2, 11), words="另一件事")
    for one, outcome in ((refused, "refused"), (wrong, "wrong_number")):
        await desk.ordered(one, 2)
        await desk.act(OFFICER, one, "feedback", march(2, 16), **FEEDBACK)
        ended = callbacks.TaskCompleted(
            task_id=uuid4(), client_id="c-li", rule="satisfaction", outcome=outcome, subject=one["case_id"],
            completed_at=march(3),
        )  # fmt: skip
        await desk.world.publish(ended, at=march(3))
    await desk.world.settle()
    assert [(await desk.case(one))["outcome"] for one in (refused, wrong)] == ["not_rated", None]
    assert await desk.told(complaints.SatisfactionRecorded) == []
    await desk.close(17)
    assert (await desk.case(wrong))["outcome"] == "no_answer"


async def test_a_satisfaction_call_nobody_made_is_a_breach_and_the_case_still_ends(desk: Desk) -> None:
    """C11: the first call is due within a working day of the feedback."""
    case = await desk.open(at=march(2))
    await desk.ordered(case, 2)
    await desk.act(OFFICER, case, "feedback", march(2, 16), **FEEDBACK)
    expired = callbacks.TaskExpired(
        task_id=uuid4(), client_id="c-li", rule="satisfaction", subject=case["case_id"], due_on=date(2009, 3, 3)
    )
    await desk.world.publish(expired, at=end_of(date(2009, 3, 3)))
    await desk.world.settle()
    (told,) = await desk.told(complaints.CaseBreached, case)
    assert "/satisfaction_call/" in told
    await desk.close(18)
    assert (await desk.case(case))["outcome"] == "not_called"
    (listed,) = (await desk.get(COMPLIANCE, "/cases?outcome=not_called"))["items"]
    assert listed["case_id"] == case["case_id"]


async def test_a_pause_keeps_the_rest_and_a_late_recorded_answer_breaches_at_once(desk: Desk) -> None:
    """C27: an answer of Friday 09:00 recorded later resumes the clock from Friday 09:00."""
    case = await desk.open()
    await desk.ordered(case)
    await desk.act(OFFICER, case, "waiting", march(26, 17), waits_for="customer", reason="等客户材料")
    await desk.close(27)
    assert await desk.told(complaints.CaseBreached) == []
    clocks = {one["clock"]: one for one in await desk.get(CENTRE, f"/cases/{case['case_id']}/clocks")}
    assert (clocks["result"]["state"], clocks["result"]["remaining_seconds"]) == ("paused", 1800)
    assert (clocks["result"]["paused_because"], clocks["phone"]["state"]) == ("等客户材料", "stopped")
    await desk.act(CENTRE, case, "reply", march(27, 9))
    await desk.close(28)
    (told,) = await desk.told(complaints.CaseBreached, case)
    assert march(27, 17, 30).astimezone(UTC).isoformat() in told  # rounded up to the end of that working day


async def test_a_third_party_may_take_five_working_days(desk: Desk) -> None:
    """C23: then the case goes on by itself."""
    case = await desk.open(allegations=["私售"], at=march(2))
    await desk.ordered(case, 2)
    await desk.act(OFFICER, case, "waiting", march(3), waits_for="third_party", reason="等交易所")
    await desk.close(9)
    assert (await desk.case(case))["state"] == "awaiting_third_party"
    clocks = {one["clock"]: one for one in await desk.get(CENTRE, f"/cases/{case['case_id']}/clocks")}
    assert (clocks["third_party"]["due"], clocks["result"]["paused_because"]) == ("2009-03-10T09:30:00Z", "等交易所")
    await desk.close(10)
    assert (await desk.case(case))["state"] == "investigating"
    (clock,) = await desk.world.rows("complaints", "SELECT state FROM clocks WHERE clock = 'result'")
    assert clock["state"] == "running"


async def test_a_finding_opens_a_restricted_case_hidden_from_who_it_concerns(desk: Desk) -> None:
    """B5, C28."""
    found = callbacks.FindingRaised(
        finding_id=uuid4(), client_id="c-li", branch_id="B1", kind="代客操作", concerned=["B1-director"],
        raised_at=march(26),
    )  # fmt: skip
    await desk.world.publish(found)
    await desk.world.settle()
    assert (await desk.get(CENTRE, "/cases"))["items"] == []
    assert (await desk.get(DIRECTOR, "/cases"))["items"] == []
    (case,) = (await desk.get(COMPLIANCE, "/cases"))["items"]
    assert (case["kind"], case["restricted"], case["owner"]) == ("conduct", True, "HQ-compliance")
    await desk.get(CENTRE, f"/cases/{case['case_id']}", 404)


async def test_a_running_clock_says_what_remains_in_its_own_measure(desk: Desk) -> None:
    """C22: an order not sent, a result not given: both count down, one in natural and one in working time."""
    answer = await desk.call(CENTRE, "POST", "/cases", {"channel": "hotline", "branch_id": "B1", "words": "刚刚发生"})
    clocks = {one["clock"]: one for one in await desk.get(CENTRE, f"/cases/{answer.json()['case_id']}/clocks")}
    assert (clocks["dispatch"]["measure"], clocks["result"]["measure"]) == ("natural", "working")
    assert 0 < clocks["dispatch"]["remaining_seconds"] <= 24 * 3600
    assert 0 < clocks["result"]["remaining_seconds"] <= 27_000
    await desk.act(CENTRE, answer.json(), "withdrawal", reason="撤诉")
    clocks = {one["clock"]: one for one in await desk.get(CENTRE, f"/cases/{answer.json()['case_id']}/clocks")}
    assert {one["state"] for one in clocks.values()} == {"stopped"}
    assert {one["remaining_seconds"] for one in clocks.values()} == {None}
