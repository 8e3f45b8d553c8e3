"""What callbacks does without being asked: sending, reminders, alarms; and what a replay's summary says of it."""

import asyncio
import json
from datetime import date, timedelta
from typing import Any

import pytest

from careline.replay.summary import print_callbacks
from chassis.clock import at, business_date, utc_now
from contracts import broker
from services.callbacks import policy
from services.callbacks.messages.sending import send_by_itself
from services.callbacks.why import WHY
from tests.callbacks.desk import FIRST, Desk, ten

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
    assert set(WHY) == set(policy.TRIGGERS.shipped[-1].body), "every rule of the table has its sentence"
    await desk.close(FIRST)
    for client in ("c-1", "c-2"):
        await desk.open(client, FIRST + timedelta(days=1))
    await desk.group("c-1", "ABNORMAL", MONDAY)
    await desk.close_through(FIRST + timedelta(days=1), MONDAY + timedelta(days=3))
    capsys.readouterr()
    await print_callbacks(desk.world.platform, MONDAY + timedelta(days=3))
    lines = [line.split(maxsplit=3) for line in capsys.readouterr().out.splitlines() if line]
    assert lines[1] == ["new", "2", "2", WHY["new"].en]
    assert lines[2] == ["abnormal", "1", "0", WHY["abnormal"].en]
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
