"""What comes to light after intake: the major ladder at once, and what was acknowledged stays [C7, C22]."""

from typing import Any

import pytest

from chassis.actor import Actor, Role
from contracts import complaints
from tests.complaints.desk import CENTRE, COMPLIANCE, DIRECTOR, ELSEWHERE, LI, OFFICER, Desk, march

DEPARTMENTS = ("HQ-operations", "HQ-risk", "HQ-compliance")


async def told(desk: Desk, clock: str) -> list[tuple[str, str, Any, Any]]:
    rows = await desk.world.rows(
        "complaints",
        'SELECT step, "to", at, acknowledged_at FROM notices WHERE clock = $1 ORDER BY at, step, "to"',
        clock,
    )
    return [tuple(row.values()) for row in rows]


@pytest.mark.both_buses
async def test_an_ordinary_case_that_turns_out_major_is_one_at_once(desk: Desk) -> None:
    """Three departments have 30 minutes from then; the clock is a major case's; nothing of the day's limit fires."""
    case = await desk.open()
    await desk.ordered(case)
    known = await desk.act(OFFICER, case, "new-facts", march(26, 15), reason="客户补充", claim="20000")
    assert known["severity"] == "ordinary"
    raised = await desk.act(OFFICER, case, "new-facts", march(26, 16), reason="核实发现", allegations=["代客操作"])
    assert (raised["severity"], raised["due_on"]) == ("major", "2009-03-31")
    assert {to for _, to, at, _ in await told(desk, "report") if at == march(26, 16)} == set(DEPARTMENTS)
    assert len(await desk.told(complaints.MajorReported, case)) == 1
    for name in DEPARTMENTS[:2]:
        actor = Actor(name, Role.HQ)
        await desk.act(actor, case, "escalations/report/major/acknowledgement", march(26, 16, 10))
    await desk.close(26)
    breaches = await desk.told(complaints.CaseBreached, case)
    assert [one for one in breaches if "/result/" in one] == []
    assert [f"report/{march(26, 16, 30).isoformat()}" in one for one in breaches] == [True]
    await desk.close(31)
    assert len([one for one in await desk.told(complaints.CaseBreached, case) if "/result/" in one]) == 1


PUBLISHED = {
    "ordinary": [
        {"name": "warning", "share": 75, "to": ["case/owner"]},
        {"name": "due", "share": 100, "to": ["branch/marketing_director"]},
        {"name": "general_manager", "working_minutes": 240, "to": ["branch/general_manager"]},
    ],
    "major": [
        {"name": "flash", "share": 50, "to": ["hq/compliance"]},
        {"name": "due", "share": 100, "to": ["branch/general_manager"]},
        {"name": "centre", "working_days": 1, "to": ["hq/operations_centre"]},
    ],
    "regulator": [{"name": "due", "share": 100, "to": ["hq/compliance"]}],
}


async def test_steps_behind_it_are_told_at_once_and_what_was_acknowledged_stays(desk: Desk) -> None:
    """A late case gets no more time for turning out worse; it goes on where the major ladder stands."""
    async with desk.world.database("complaints").unit_of_work() as uow:
        await uow.sql.execute(
            """INSERT INTO policy_versions (name, scope, version, effective_on, body, reason, state, made_by, made_at,
                                            checked_by, checked_at)
               VALUES ('ladders', '', 1, '2009-02-01', $1, 'trial', 'published', 'a', $2, 'b', $2)""",
            PUBLISHED,
            uow.now,
        )
    case = await desk.open()
    await desk.ordered(case)
    await desk.close(26)
    marketing = Actor("B1-marketing", Role.AGENT, branch_id="B1")
    await desk.act(marketing, case, "escalations/result/due/acknowledgement", march(27, 9, 10))
    raised = await desk.act(CENTRE, case, "new-facts", march(27, 9, 30), reason="媒体报道", public_risk=True)
    assert (raised["severity"], raised["due_on"]) == ("major", "2009-03-26")
    assert await told(desk, "result") == [
        ("warning", "HQ-CS-1", march(26, 15, 52).replace(second=30), None),
        ("due", "B1-marketing", march(26, 17, 30), march(27, 9, 10)),
        ("due", "B1-director", march(27, 9, 30), None),
        ("flash", "HQ-compliance", march(27, 9, 30), None),
    ]
    # Nobody answers the step that was told late: the next comes an hour of working time after it.
    await desk.close(27)
    assert (await told(desk, "result"))[-1][:3] == ("centre", "HQ-operations", march(27, 10, 30))
    steps = await desk.world.rows("complaints", "SELECT step FROM clock_steps WHERE clock = 'result' ORDER BY number")
    assert [row["step"] for row in steps] == ["warning", "due", "flash", "centre"]
    await desk.act(DIRECTOR, case, "escalations/result/due/acknowledgement", march(27, 11))


async def test_a_demand_above_the_threshold_and_the_fifth_complainant_raise_the_case(desk: Desk) -> None:
    case = await desk.open()
    demand = {"what": "赔偿", "amount": "500000", "at": march(26, 11).isoformat()}
    assert (await desk.call(LI, "POST", f"/cases/{case['case_id']}/demands", demand)).status_code == 201
    assert (await desk.case(case))["severity"] == "major"
    five = [await desk.open(client_id=f"c-{n}", product="fund-1", at=march(10 + n)) for n in range(5)]
    assert [(await desk.case(one))["severity"] for one in five] == ["major"] * 5
    assert len(await desk.told(complaints.MajorReported)) == 6


async def test_a_promise_is_kept_and_a_pause_goes_on_when_a_case_becomes_major(desk: Desk) -> None:
    promised, waiting = await desk.open(), await desk.open(client_id="c-2")
    for case in (promised, waiting):
        await desk.ordered(case)
    await desk.act(CENTRE, promised, "promise", march(26, 15), due=march(27, 12).isoformat())
    await desk.act(OFFICER, waiting, "waiting", march(26, 17), waits_for="customer", reason="等材料")
    for case in (promised, waiting):
        await desk.act(CENTRE, case, "new-facts", march(26, 17, 10), reason="核实", claim="600000")
    dues = {
        name: clocks["result"]
        for name, case in (("promised", promised), ("waiting", waiting))
        if (clocks := {one["clock"]: one for one in await desk.get(CENTRE, f"/cases/{case['case_id']}/clocks")})
    }
    assert dues["promised"]["due"] == "2009-03-27T04:00:00Z"
    # Half an hour was left, and three working days of 7.5 hours each came on top.
    assert (dues["waiting"]["state"], dues["waiting"]["remaining_seconds"]) == ("paused", 1800 + 3 * 27000)


async def test_a_downgraded_case_climbs_the_ordinary_ladder_again(desk: Desk) -> None:
    """Compliance lowers it; the time it was given stays, and a second turn for the worse tells nobody twice."""
    case = await desk.open()
    await desk.ordered(case)
    await desk.act(OFFICER, case, "new-facts", march(26, 11), reason="核实", claim="600000")
    await desk.act(OFFICER, case, "downgrade", march(26, 11, 5), 202, reason="金额有误")
    assert (await desk.case(case))["severity"] == "major"
    await desk.agree(DIRECTOR, case, "case.downgrade", 404)
    await desk.agree(COMPLIANCE, case, "case.downgrade")
    lowered = await desk.case(case)
    assert (lowered["severity"], lowered["due_on"].isoformat()) == ("ordinary", "2009-03-31")
    again = await desk.act(OFFICER, case, "new-facts", march(26, 12), reason="属实", allegations=["私售"])
    assert again["severity"] == "major"
    assert len(await told(desk, "report")) == 3
    await desk.act(ELSEWHERE, case, "downgrade", march(26, 12), 404, reason="x")
    ordinary = await desk.open(client_id="c-3")
    refused = await desk.act(CENTRE, ordinary, "downgrade", march(26, 12), 409, reason="x")
    assert refused["type"].endswith("not-for-this-kind")
