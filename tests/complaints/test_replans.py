"""A deadline is a limit, not an instant: a day off that is published moves everything that is open, nothing that is over."""

from datetime import date, datetime
from typing import Any
from uuid import uuid4

from chassis.clock import at
from contracts import callbacks
from services.complaints.app import service
from tests.callbacks.test_replans import day_off
from tests.complaints.desk import CENTRE, COMPLIANCE, FEEDBACK, OFFICER, Desk, march
from tests.complaints.test_packs import close, packs


async def armed(desk: Desk) -> dict[tuple[str, str], datetime]:
    rows = await desk.world.rows(
        "complaints", "SELECT object || coalesce(nullif('/' || step, '/'), '') AS name, kind, due FROM deadlines"
    )
    return {(row["kind"], row["name"]): row["due"] for row in rows}


async def answered(desk: Desk, day: int) -> Any:
    """A case about which nobody could be called: its survey is out."""
    case = await desk.open(at=march(day))
    await desk.ordered(case, day)
    await desk.act(OFFICER, case, "investigation", march(day, 13))
    await desk.act(OFFICER, case, "feedback", march(day, 15), **FEEDBACK)
    told = callbacks.TaskExhausted(
        task_id=uuid4(), client_id="c-li", rule="satisfaction", subject=case["case_id"], channel="e_survey",
        exhausted_at=march(day, 16),
    )  # fmt: skip
    await desk.world.publish(told)
    await desk.world.settle()
    return case


async def test_a_day_off_moves_what_is_open_of_every_kind_and_nothing_that_is_over(desk: Desk) -> None:
    await desk.open(at=at(date(2009, 2, 27), 10))
    await close(desk, date(2009, 2, 28))
    await desk.world.publish(day_off(date(2009, 3, 3)))
    await desk.world.settle()
    [moved] = await desk.items(COMPLIANCE, "/replanned?object=pack/2009-02")
    assert (moved["clock"], moved["due_before"], moved["due_after"]) == (
        "sign_off", "2009-03-04T09:30:00Z", "2009-03-05T09:30:00Z",
    )  # fmt: skip
    assert (await packs(desk))["2009-02"]["sign_off_due"] == "2009-03-05"
    await close(desk, date(2009, 3, 4))
    assert (await packs(desk))["2009-02"]["reminded_at"] is None
    await close(desk, date(2009, 3, 25))
    assert (await packs(desk))["2009-02"]["late"]
    # Thursday: one waits for a third party, one for the answer to its survey, one just runs, one is over.
    survey, over = await answered(desk, 26), await desk.open(at=march(26, 9))
    waits, runs = (
        await desk.open(at=march(26, 9), allegations=["私售"]),
        await desk.open(at=march(26, 9), allegations=["私售"]),
    )
    await desk.act(CENTRE, waits, "acceptance", march(26, 10))
    await desk.act(CENTRE, waits, "waiting", march(26, 11), waits_for="third_party", reason="等交易所")
    await desk.act(CENTRE, over, "withdrawal", march(26, 11), reason="误会")
    before = await armed(desk)
    dues = {name: (await desk.case(one))["due_on"] for name, one in (("waits", waits), ("runs", runs), ("over", over))}
    assert dues == {"waits": None, "runs": date(2009, 3, 31), "over": date(2009, 3, 26)}, "a paused clock has no due"
    await desk.world.publish(day_off(date(2009, 3, 30), 2))
    await desk.world.settle()
    now = await armed(desk)
    names = {kind for (kind, name), due in now.items() if due != before.get((kind, name))}
    assert names == {"result", "third_party", "survey"}
    assert now["third_party", f"case/{waits['case_id']}"] == at(date(2009, 4, 3), 17, 30)
    assert (await desk.case(runs))["due_on"] == date(2009, 4, 1)
    assert (await desk.case(over))["due_on"] == date(2009, 3, 26)
    # What moved is listed with both dues; a branch reads of its own cases, packs are everybody's.
    [shown] = await desk.items(OFFICER, f"/replanned?object=case/{runs['case_id']}")
    assert shown["why"]["zh"] == "按日历 published-2，时限由 2009-03-31 17:30 调整为 2009-04-01 17:30"
    of_survey = await desk.items(OFFICER, f"/replanned?object=case/{survey['case_id']}&calendar=published-2")
    assert [one["clock"] for one in of_survey] == ["survey"]
    assert await desk.items(CENTRE, f"/replanned?object=case/{over['case_id']}") == []
    await desk.act(CENTRE, waits, "reply", march(27, 9))
    await desk.act(CENTRE, waits, "promise", march(27, 10), due=march(31, 12).isoformat())
    assert (await desk.case(waits))["due_on"] == date(2009, 3, 31), "read from the clock, whoever moves it"
    await desk.act(CENTRE, over, "reopening", march(27, 9), reason="客户补充材料")
    assert (await desk.case(over))["due_on"] == date(2009, 3, 27)
    assert set(service.replans) == names | {"sign_off"}
