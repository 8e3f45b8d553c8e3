"""What callbacks does without being asked: sending, reminders, alarms; and what a replay's summary says of it."""

import asyncio
import json
from datetime import date, timedelta
from typing import Any

import pytest

from careline.replay.summary import print_callbacks
from chassis.calendar import shipped
from chassis.calendars import row_of
from chassis.clock import at, business_date, utc_now
from chassis.platform_facts import keep_calendars
from contracts import broker
from contracts.classification import LifecycleChanged, LifecycleStretch
from contracts.platform import CalendarDay, CalendarPublished
from contracts.suitability import AssessmentCompleted, AssessmentExpiring
from services.callbacks import policy
from services.callbacks.messages.sending import send_by_itself
from services.callbacks.rule_texts import RULE_TEXTS
from tests.callbacks.desk import FIRST, LEADER, Desk, agent, ten

MONDAY = date(2022, 7, 4)
OPENED = business_date(utc_now())  # messages to clients who opened long ago are not planned any more


async def live(desk: Desk, timeline: str) -> None:
    """Name the home's timeline, as the gateway does with the first fact."""
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute("INSERT INTO timeline (timeline, decided_at) VALUES ($1, now())", timeline)


async def states(desk: Desk, kind: str) -> list[tuple[str, str, str]]:
    rows = await desk.world.rows(
        "callbacks", "SELECT client_id, state, reason FROM messages WHERE kind = $1 ORDER BY client_id, due_at", kind
    )
    return [(row["client_id"], row["state"], row["reason"]) for row in rows]


def sent(desk: Desk) -> list[dict[str, Any]]:
    folder = desk.world.settings.home / "messages"
    return [json.loads(file.read_text("utf-8")) for file in sorted(folder.glob("*.json"))]


async def test_the_summary_counts_each_rule_and_says_why(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(RULE_TEXTS) == set(policy.Policies.triggers.shipped[-1].body), "every rule of the table has its sentence"
    await desk.close(FIRST)
    for client in ("c-1", "c-2"):
        await desk.open(client, FIRST + timedelta(days=1))
    await desk.group("c-1", "ABNORMAL", MONDAY)
    await desk.close_through(FIRST + timedelta(days=1), MONDAY + timedelta(days=3))
    capsys.readouterr()
    await print_callbacks(desk.world.platform, MONDAY + timedelta(days=3))
    lines = [line.split(maxsplit=3) for line in capsys.readouterr().out.splitlines() if line]
    assert lines[1] == ["new", "2", "2", RULE_TEXTS["new"].en]
    assert lines[2] == ["abnormal", "1", "0", RULE_TEXTS["abnormal"].en]
    assert lines[3] == ["callbacks", "in", "all", "3       2"]


async def test_what_is_due_goes_out_by_itself_once_outside_quiet_hours(desk: Desk) -> None:
    opened = OPENED
    await desk.world.publish(broker.StaffChanged(staff_id="mia", branch_id="B1", name="米娅"), at=ten(opened))
    await desk.open("c-1", opened, phone="13800000000", name="王小明", manager_id="mia")
    database, day = desk.world.database("callbacks"), opened + timedelta(days=1)
    assert not await send_by_itself(database, ten(day)), "nobody has said yet whose time this home lives in"
    await live(desk, "real")
    assert not await send_by_itself(database, at(day, 22))  # quiet hours [B12]
    assert await states(desk, "welcome") == [("c-1", "planned", "quiet_hours")]
    morning = at(day + timedelta(days=1), 8, 30)
    # Several processes at once: one sends, and each message goes out once.
    turns = await asyncio.gather(*(send_by_itself(database, morning) for _ in range(5)))
    assert sum(turns) == 1
    [message] = sent(desk)
    assert message["to"] == "13800000000"
    assert not await send_by_itself(database, morning)
    trace = "SELECT count(*) FROM audit WHERE action = 'message_handed_over'"
    assert await desk.world.value("callbacks", trace) == 1


async def test_a_simulated_home_sends_nothing_by_itself(desk: Desk) -> None:
    await live(desk, "simulated")
    await desk.open("c-1", OPENED, phone="13800000000", manager_id="mia")
    assert not await send_by_itself(desk.world.database("callbacks"), ten(OPENED + timedelta(days=3)))
    assert sent(desk) == []


async def test_the_worker_turns_the_loop(desk: Desk) -> None:
    await live(desk, "real")
    await desk.open("c-1", OPENED, phone="13800000000", manager_id="mia")
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute("UPDATE messages SET due_at = now() - interval '2 days', limit_at = now()")
    worker = desk.world.platform.workers["callbacks"]
    running = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(30):
            while {state for _, state, _ in await states(desk, "welcome")} != {"missed"}:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert worker.states["messages"].error == ""


def assessed(client: str, name: str, until: date) -> AssessmentCompleted:
    return AssessmentCompleted(
        client_id=client,
        assessment_id=name,
        scheme="S",
        level="LOW",
        valid_from=until - timedelta(days=730),
        valid_until=until,
        source="imported",
    )


def expiring(client: str, name: str, until: date, days_left: int) -> AssessmentExpiring:
    return AssessmentExpiring(
        client_id=client, assessment_id=name, scheme="S", level="LOW", valid_until=until, days_left=days_left
    )


async def test_reminders_30_7_and_1_days_before_an_assessment_ends(desk: Desk) -> None:
    await live(desk, "real")
    until = OPENED + timedelta(days=31)
    for client, profile in {"c-1": {"phone": "13800000000"}, "c-2": {"email": "c2@example.cn"}, "c-3": {}}.items():
        await desk.open(client, date(2020, 5, 2), **profile)
    await desk.ask(LEADER, "PATCH", "/clients/c-1/preferences", {"no_marketing": True, "language": "en"}, 200)
    told = [expiring(client, f"s-{client}", until, days) for days in (30, 7, 1) for client in ("c-1", "c-2", "c-3")]
    told += [expiring("c-unknown", "s-0", until, 30), expiring("c-1", "s-past", OPENED - timedelta(days=9), 7)]
    messages = await desk.world.publish(*told)
    await desk.world.redeliver(messages, id="told-again")
    await desk.world.settle()
    planned = await desk.world.rows(
        "callbacks", "SELECT client_id, channel, limit_at FROM messages ORDER BY client_id, due_at"
    )
    assert [row["channel"] for row in planned] == ["sms"] * 3 + ["email"] * 3 + ["sms"] * 3
    # Each may go out until the next one is due.
    limits = [at(until - timedelta(days=days - 1), 0) for days in (7, 1, 0)]
    assert [row["limit_at"] for row in planned] == limits * 3
    database = desk.world.database("callbacks")
    assert await send_by_itself(database, ten(until - timedelta(days=29)))
    # The marketing opt-out does not stop a service message; who has no contact data is skipped and counted.
    assert {one["to"] for one in sent(desk)} == {"13800000000", "c2@example.cn"}
    [english] = [one for one in sent(desk) if one["to"] == "13800000000"]
    assert until.isoformat() in english["body"]
    assert english["body"].startswith("Dear")
    found = await states(desk, "suitability_reminder")
    assert found[6] == ("c-3", "skipped", "no_contact_data")
    counted = await desk.ask(LEADER, "GET", "/statistics/without-contact-data", status=200)
    assert counted["messages"] == 1
    # Assessed again: nobody is reminded of what they have done.
    await desk.world.publish(assessed("c-1", "s-new", until + timedelta(days=700)))
    await desk.world.settle()
    found = await states(desk, "suitability_reminder")
    assert found[:3] == [("c-1", "sent", ""), *[("c-1", "skipped", "assessed_again")] * 2]
    assert found[4] == ("c-2", "planned", "")


async def test_a_simulated_home_plans_no_reminder(desk: Desk) -> None:
    await live(desk, "simulated")
    await desk.open("c-1", date(2020, 5, 2), phone="13800000000")
    await desk.world.publish(expiring("c-1", "s-1", OPENED + timedelta(days=30), 30))
    await desk.world.settle()
    assert await states(desk, "suitability_reminder") == []


async def test_an_enquiry_not_answered_on_its_day_raises_an_alarm_once(desk: Desk) -> None:
    await live(desk, "simulated")
    await desk.close(FIRST)
    await desk.open("c-1", date(2021, 5, 2))
    # Monday morning: the same day; Monday after hours: Tuesday [B14].
    facts = [
        broker.EnquiryReceived(enquiry_id="e-1", client_id="c-1", at=ten(MONDAY)),
        broker.EnquiryReceived(enquiry_id="e-2", client_id="c-1", at=at(MONDAY, 19)),
    ]
    messages = await desk.world.publish(*facts)
    await desk.world.redeliver(messages, id="told-again")
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    [alarm] = await desk.told("callbacks.alarm.raised")
    [task] = await desk.tasks("subject = 'e-1'")
    assert (alarm["kind"], alarm["subject"]) == ("enquiry_target", f"task/{task['task_id']}")
    assert task["state"] == "planned", "the limit of two working days goes on"
    [shown] = await desk.items(LEADER, "/alarms")
    assert shown["alarm_id"] == alarm["alarm_id"]
    async with desk.world.database("callbacks").unit_of_work() as uow:  # answered in time: no alarm
        await uow.sql.execute("UPDATE tasks SET state = 'completed' WHERE subject = 'e-2'")
    await desk.close(MONDAY + timedelta(days=1))
    assert len(await desk.told("callbacks.alarm.raised")) == 1


async def test_a_mandatory_moment_overdue_raises_an_alarm_and_an_optional_one_never(desk: Desk) -> None:
    await live(desk, "simulated")
    await desk.close(FIRST)
    for client in ("c-1", "c-2", "c-3"):
        await desk.open(client, date(2021, 5, 2))
    stages = {"c-1": "DECLINING", "c-2": "DECLINING", "c-3": "MATURE"}
    await desk.world.publish(
        *(
            LifecycleChanged(
                client_id=client,
                branch_id="B1",
                revision=1,
                changed_from=MONDAY,
                previous="GROWING",
                stretches=[LifecycleStretch(since=MONDAY, lifecycle=stage)],  # type: ignore[arg-type]
            )
            for client, stage in stages.items()
        )
    )
    await desk.world.settle()
    [moment] = await desk.items(LEADER, "/clients/c-2/moments")
    await desk.ask(agent("anna"), "POST", f"/moments/{moment['moment_id']}/reaction", {"reaction": "fees"}, 200)
    await desk.close_through(FIRST + timedelta(days=1), MONDAY + timedelta(days=20))
    told = await desk.told("callbacks.alarm.raised")
    assert [(alarm["client_id"], alarm["kind"], alarm["step"]) for alarm in told] == [
        ("c-1", "moment_overdue", step) for step in ("manager", "general_manager", "headquarters")
    ]


async def test_a_new_calendar_leaves_open_tasks_their_dates_and_rules_those_made_from_then_on(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", date(2021, 5, 2))

    def facts(name: str) -> tuple[broker.SurveillanceAlerted, broker.CallMissed]:
        return (
            broker.SurveillanceAlerted(client_id="c-1", alert_id=name, kind="funds", at=at(MONDAY, 17, 10)),
            broker.CallMissed(call_id=name, at=at(MONDAY, 17, 10), phone="13800000000"),
        )

    await desk.world.publish(*facts("before"))
    await desk.world.settle()
    tuesday = MONDAY + timedelta(days=1)
    holiday = CalendarDay(first=tuesday, last=tuesday, kind="holiday", name_zh="临时放假", name_en="a day off")
    published = CalendarPublished(
        number=1,
        rows=(*(row_of(row) for row in shipped().rows), holiday),
        published_at=at(MONDAY, 18),
        published_by="ann",
        checked_by="bob",
    )
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await keep_calendars([published], uow)
    await desk.world.publish(*facts("after"))
    await desk.world.settle()
    due = {(row["rule"], row["period"]): (row["due_on"], row["due_at"]) for row in await desk.tasks()}
    wednesday, thursday = MONDAY + timedelta(days=2), MONDAY + timedelta(days=3)
    assert due["surveillance", "before"] == (wednesday, at(thursday, 0))
    assert due["missed_call", "before"] == (tuesday, at(tuesday, 9, 10))
    assert due["surveillance", "after"] == (thursday, at(thursday + timedelta(days=1), 0))
    assert due["missed_call", "after"] == (wednesday, at(wednesday, 9, 10))
    armed = await desk.world.rows("callbacks", "SELECT due FROM deadlines WHERE kind = 'limit' ORDER BY due")
    assert [row["due"] for row in armed] == [at(tuesday, 9, 10), at(wednesday, 9, 10)]
