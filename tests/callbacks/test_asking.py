"""Messages callbacks asks for: the two to new clients [B12], reminders [B21], taken back when they are pointless."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from chassis.clock import at, business_date, end_of, months_after, utc_now
from contracts import broker
from contracts.messaging import AddressFailed, MessageChanged
from contracts.suitability import AssessmentCompleted, AssessmentExpiring
from services.callbacks.asking import request_id
from tests.callbacks.desk import FIRST, LEADER, Desk

TODAY = business_date(utc_now())
OPENED = TODAY - timedelta(days=6)  # long ago, nothing would be asked for any more


async def asked(desk: Desk, client: str = "c-1") -> list[dict[str, Any]]:
    return [one for one in await desk.told("callbacks.message.requested") if one["client_id"] == client]


async def live(desk: Desk, timeline: str = "real") -> None:
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute("INSERT INTO timeline (timeline, decided_at) VALUES ($1, now())", timeline)


async def test_the_two_messages_to_a_new_client_are_asked_for_once(desk: Desk) -> None:
    await desk.open("c-1", OPENED, phone="13800000000", name="王小明")
    await desk.open("c-2", OPENED)
    for _ in range(2):
        await desk.world.publish(broker.ClientUpdated(client_id="c-1", phone="13800000001"))
        await desk.world.settle()
    first, second = await asked(desk)
    # #1 from day 1, at most day 14; #2 on day 75, within three months [B12].
    assert (first["kind"], second["kind"]) == ("welcome", "follow_up")
    assert [first[name] for name in ("not_before", "not_after")] == [
        _said(at(OPENED + timedelta(days=1), 0)), _said(at(OPENED + timedelta(days=15), 0)),
    ]  # fmt: skip
    assert [second[name] for name in ("not_before", "not_after")] == [
        _said(at(OPENED + timedelta(days=75), 0)), _said(end_of(months_after(OPENED, 3))),
    ]  # fmt: skip
    # Who has no contact data is asked for when there are some.
    assert await asked(desk, "c-2") == []
    await desk.world.publish(broker.ClientUpdated(client_id="c-2", email="wang@example.com"))
    await desk.world.settle()
    assert [one["kind"] for one in await asked(desk, "c-2")] == ["welcome", "follow_up"]
    # Messaging says what became of them; those who lead see what did not arrive.
    key = request_id("welcome", "c-1", OPENED.isoformat())
    for state, reason, when in (("handed", None, 1), ("undelivered", "空号", 3), ("handed", None, 2)):
        told = MessageChanged(
            message_id=key, client_id="c-1", request_id=key, kind="welcome", message_class="NOTICE", channel="sms",
            state=state, reason=reason, at=utc_now() + timedelta(minutes=when),  # type: ignore[arg-type]
        )  # fmt: skip
        await desk.world.publish(told)
    await desk.world.settle()
    [row] = [
        one for one in await desk.ask(LEADER, "GET", "/clients/c-1/messages", status=200) if one["kind"] == "welcome"
    ]
    assert (row["state"], row["reason"], row["channel"]) == ("undelivered", "空号", "sms")
    assert [one["request_id"] for one in await desk.ask(LEADER, "GET", "/messages/alarms", status=200)] == [str(key)]
    # Mails have no receipts: that none came in time is nobody's alarm.
    other = request_id("follow_up", "c-1", OPENED.isoformat())
    await desk.world.publish(
        MessageChanged(
            message_id=other, client_id="c-1", request_id=other, kind="follow_up", message_class="NOTICE", channel="email",
            state="unknown", reason="no_receipt", at=utc_now() + timedelta(minutes=4),
        )
    )  # fmt: skip
    await desk.world.settle()
    assert [one["request_id"] for one in await desk.ask(LEADER, "GET", "/messages/alarms", status=200)] == [str(key)]


def _said(instant: datetime) -> str:
    """As events write an instant."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


async def test_no_manager_by_day_10_is_an_alarm_once(desk: Desk) -> None:
    for client, manager in {"c-1": None, "c-2": "mia"}.items():
        await desk.open(client, TODAY, phone="13800000000", manager_id=manager)
    database, tenth = desk.world.database("callbacks"), at(TODAY + timedelta(days=10), 0)
    async with database.reading() as sql:
        armed = await sql.fetch("SELECT key, due FROM deadlines WHERE kind = 'no_manager' ORDER BY key")
    assert [tuple(row) for row in armed] == [("c-1", tenth), ("c-2", tenth)]
    firing = desk.world.platform.workers["callbacks"].closer.scheduler.firing
    async with database.unit_of_work() as uow:
        assert await firing.due_by(uow, tenth, tenth, 100) == 2
    [alarm] = await desk.told("callbacks.alarm.raised")
    assert (alarm["client_id"], alarm["kind"], alarm["branch_id"]) == ("c-1", "no_manager", "B1")
    [shown] = await desk.items(LEADER, "/alarms")
    assert shown["subject"] == alarm["subject"]


def expiring(client: str, name: str, until: date, days_left: int) -> AssessmentExpiring:
    return AssessmentExpiring(
        client_id=client, assessment_id=name, scheme="S", level="LOW", valid_until=until, days_left=days_left
    )


async def test_reminders_30_7_and_1_days_before_an_assessment_ends(desk: Desk) -> None:
    await live(desk)
    until = TODAY + timedelta(days=31)
    for client in ("c-1", "c-2"):
        await desk.open(client, date(2020, 5, 2), phone="13800000000")
    told = [expiring(client, f"s-{client}", until, days) for days in (30, 7, 1) for client in ("c-1", "c-2")]
    told += [expiring("c-unknown", "s-0", until, 30), expiring("c-1", "s-past", TODAY - timedelta(days=9), 7)]
    messages = await desk.world.publish(*told)
    await desk.world.redeliver(messages, id="told-again")
    await desk.world.settle()
    reminders = await asked(desk)
    # Each may go out until the next one is due.
    assert [one["not_after"] for one in reminders] == [_said(at(until - timedelta(days=n - 1), 0)) for n in (7, 1, 0)]
    assert {one["fields"]["valid_until"] for one in reminders} == {until.isoformat()}
    # Assessed again: nobody is reminded of what they have done, and it is taken back once.
    completed = AssessmentCompleted(
        client_id="c-1", assessment_id="s-new", scheme="S", level="LOW", source="imported",
        valid_from=until - timedelta(days=30), valid_until=until + timedelta(days=700),
    )  # fmt: skip
    again = await desk.world.publish(completed)
    await desk.world.redeliver(again, id="told-again")
    await desk.world.settle()
    taken_back = [one for one in await asked(desk) if one.get("withdrawn")]
    assert {one["request_id"] for one in taken_back} == {one["request_id"] for one in reminders}
    assert len(taken_back) == 3
    assert not any(one.get("withdrawn") for one in await asked(desk, "c-2"))


async def test_a_simulated_home_asks_for_no_reminder(desk: Desk) -> None:
    await live(desk, "simulated")
    await desk.open("c-1", date(2020, 5, 2), phone="13800000000")
    await desk.world.publish(expiring("c-1", "s-1", TODAY + timedelta(days=30), 30))
    await desk.world.settle()
    assert await asked(desk) == []


async def test_an_address_that_fails_opens_one_contact_data_task_at_a_time(desk: Desk) -> None:
    await desk.close(FIRST)
    await desk.open("c-1", date(2021, 5, 2))
    failed = [
        AddressFailed(
            client_id="c-1", channel=channel, message_id=request_id("welcome", "c-1", channel), reason="550 no mailbox",
            at=at(FIRST, 12),
        )
        for channel in ("email", "sms")
    ]  # fmt: skip
    await desk.world.publish(failed[0])
    await desk.world.settle()
    await desk.world.publish(*failed)
    await desk.world.settle()
    [task] = await desk.tasks("rule = 'contact_data'")
    assert (task["state"], task["cause"]["channel"], task["cause"]["reason"]) == ("planned", "email", "550 no mailbox")
