"""A deadline is a limit, not an instant: a day off that is published moves everything that is open, nothing that is over."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from chassis.calendar import shipped
from chassis.calendars import row_of
from chassis.clock import at, end_of
from contracts import broker
from contracts.base import Quantity
from contracts.complaints import CaseFeedback
from contracts.platform import CalendarDay, CalendarPublished
from services.callbacks.app import service
from tests.callbacks.desk import COMPLIANCE, FIRST, LEADER, Desk, agent, ten

MONDAY = date(2022, 7, 4)
TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (MONDAY + timedelta(days=n) for n in (1, 2, 3, 4))


def day_off(day: date, number: int = 1) -> CalendarPublished:
    """A version in which a day is a holiday that was a working day."""
    off = CalendarDay(first=day, last=day, kind="holiday", name_zh="临时放假", name_en="a day off")
    return CalendarPublished(
        number=number, rows=(*(row_of(row) for row in shipped().rows), off), published_at=at(MONDAY, 18),
        published_by="ann", checked_by="bob",
    )  # fmt: skip


async def armed(desk: Desk) -> dict[tuple[str, str], datetime]:
    rows = await desk.world.rows("callbacks", "SELECT object, kind, due FROM deadlines")
    return {(row["kind"], row["object"]): row["due"] for row in rows}


async def facts(desk: Desk) -> None:
    """On Monday evening: something open of every kind, and a call that was missed that day."""
    await desk.close(FIRST)
    for client in ("c-1", "c-2"):
        await desk.open(client, date(2021, 5, 2), phone="13800000000")
    await desk.close_through(FIRST + timedelta(days=1), MONDAY - timedelta(days=1))
    await desk.world.publish(CaseFeedback(case_id="k-1", client_id="c-1", branch_id="B1", fed_back_at=ten(FIRST)))
    await desk.world.settle()
    await desk.close(MONDAY)
    evening = at(MONDAY, 18)
    await desk.world.publish(
        CaseFeedback(case_id="k-2", client_id="c-2", branch_id="B1", fed_back_at=ten(MONDAY)),
        broker.SurveillanceAlerted(client_id="c-1", alert_id="a-1", kind="funds", at=evening),
        broker.SurveillanceAlerted(client_id="c-1", alert_id="a-2", kind="laundering", at=evening),
        broker.CallMissed(call_id="m-1", at=at(MONDAY, 17, 10), phone="13800000001"),
        broker.EnquiryReceived(enquiry_id="e-1", client_id="c-1", at=evening),
        broker.FundsMoved(
            transfer_id="f-1", client_id="c-1", moved_at=ten(MONDAY), direction="out", amount=Quantity(Decimal(900_000))
        ),
    )
    await desk.world.settle()


async def dues(desk: Desk) -> dict[str, tuple[date, datetime]]:
    return {
        f"{row['rule']} {row['subject'] or row['period']}": (row["due_on"], row["due_at"]) for row in await desk.tasks()
    }


async def test_a_day_off_moves_what_is_open_of_every_kind_and_nothing_that_is_over(desk: Desk) -> None:
    await facts(desk)
    before, tasks = await armed(desk), await dues(desk)
    assert {kind for kind, _ in before} - {"no_manager"} == set(service.replans)
    assert {name: day for name, (day, _) in tasks.items()} == {
        "satisfaction k-1": MONDAY, "satisfaction k-2": TUESDAY, "surveillance a-1": WEDNESDAY,
        "suspected_laundering a-2": WEDNESDAY, "missed_call m-1": TUESDAY, "enquiry e-1": THURSDAY,
    }  # fmt: skip
    await desk.world.publish(day_off(TUESDAY))
    await desk.world.settle()
    now, moved = await armed(desk), await dues(desk)
    assert {kind for (kind, object_), due in now.items() if due != before[kind, object_]} == set(service.replans)
    assert moved == {
        "satisfaction k-1": (MONDAY, end_of(MONDAY)),  # missed is missed
        "satisfaction k-2": (WEDNESDAY, end_of(WEDNESDAY)),
        "surveillance a-1": (THURSDAY, end_of(THURSDAY)),
        "suspected_laundering a-2": (THURSDAY, end_of(THURSDAY)),
        "missed_call m-1": (WEDNESDAY, at(WEDNESDAY, 9, 10)),
        "enquiry e-1": (FRIDAY, end_of(FRIDAY)),
    }
    [enquiry] = await desk.tasks("rule = 'enquiry'")
    assert datetime.fromisoformat(enquiry["cause"]["target"]) == at(WEDNESDAY, 17, 30)
    [late] = await desk.tasks("subject = 'k-1'")
    assert late["late_until"] == now["survey", f"task/{late['task_id']}"] == end_of(date(2022, 7, 19))
    [moment] = await desk.world.rows("callbacks", "SELECT due_on FROM moments WHERE code = 'large_outflow'")
    assert moment["due_on"] == THURSDAY
    await read(desk, str(enquiry["task_id"]))
    # On the day off nothing runs out; the day after, what was due then does.
    await desk.close(TUESDAY)
    assert [task["subject"] for task in await desk.tasks("expired_at IS NOT NULL")] == ["k-1"]
    assert await desk.world.value("callbacks", "SELECT count(*) FROM alarms WHERE kind <> 'no_manager'") == 0
    await desk.close(WEDNESDAY)
    expired = {str(task["subject"]) for task in await desk.tasks("expired_at IS NOT NULL")}
    assert {"k-1", "k-2", "m-1"} == expired
    # The version heard again moves nothing; the next one moves what the ladder of a moment has still to come.
    rows = await desk.world.value("callbacks", "SELECT count(*) FROM clock_replans")
    await desk.world.publish(day_off(TUESDAY))
    await desk.world.settle()
    assert await desk.world.value("callbacks", "SELECT count(*) FROM clock_replans") == rows
    await desk.close(THURSDAY)
    step = next(due for (kind, _), due in (await armed(desk)).items() if kind == "moment_overdue")
    assert step == end_of(FRIDAY)
    await desk.world.publish(day_off(FRIDAY, 2))
    await desk.world.settle()
    step = next(due for (kind, _), due in (await armed(desk)).items() if kind == "moment_overdue")
    assert step == end_of(date(2022, 7, 11))
    assert await desk.world.value("callbacks", "SELECT due_on FROM moments WHERE code = 'large_outflow'") == THURSDAY


async def read(desk: Desk, task: str) -> None:
    """An officer reads what moved; who may not see a task does not read of it."""
    path = "/replanned?calendar=published-1"
    all_of_it: list[dict[str, Any]] = await desk.items(COMPLIANCE, path)
    of_branch = await desk.items(LEADER, path)
    laundering = await desk.world.value("callbacks", "SELECT task_id FROM tasks WHERE rule = 'suspected_laundering'")
    hidden = {one["object"] for one in all_of_it} - {one["object"] for one in of_branch}
    assert f"task/{laundering}" in hidden
    of_task = {one["clock"]: one for one in all_of_it if one["object"] == f"task/{task}"}
    assert of_task["enquiry_target"]["why"] == {
        "en": "The calendar published-1 moves it from 2022-07-05 17:30 to 2022-07-06 17:30",
        "zh": "按日历 published-1，时限由 2022-07-05 17:30 调整为 2022-07-06 17:30",
    }
    assert {one["clock"] for one in await desk.items(COMPLIANCE, f"/replanned?object=task/{task}")} == set(of_task)
    await desk.ask(agent("anna"), "GET", "/replanned", status=403)
