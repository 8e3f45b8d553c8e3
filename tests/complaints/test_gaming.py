"""Each way to look better than one is, tried as the person who would: it is refused, or shown [C4, C6, C7, C8, C14, C23]."""

from datetime import timedelta
from typing import Any

import pytest

from chassis.actor import Actor, Role
from chassis.clock import business_date, utc_now
from contracts import complaints
from tests.complaints.desk import CENTRE, COMPLIANCE, DIRECTOR, FEEDBACK, LI, OFFICER, SECOND, Desk, march

LETTER: dict[str, Any] = {"source": "regulator", "channel": "regulator_transfer", "regulator_ref": "京证监〔2009〕7号"}
TELLER = Actor("B1-teller", Role.AGENT, branch_id="B1", purpose="complaints")
BACK: dict[str, Any] = {**FEEDBACK}
NOW: dict[str, Any] = {"received_at": None}


async def test_freezing_a_regulators_clock_is_refused(desk: Desk) -> None:
    case = await desk.open(**LETTER)
    await desk.ordered(case)
    for whom in ("customer", "third_party"):
        refused = await desk.act(OFFICER, case, "waiting", march(26, 11), 409, waits_for=whom, reason="等材料")
        assert refused["type"].endswith("not-for-this-kind")
    late = march(31, 12).isoformat()
    await desk.act(CENTRE, case, "promise", march(26, 12), 409, due=late, reason="出差")


async def test_freezing_by_waiting_for_third_parties_ends_after_five_working_days(desk: Desk) -> None:
    """C23: waiting again does not begin them anew, and the clock runs on when they are over."""
    case = await desk.open(at=march(2), allegations=["私售"])
    await desk.act(CENTRE, case, "acceptance", march(2, 10, 5))
    await desk.act(CENTRE, case, "waiting", march(3, 9), waits_for="third_party", reason="等交易所")
    await desk.act(CENTRE, case, "investigation", march(6, 9))
    await desk.act(CENTRE, case, "waiting", march(6, 10), waits_for="third_party", reason="再等")
    await desk.close(10)
    assert (await desk.case(case))["state"] == "investigating"
    refused = await desk.act(CENTRE, case, "waiting", march(11, 9), 409, waits_for="third_party", reason="还等")
    assert refused["type"].endswith("not-for-this-kind")
    assert await desk.world.value("complaints", "SELECT state FROM clocks WHERE clock = 'result'") == "running"


async def test_going_on_without_the_answer_does_not_leave_the_clock_paused(desk: Desk) -> None:
    case = await desk.open()
    await desk.ordered(case)
    await desk.act(OFFICER, case, "waiting", march(26, 11), waits_for="customer", reason="等材料")
    await desk.act(CENTRE, case, "promise", march(26, 11, 30), 409, due=march(31).isoformat())
    await desk.act(OFFICER, case, "investigation", march(26, 12))
    assert await desk.world.value("complaints", "SELECT state FROM clocks WHERE clock = 'result'") == "running"


async def test_promising_away_ends_at_the_second_move(desk: Desk) -> None:
    case = await desk.open()
    await desk.ordered(case)
    for hour, due in ((13, march(27, 12)), (14, march(28, 12))):
        await desk.act(CENTRE, case, "promise", march(26, hour), due=due.isoformat(), reason="出差")
    elsewhere = Actor("B2-director", Role.BRANCH_MANAGER, branch_id="B2", purpose="complaints")
    again: dict[str, Any] = {"due": march(29, 12).isoformat(), "reason": "再次"}
    await desk.act(CENTRE, case, "promise", march(26, 15), 403, **again)
    await desk.act(elsewhere, case, "promise", march(26, 15), 404, **again)
    await desk.act(DIRECTOR, case, "promise", march(26, 15), **again)


async def test_a_promise_after_the_breach_is_breached_again(desk: Desk) -> None:
    """C6: it starts a round of its own, with its warnings and the ladder from its first step; the first breach stays."""
    case = await desk.open()
    await desk.ordered(case)
    await desk.close(26)
    assert len([one for one in await desk.told(complaints.CaseBreached, case) if "/result/" in one]) == 1
    await desk.act(CENTRE, case, "promise", march(27, 9), due=march(30, 12).isoformat())
    await desk.close(29)
    await desk.close(30)
    breaches = [one for one in await desk.told(complaints.CaseBreached, case) if "/result/" in one]
    assert sorted(one.rpartition("/")[2] for one in breaches)[0] == "2"
    assert len(breaches) == 2
    steps = await desk.world.rows(
        "complaints", "SELECT step, round FROM clock_steps WHERE clock = 'result' ORDER BY number"
    )
    assert [tuple(row.values()) for row in steps][:4] == [("warning", 1), ("due", 1), ("warning", 2), ("due", 2)]
    told = await desk.world.rows(
        "complaints", "SELECT round FROM notices WHERE clock = 'result' AND step = 'due' ORDER BY round"
    )
    assert [row["round"] for row in told] == [1, 1, 2, 2]
    await desk.act(CENTRE, case, "promise", march(31, 9), due=march(31, 12).isoformat(), reason="再次")


async def test_a_promise_on_an_enquiry_is_refused_and_an_enquiry_can_wait(desk: Desk) -> None:
    case = await desk.open(kind="enquiry")
    await desk.act(CENTRE, case, "acceptance", march(26, 10, 5))
    await desk.act(CENTRE, case, "promise", march(26, 11), 409, due=march(27, 12).isoformat())
    await desk.act(CENTRE, case, "waiting", march(26, 11), waits_for="customer", reason="等材料")
    await desk.act(LI, case, "reply", march(26, 12))
    await desk.act(CENTRE, case, "feedback", march(26, 13), **BACK)


async def test_dating_back_is_refused(real: Desk) -> None:
    """C27: only the customer's answer is entered later, ten working days at most, and shown as late."""
    case = await real.open(**NOW)
    before = utc_now() - timedelta(minutes=30)
    refused = await real.act(CENTRE, case, "acceptance", before, 422)
    assert [one["pointer"] for one in refused["errors"]] == ["/at"]
    await real.act(CENTRE, case, "acceptance")
    await real.act(CENTRE, case, "waiting", waits_for="customer", reason="等材料")
    await real.act(LI, case, "reply", utc_now() - timedelta(days=40), 422)
    await real.act(CENTRE, case, "reply", before, 422)  # before the wait it answers


async def test_a_letter_that_is_due_already_is_registered_and_breached_at_once(real: Desk) -> None:
    yesterday = business_date(utc_now()) - timedelta(days=1)
    case = await real.open(**NOW, **LETTER, reply_due_on=yesterday.isoformat())
    scheduler = real.world.platform.workers["complaints"].scheduler
    while await scheduler.step():
        pass
    breaches = await real.told(complaints.CaseBreached, case)
    assert len([one for one in breaches if "/result/" in one]) == 1


async def test_taking_over_and_rejecting_is_refused(desk: Desk) -> None:
    """C8: only the owner refuses a case, and a case is the owner's until they or a supervisor give it away."""
    case, letter = await desk.open(), await desk.open(client_id="c-2", **LETTER)
    further: dict[str, Any] = {"reason": "不受理", "further": "12386"}
    await desk.act(SECOND, case, "acceptance", march(26, 11), 403)
    await desk.act(SECOND, case, "rejection", march(26, 11), 403, **further)
    await desk.act(DIRECTOR, case, "assignment", march(26, 11), 422, to="B1-director", reason="我来")
    await desk.act(SECOND, case, "assignment", march(26, 11), 403, to="HQ-CS-3", reason="换人")
    await desk.act(DIRECTOR, case, "assignment", march(26, 11), to="B1-officer", reason="由营业部承办")
    told = await desk.world.rows("complaints", "SELECT \"to\" FROM notices WHERE step LIKE 'assigned%' ORDER BY 1")
    assert [row["to"] for row in told] == ["B1-officer", "HQ-CS-1"]
    await desk.act(CENTRE, letter, "rejection", march(26, 11), 202, **further)
    await desk.act(CENTRE, letter, "withdrawal", march(26, 11), 202, reason="已解决")
    assert (await desk.case(letter))["state"] == "received"
    await desk.agree(SECOND, letter, "case.reject", 404)
    await desk.agree(COMPLIANCE, letter, "case.reject")
    assert (await desk.case(letter))["state"] == "rejected"


async def test_opening_again_does_not_hide_the_refusal(desk: Desk) -> None:
    """C14: a later letter of the regulator about the same finds it."""
    first = await desk.open(at=march(2))
    await desk.act(CENTRE, first, "rejection", march(3), reason="不受理", further="12386")
    await desk.act(LI, first, "reopening", march(4), reason="坚持投诉")
    await desk.open(at=march(20), **LETTER)
    (opened,) = (await desk.get(COMPLIANCE, f"/cases/{first['case_id']}/details"))["accountability"]
    assert opened["cause"] == "refused_before"


async def test_reporting_back_is_the_ticket_holders(desk: Desk) -> None:
    case = await desk.open()
    await desk.ordered(case)
    for actor in (TELLER, CENTRE):
        await desk.act(actor, case, "feedback", march(26, 15), 403, **BACK)
    await desk.act(CENTRE, case, "ticket", march(26, 15), 409)
    await desk.act(OFFICER, case, "feedback", march(26, 16), **BACK)


async def test_a_client_states_only_what_is_theirs(desk: Desk) -> None:
    wrong: dict[str, Any] = {
        "source": "petition_office",
        "regulator_ref": "1",
        "priority": True,
        "complainants": 9,
        "allegations": ["私售"],
    }
    refused = await desk.open(LI, channel="app", branch_id="B2", status=422, **wrong)
    assert {one["pointer"] for one in refused["errors"]} == {
        "/allegations", "/branch_id", "/complainants", "/priority", "/regulator_ref", "/source",
    }  # fmt: skip
    unknown = await desk.open(allegations=["私售", "迟到"], status=422)
    assert [one["pointer"] for one in unknown["errors"]] == ["/allegations/1"]


@pytest.mark.parametrize("reference", ["京证监[2009]7号", "京证监 〔2009〕 7号", "京证监【２００９】７号"])
async def test_one_letter_is_one_case_however_it_is_written(desk: Desk, reference: str) -> None:
    case = await desk.open(**LETTER)
    again = await desk.open(status=200, **(LETTER | {"regulator_ref": reference}))
    assert again["case_id"] == case["case_id"]


async def test_a_taken_number_answers_409_to_whoever_may_not_see_the_case_and_keeps_what_came(desk: Desk) -> None:
    await desk.open(external_ref="7")
    elsewhere = Actor("B2-officer", Role.AGENT, branch_id="B2", purpose="complaints")
    refused = await desk.open(elsewhere, external_ref="7", branch_id=None, words="另一件事", status=409)
    assert refused["type"].endswith("number-taken")
    assert await desk.world.value("complaints", "SELECT count(*) FROM conflicts") == 1


async def test_a_client_reads_what_was_told_them_and_no_name_of_staff(desk: Desk) -> None:
    case = await desk.open()
    await desk.ordered(case)
    await desk.act(CENTRE, case, "ticket/solutions", march(26, 12), words="内部意见：拟赔偿")
    shown = await desk.get(LI, f"/cases/{case['case_id']}")
    assert (shown["owner"], shown["offered_to"]) == (None, None)
    history = await desk.get(LI, f"/cases/{case['case_id']}/history")
    assert [one["what"] for one in history] == ["received", "accept", "dispatch"]
    assert {one["actor"] for one in history} == {""}
    assert "solution" in [one["what"] for one in await desk.get(CENTRE, f"/cases/{case['case_id']}/history")]
    can = {one["act"]: one["can"] for one in shown["acts"]}
    assert can["withdraw"]
    assert "assign" not in can


async def test_closing_without_contact_is_shown(desk: Desk) -> None:
    """C25, C20: whoever ends a case and tells nobody has it on the list, and in the branch's figure."""
    case, told = await desk.open(), await desk.open(client_id="c-2")
    for one in (case, told):
        await desk.act(CENTRE, one, "withdrawal", march(26, 11), reason="误会")
    await desk.act(CENTRE, told, "contacts", march(26, 12), 201, channel="phone", about="结果")
    listed = {one["case_id"]: one for one in await desk.items(COMPLIANCE, "/prompts?everybody=true")}
    assert listed.keys() == {case["case_id"]}
    assert (listed[case["case_id"]]["state"], listed[case["case_id"]]["overdue"]) == ("withdrawn", True)
    [branch] = (await desk.get(COMPLIANCE, "/kpi/2009-03"))["branches"]
    assert (branch["closed"], branch["told"], branch["told_share"]) == (2, 1, "50.00")


async def test_a_complaint_registered_as_an_enquiry_hides_nothing(desk: Desk) -> None:
    """C3, C14: it has the same day and is listed as overdue, no kind becomes another, the regulator's letter finds it."""
    enquiry = await desk.open(kind="enquiry", at=march(2))
    await desk.act(CENTRE, enquiry, "correction", march(2, 11), 422, kind="complaint", reason="改类")
    await desk.close(3)
    listed = await desk.items(COMPLIANCE, "/cases?kind=enquiry&overdue=true")
    assert [(one["case_id"], one["due_on"]) for one in listed] == [(enquiry["case_id"], "2009-03-02")]
    await desk.open(**LETTER)
    [account] = await desk.items(COMPLIANCE, "/accountability")
    assert (account["case_id"], account["cause"]) == (enquiry["case_id"], "late_before")


async def test_a_notice_is_answered_for_the_generation_it_belongs_to(desk: Desk) -> None:
    """C22: what was told stays to be answered when the case is opened again, and leaves the list then."""
    case = await desk.open()
    await desk.ordered(case)
    await desk.close(26)
    await desk.act(CENTRE, case, "withdrawal", march(27, 9), reason="误会")
    await desk.act(LI, case, "reopening", march(27, 10), reason="又发生")
    marketing = Actor("B1-marketing", Role.AGENT, branch_id="B1", purpose="complaints")
    [notice] = await desk.items(marketing, "/escalations")
    assert (notice["generation"], notice["step"]) == (1, "due")
    path = "escalations/result/due/acknowledgement"
    await desk.act(marketing, case, f"{path}?generation=2", march(27, 11), 404)
    await desk.act(marketing, case, path, march(27, 11))
    assert await desk.items(marketing, "/escalations") == []
    await desk.act(marketing, case, f"{path}?generation=1", march(27, 11), 404)
    query = """SELECT generation FROM notices WHERE acknowledged_by = 'B1-marketing'"""
    assert await desk.world.rows("complaints", query) == [{"generation": 1}]
    assert len(await desk.told(complaints.EscalationAcknowledged)) == 1
