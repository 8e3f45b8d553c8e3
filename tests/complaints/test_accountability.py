"""Accountability [C14]: concluded by somebody else, with a plan whose owner and date are watched."""

from datetime import date

from contracts import callbacks, complaints
from contracts.broker import BrokerDayClosed
from tests.complaints.desk import CENTRE, COMPLIANCE, FEEDBACK, OFFICER, SECOND, Desk, march

OUTCOME = {
    "summary": "申购为废单，经理未跟踪", "root_cause": "培训不足", "plan": "复训并抽查", "plan_owner": "B1-operations",
    "due_on": "2009-04-02", "circular": "通报2009-3", "measure": "通报批评",
}  # fmt: skip


async def test_a_plan_has_an_owner_and_a_date_and_is_late_when_late(desk: Desk) -> None:
    case = await desk.open()
    await desk.ordered(case)
    await desk.act(OFFICER, case, "feedback", march(26, 16), **FEEDBACK)
    await desk.answer(case, march(27), {"time": 5}, True)
    await desk.close(26)
    (opened,) = await desk.items(COMPLIANCE, "/accountability")
    assert (opened["against"], opened["concluded"], opened["overdue"]) == (["B1-director", "HQ-CS-1"], False, False)
    path = f"accountability/{opened['accountability_id']}"
    early = await desk.act(SECOND, case, f"{path}/completion", march(27), 409, evidence="x")
    assert early["type"].endswith("not-concluded")
    await desk.act(CENTRE, case, f"{path}/outcome", march(27), 403, **OUTCOME)  # against whom it is
    await desk.act(SECOND, case, f"{path}/outcome", march(27), 422, **(OUTCOME | {"due_on": "2009-03-26"}))
    await desk.act(SECOND, case, f"{path}/outcome", march(27), 202, **OUTCOME)
    asked = await desk.act(SECOND, case, f"{path}/outcome", march(27), 409, **OUTCOME)
    assert asked["type"].endswith("already-asked")
    await desk.agree(SECOND, case, "accountability", 403)
    await desk.agree(COMPLIANCE, case, "accountability")
    await desk.act(SECOND, case, f"{path}/outcome", march(27), 409, **OUTCOME)
    await desk.close(31)
    assert not any("accountability_plan" in one for one in await desk.told(complaints.CaseBreached, case))
    last = date(2009, 4, 2)
    await desk.world.publish(BrokerDayClosed(business_date=last), callbacks.DayCompleted(business_date=last))
    await desk.world.settle()
    breaches = [one for one in await desk.told(complaints.CaseBreached, case) if "accountability_plan" in one]
    assert len(breaches) == 1
    (late,) = await desk.items(COMPLIANCE, "/accountability")
    assert (late["overdue"], late["plan_owner"]) == (True, "B1-operations")
    await desk.act(SECOND, case, f"{path}/completion", march(31), evidence="复训记录")
    await desk.act(SECOND, case, f"{path}/completion", march(31), 409, evidence="复训记录")
    assert await desk.items(COMPLIANCE, "/accountability") == []
    (done,) = await desk.items(COMPLIANCE, "/accountability?everything=true")
    assert (done["carried_out"], done["overdue"]) == (True, True)
    refused = await desk.call(OFFICER, "GET", "/accountability")
    assert refused.status_code == 403
