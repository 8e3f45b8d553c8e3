"""The complaint of Ms Li in March 2009 (document 001), step by step [C4, C6, C8, C10, C11, C13, C14]."""

import pytest

from contracts import complaints
from tests.complaints.desk import CENTRE, DIRECTOR, FEEDBACK, LI, OFFICER, Desk, march


@pytest.mark.both_buses
async def test_the_case_of_march_2009(desk: Desk) -> None:
    # [投诉事由] She calls the hotline about her manager, [客户诉求] and wants another one.
    case = await desk.open(
        words="我叫李芳，手机13812345678，客户经理业务不熟练，基金申购是废单",
        employee="m-1",
        demands=["赔偿经济损失", "更换客户经理"],
    )
    assert case["words"] == "我叫[姓名]，手机[电话]，客户经理业务不熟练，基金申购是废单"
    assert (case["owner"], case["state"], case["severity"], case["due_on"]) == (
        "HQ-CS-1",
        "received",
        "ordinary",
        "2009-03-26",
    )
    # [管理措施] The same day the order goes to the branch's seniors and its general manager is phoned.
    await desk.ordered(case)
    row = await desk.case(case)
    assert (row["state"], row["dispatch_met"]) == ("dispatched", True)
    (ticket,) = await desk.world.rows("complaints", "SELECT * FROM tickets")
    assert [one["staff_id"] for one in ticket["addressees"]] == [
        "B1-officer",
        "B1-marketing",
        "B1-operations",
        "B1-director",
    ]
    # No result the same day: a time is promised.
    await desk.act(CENTRE, case, "promise", march(26, 15), due=march(31, 17, 30).isoformat())
    await desk.close(27)
    assert await desk.told(complaints.CaseBreached) == []

    # [营业部核实及处理结果] The branch verifies, criticises, apologises at her home, and reports back.
    await desk.act(OFFICER, case, "investigation", march(28, 9))
    await desk.act(CENTRE, case, "ticket/solutions", march(28, 11), words="通报批评、上门道歉")
    (ticket,) = await desk.world.rows("complaints", "SELECT solutions FROM tickets")
    assert [one["words"] for one in ticket["solutions"]] == ["通报批评、上门道歉"]
    refused = await desk.act(OFFICER, case, "feedback", march(30), 422, **{**FEEDBACK, "reaction": " "})
    assert refused["errors"][0]["pointer"] == "/reaction"
    await desk.act(OFFICER, case, "feedback", march(30, 16), **FEEDBACK)
    row = await desk.case(case)
    assert (row["state"], row["upheld"]) == ("satisfaction_call", True)
    await desk.world.settle()
    assert len(await desk.told(complaints.CaseFeedback, case)) == 1

    # [满意度回访] She accepts the apology and no longer wants another manager: the demand is withdrawn, not forgotten.
    details = await desk.get(CENTRE, f"/cases/{case['case_id']}/details")
    (change,) = [one for one in details["demands"] if one["what"] == "更换客户经理"]
    await desk.act(CENTRE, case, f"demands/{change['demand_id']}/withdrawal", march(31, 9), reason="接受道歉")
    await desk.answer(case, march(31, 10), {"time": 5, "feedback": 5, "result": 5}, True)
    row = await desk.case(case)
    assert (row["state"], row["outcome"], row["closed_at"]) == ("closed", "satisfied", march(31, 10))
    # [启示] An upheld complaint asks for a summary, a plan and a circular.
    (open_,) = (await desk.get(CENTRE, f"/cases/{case['case_id']}/details"))["accountability"]
    assert (open_["cause"], open_["against"]) == ("upheld", ["B1-director", "HQ-CS-1"])
    await desk.close(31)
    assert await desk.told(complaints.CaseBreached) == []
    clocks = {one["clock"]: one for one in await desk.get(DIRECTOR, f"/cases/{case['case_id']}/clocks")}
    assert {name: clock["state"] for name, clock in clocks.items()} == dict.fromkeys(
        ("dispatch", "phone", "result"), "stopped"
    )
    assert any("31" in line["zh"] for line in clocks["result"]["why"])
    own = await desk.get(LI, "/cases")
    assert [one["case_id"] for one in own["items"]] == [case["case_id"]]
