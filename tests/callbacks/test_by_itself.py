"""What callbacks does without being asked: alarms; and what a replay's summary says of it."""

from datetime import date, timedelta

import pytest

from careline.replay.summary import print_callbacks
from chassis.clock import at
from contracts import broker
from contracts.classification import LifecycleChanged, LifecycleStretch
from services.callbacks import policy
from services.callbacks.rule_texts import RULE_TEXTS
from tests.callbacks.desk import FIRST, LEADER, Desk, agent, ten

MONDAY = date(2022, 7, 4)


async def live(desk: Desk, timeline: str) -> None:
    """Name the home's timeline, as the gateway does with the first fact."""
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute("INSERT INTO timeline (timeline, decided_at) VALUES ($1, now())", timeline)


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
