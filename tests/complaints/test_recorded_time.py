"""Figures and retention go by recorded time: what a period came to stays, whatever becomes of its cases [C15, C20, C21]."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

from chassis.actor import Actor, Role
from chassis.clock import at as clock_at
from chassis.clock import business_date
from contracts import callbacks
from services.complaints.exports import CASE_COLUMNS, cases
from services.complaints.packs.figures import period_of, read_figures
from tests.complaints.desk import CENTRE, COMPLIANCE, DIRECTOR, LI, OFFICER, SECOND, Desk, march
from tests.complaints.test_packs import close

APRIL = clock_at(date(2009, 4, 2), 10)


async def exported(desk: Desk, as_of: date | None = None) -> dict[str, dict[str, str]]:
    async with desk.world.sql("complaints") as sql:
        found = [dict(zip(CASE_COLUMNS, row, strict=True)) async for row in cases(sql, as_of)]
    return {row["case_id"]: row for row in found}


async def closed(desk: Desk, period: str) -> tuple[int, int]:
    """How many of branch B1 ended in a period, and how many of them were recorded after their own."""
    found = (await desk.get(COMPLIANCE, f"/kpi/{period}"))["branches"]
    return next(((one["closed"], one["recorded_late"]) for one in found if one["branch_id"] == "B1"), (0, 0))


async def test_a_past_month_never_changes(desk: Desk) -> None:
    one, other = await desk.open(), await desk.open(client_id="c-2")
    await desk.act(CENTRE, one, "withdrawal", march(27), reason="误会")
    await desk.act(CENTRE, other, "acceptance", march(26, 11))
    finding = callbacks.FindingRaised(
        finding_id=uuid4(), client_id="c-li", branch_id="B1", kind="代客操作", concerned=["m-1"], raised_at=march(24)
    )
    await desk.world.publish(finding)
    await desk.world.settle()
    # What is restricted is in nobody's list of messages but compliance's [C28].
    seen = {
        role: [one["value"].get("restricted", False) for one in (await desk.get(Actor("o", role), told))["items"]]
        for role in (Role.COMPLIANCE, Role.OPERATIONS)
        for told in ["/operations/messages?type=complaints.case.opened"]
    }
    assert {role: sorted(found) for role, found in seen.items()} == {
        Role.COMPLIANCE: [False, False, True], Role.OPERATIONS: [False, False],
    }  # fmt: skip
    await desk.close(31)
    assert (await closed(desk, "2009-03"), await closed(desk, "2009-Q1")) == ((1, 0), (1, 0))
    march_ends = await exported(desk, date(2009, 3, 31))
    assert march_ends.keys() == {one["case_id"], other["case_id"]}, "conduct is compliance's, and in no export"
    # Reopened in April, the other withdrawn in March and entered only now, handed to somebody else and promised away.
    await desk.act(LI, one, "reopening", APRIL, reason="又发生")
    await desk.act(COMPLIANCE, other, "assignment", march(31, 9), to="HQ-CS-3", reason="休假")
    await desk.act(Actor("HQ-CS-3", Role.HQ), other, "withdrawal", march(31, 10), reason="误会")
    assert (await closed(desk, "2009-03"), await closed(desk, "2009-Q1")) == ((1, 0), (1, 0))
    assert await closed(desk, "2009-04") == (1, 1), (
        "what was recorded after the month was counted counts in the next, apart"
    )
    await desk.act(CENTRE, one, "withdrawal", APRIL + timedelta(hours=1), reason="误会")
    assert await closed(desk, "2009-04") == (2, 1)
    assert (await exported(desk, date(2009, 3, 26)))[one["case_id"]]["state"] == "received"
    now, then = await exported(desk), await exported(desk, date(2009, 3, 30))
    assert then == march_ends
    assert now.keys() == then.keys()
    assert [then[other["case_id"]][name] for name in ("state", "owner")] == ["accepted", "HQ-CS-1"]
    assert [now[other["case_id"]][name] for name in ("state", "owner")] == ["withdrawn", "HQ-CS-3"]
    assert then[one["case_id"]]["due_on"] == "2009-03-26"


async def test_quarters_and_years_judge_every_month_and_records_of_branches_are_what_they_say(desk: Desk) -> None:
    """C15, C16: nil reports are void when a complaint of their month appears; plans lie ahead, records behind."""
    second: Any = Actor("B2-director", Role.BRANCH_MANAGER, branch_id="B2")
    await desk.open(at=march(2))
    await desk.close(10)
    days = "/branches/B1/reception-days"

    async def put(day: str, leader: str, status: int) -> Any:
        answer = await desk.call(DIRECTOR, "PUT", days, {"day": day, "leader": leader})
        assert answer.status_code == status, answer.text
        return answer.json()

    assert (await put("2009-03-10", "B1-director", 422))["errors"][0]["pointer"] == "/day"
    for leader in ("B2-director", "nobody"):
        assert (await put("2009-03-20", leader, 422))["errors"][0]["pointer"] == "/leader"
    await put("2009-03-20", "B1-director", 201)
    await put("2009-03-25", "B1-officer", 201)
    visit = {"visitor": "李芳", "matter": "基金申购"}
    early = await desk.call(DIRECTOR, "POST", f"{days}/2009-03-20/visits", visit)
    assert early.json()["errors"][0]["pointer"] == "/day"
    assert (await desk.call(DIRECTOR, "POST", f"{days}/2009-03-25/cancellation", {"reason": "出差"})).status_code == 200
    await desk.close(31)
    stranger = await desk.call(DIRECTOR, "POST", f"{days}/2009-03-20/visits", visit | {"case_id": str(uuid4())})
    assert stranger.json()["errors"][0]["pointer"] == "/case_id"
    assert (await desk.call(DIRECTOR, "POST", f"{days}/2009-03-20/visits", visit)).status_code == 201
    assert (await desk.call(DIRECTOR, "POST", f"{days}/2009-03-25/visits", visit)).status_code == 404
    shown = {one["day"]: one for one in await desk.get(OFFICER, days)}
    assert (shown["2009-03-25"]["cancel_reason"], shown["2009-03-20"]["cancelled_at"]) == ("出差", None)
    for month in ("2009-01", "2009-02", "2009-03"):
        assert (await desk.call(second, "PUT", f"/branches/B2/nil-reports/{month}")).status_code == 201
    assert (await desk.call(DIRECTOR, "PUT", "/branches/B1/nil-reports/2009-01")).status_code == 201

    async def quarter() -> tuple[set[str], set[str], set[str]]:
        async with desk.world.sql("complaints") as sql:
            found = await read_figures(sql, period_of("2009-Q1"), ["B1", "B2"])
        return set(found.nil_reports), set(found.missing_nil_reports), set(found.missing_reception_days)

    nil, missing, reception = await quarter()
    assert nil == {"B1 2009-01", "B2 2009-01", "B2 2009-02", "B2 2009-03"}
    assert missing == {"B1 2009-02"}
    assert reception == {f"{branch} 2009-0{n}" for branch in ("B1", "B2") for n in (1, 2, 3)} - {"B1 2009-03"}
    # One is cancelled and filed anew, one becomes void by a complaint of its month that is found only now.
    cancel = "/branches/B2/nil-reports/2009-01/cancellation"
    assert (await desk.call(DIRECTOR, "POST", cancel, {"reason": "月份有误"})).status_code == 404
    assert (await desk.call(second, "POST", cancel, {"reason": "月份有误"})).status_code == 200
    assert "B2 2009-01" in (await quarter())[1]
    assert (await desk.call(second, "PUT", "/branches/B2/nil-reports/2009-01")).status_code == 201
    await desk.open(SECOND, at=march(30), branch_id="B2")
    listed = {one["month"]: one for one in await desk.get(second, "/branches/B2/nil-reports")}
    assert [(month, one["void"]) for month, one in sorted(listed.items())] == [
        ("2009-01-01", False), ("2009-02-01", False), ("2009-03-01", True),
    ]  # fmt: skip
    assert listed["2009-03-01"]["void_since"] is not None
    assert "B2 2009-03" not in (await quarter())[0]
    await close(desk, date(2009, 4, 1))
    audited = await desk.world.rows("complaints", "SELECT action FROM audit WHERE action LIKE 'cancel %'")
    assert sorted(row["action"] for row in audited) == ["cancel nil report", "cancel reception day"]


async def test_retention_counts_from_the_record_of_the_end(real: Desk) -> None:
    """C21: who enters an end later than it was does not shorten the time a case is kept."""
    case = await real.open(received_at=None)
    await real.act(CENTRE, case, "withdrawal", reason="误会")
    recorded = await real.world.value(
        "complaints", "SELECT recorded_at FROM act_steps WHERE object = $1 ORDER BY number DESC LIMIT 1",
        f"case/{case['case_id']}",
    )  # fmt: skip
    async with real.world.database("complaints").unit_of_work() as uow:
        await uow.sql.execute(
            "UPDATE cases SET closed_at = closed_at - interval '40 days' WHERE case_id = $1", UUID(case["case_id"])
        )
    shown = await real.get(CENTRE, f"/cases/{case['case_id']}/retention")
    assert shown["ended_on"] == business_date(recorded).isoformat()
