"""What callbacks kept of messages comes over once; then it asks, and hears what became of it [MS1, B12, B20]."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from chassis.clock import at, business_date, utc_now
from chassis.settings import Settings
from contracts import broker
from contracts.messaging import MessageChanged, message_id
from gateway.app import service as gateway
from services.callbacks import handover
from services.callbacks.app import service as callbacks
from services.callbacks.asking import DONE, REMINDER, request_id
from services.messaging import hand_over
from services.messaging.app import service as messaging
from services.messaging.ports.sms import HttpSms
from services.messaging.sending import judge_due, send_by_itself, send_due
from tests.conftest import KEYS, Cluster, new_world
from tests.messaging.desk import Desk, client
from tests.messaging.gateway import serving

TODAY = business_date(utc_now())
OPENED = TODAY - timedelta(days=6)
NOON = at(TODAY, 12)


@pytest.fixture(scope="module")
async def desk(clusters: Callable[[str], Cluster]) -> AsyncIterator[Desk]:
    """Callbacks and messaging, before anything is handed over."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), **KEYS)
        async with new_world(settings, clusters("wheel"), "log", (gateway, callbacks, messaging)) as world:
            made = Desk(world)
            await made.real()
            yield made
            await world.seal()
            assert await world.findings() == []


async def hand_over_all(desk: Desk) -> None:
    database = desk.world.database("callbacks")
    # Several workers at once tell nothing twice.
    while any(await asyncio.gather(*(handover.turn(database) for _ in range(3)))):
        pass
    await desk.world.settle()


KEPT = """INSERT INTO messages (message_id, client_id, branch_id, kind, channel, language, inputs, planned_at, due_at, limit_at,
                                state, tries, sent_at, receipt, reason)
          VALUES ($1, $2, 'B1', $3, 'sms', 'zh-CN', $4, $5, $5, $6, $7, $8, $9, $10, $11)"""


async def keep(desk: Desk, who: str, kind: str, period: str, state: str, **more: Any) -> UUID:
    """A message as callbacks kept it when it still sent itself."""
    key, due = request_id(kind, who, period), more.get("due", NOON - timedelta(days=1))
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute(
            KEPT, key, who, kind, more.get("inputs", {}), due, NOON + timedelta(days=9), state,
            0 if state == "planned" else 1, None if state == "planned" else due, more.get("receipt"), more.get("reason", ""),
        )  # fmt: skip
    return key


async def test_what_was_kept_comes_over_once_and_nothing_goes_before_the_end(desk: Desk) -> None:
    who, other = await desk.open(manager_id="mia"), await desk.open()
    kept = {
        "planned": await keep(desk, who, "e_survey", "t-1", "planned", inputs={"reference": "t-1"}),
        "sent": await keep(desk, who, "follow_up", "2022-01-03", "sent", receipt="r-9", due=NOON - timedelta(hours=9)),
        "sending": await keep(desk, other, "e_survey", "t-2", "sending", inputs={"reference": "t-2"}),
        "news": await keep(
            desk, other, "news", str(uuid4()), "planned", inputs={"title": "周报", "text": "内容" * 300, "column": "x"}
        ),
        "taken back": await keep(desk, other, REMINDER, "a-1/7", "planned", inputs={"assessment": "a-1"}),
        "bounced": await keep(
            desk, other, "e_survey", "t-3", "undeliverable", reason="550\r\n<victim@a.cn>\x07gone", receipt="r\r\n8"
        ),
    }
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute("UPDATE clients SET no_marketing = true, language = 'en' WHERE client_id = $1", who)
        await uow.sql.execute("UPDATE clients SET language = 'en' WHERE client_id = $1", other)
        await uow.sql.execute("INSERT INTO subscriptions VALUES ($1, 'morning_brief', 'email', '2024-05-06', $1)", who)
        await uow.sql.execute(
            """INSERT INTO feedback (feedback_id, client_id, column_code, kind, at, on_day, recorded_by)
               VALUES ($1, $2, 'morning_brief', 'click', now(), current_date, $2)""",
            uuid4(),
            who,
        )
        await uow.sql.execute(
            """INSERT INTO requests SELECT message_id, client_id, kind, message_id::text, '{}', planned_at, due_at, limit_at,
                   'planned', $2, channel, planned_at FROM messages WHERE message_id = $1""",
            kept["taken back"],
            DONE,
        )
    database = desk.world.database("messaging")
    asked = await desk.ask(other, "account_notice", NOON, fields={"text": "x"})
    # A choice made meanwhile stays; of a language nothing was said.
    await desk.ok(client(other), "PUT", f"/clients/{other}/preferences", {"refused": ["wecom"]})
    async with database.reading() as sql:
        assert (await hand_over.check(sql))["status"] == "warn"
    assert not await judge_due(database, NOON)
    async with serving() as provider:
        port = {"own": HttpSms(provider.url)}
        assert not await send_by_itself(database, "own", _NO_PACE, port)
        await hand_over_all(desk)
        await hand_over_all(desk)  # once is all
        rows = {name: await desk.message(key) for name, key in kept.items()}
        assert {name: (row.state, row.reason) for name, row in rows.items()} == {
            "planned": ("planned", ""), "sent": ("handed", ""), "sending": ("unknown", "sender_died"),
            "news": ("planned", ""), "bounced": ("undelivered", "550 <[邮箱]> gone"),
            "taken back": ("cancelled", "assessed_again"),
        }  # fmt: skip
        requests = "SELECT state FROM requests WHERE request_id = $1"
        assert await desk.world.value("callbacks", requests, kept["taken back"]) == "cancelled"
        assert rows["bounced"].provider_ref == "r 8"
        assert (rows["planned"].cause, rows["sent"].provider_ref) == ("t-1", "r-9")
        told = await desk.told("callbacks.message.handed_over")
        assert [one["what"] for one in told].count("end") == 1
        assert not any("内容" in str(one) or "t-1" in str(one.get("fields", "")) for one in told)
        async with database.reading() as sql:
            assert (await hand_over.check(sql))["status"] == "pass"
        # The client's choices are here, and what was due goes: once, under its own id.
        chosen = await desk.ok(client(who), "GET", f"/clients/{who}/preferences")
        assert chosen["language"] == "en"
        theirs = await desk.ok(client(other), "GET", f"/clients/{other}/preferences")
        assert (theirs["language"], theirs["refused"]) == ("en", ["wecom"])
        assert {(one["message_class"], one["allowed"]) for one in chosen["consents"]} == {
            ("MARKETING", False), ("SUBSCRIBED", False),
        }  # fmt: skip
        [line] = await desk.ok(client(who), "GET", f"/clients/{who}/subscriptions")
        assert (line["column"], line["channel"], line["since"]) == ("morning_brief", "email", "2024-05-06")
        assert len(await desk.ok(client(who), "GET", f"/clients/{who}/feedback")) == 1
        later = NOON + timedelta(days=1)  # what the hand-over moved is due by the real clock, which may be past noon
        assert await judge_due(database, later) is False
        await send_due(database, "own", port["own"], later)
        await send_due(database, "own", port["own"], later + timedelta(minutes=5))
        assert {one["id"] for one in provider.taken} == {str(kept["planned"]), str(asked.message_id)}
        assert len(provider.taken) == 2
        assert (await desk.message(kept["news"])).reason == "too_long"


async def test_a_new_client_is_welcomed_when_there_is_a_manager_to_name(desk: Desk) -> None:
    await hand_over_all(desk)
    database = desk.world.database("messaging")
    await desk.world.publish(
        broker.ClientOpened(client_id="n-1", branch_id="B1", opened_on=OPENED, phone="13711112222", name="王小明"),
        broker.StaffChanged(staff_id="mia", branch_id="B1", name="米娅"),
        at=at(OPENED, 9),
    )
    await desk.world.settle()
    first, second = (message_id(kind, "n-1", OPENED.isoformat()) for kind in ("welcome", "follow_up"))
    assert (await desk.message(first)).reason == "no_manager"
    assert (await desk.message(second)).not_before == at(OPENED + timedelta(days=75), 0)
    await desk.world.publish(broker.ClientUpdated(client_id="n-1", manager_id="mia"), at=utc_now())
    await desk.world.settle()
    noon = at(TODAY + timedelta(days=1), 12)
    async with serving() as provider:
        await judge_due(database, noon)
        await send_due(database, "own", HttpSms(provider.url), noon)
        [text] = provider.sent("13711112222")
        assert "您的客户经理米娅" in text
        later = at(OPENED + timedelta(days=76), 12)
        await judge_due(database, later)
        await send_due(database, "own", HttpSms(provider.url), later)
        assert "基础服务套餐" in provider.sent("13711112222")[1]
    await desk.world.settle()
    states = await desk.world.rows(
        "callbacks", "SELECT kind, state FROM requests WHERE client_id = 'n-1' ORDER BY kind"
    )
    assert [tuple(row.values()) for row in states] == [("follow_up", "handed"), ("welcome", "handed")]
    # A word that comes late changes nothing that is newer.
    request = request_id("welcome", "n-1", OPENED.isoformat())
    await desk.world.publish(
        MessageChanged(
            message_id=first, client_id="n-1", request_id=request, kind="welcome", message_class="NOTICE",
            state="suppressed", at=at(date(2022, 1, 3), 12),
        )
    )  # fmt: skip
    await desk.world.settle()
    state = await desk.world.value("callbacks", "SELECT state FROM requests WHERE request_id = $1", request)
    assert state == "handed"


async def test_a_number_that_does_not_work_opens_a_contact_data_task(desk: Desk) -> None:
    await hand_over_all(desk)
    who = await desk.open(phone="13733334444")
    await desk.ask(who, "account_notice", NOON, fields={"text": "x"})
    async with serving() as provider:
        provider.default = "dead_inside"
        await send_due(desk.world.database("messaging"), "own", HttpSms(provider.url), NOON)
    await desk.world.settle()
    tasks = await desk.world.rows("callbacks", "SELECT rule, state, cause FROM tasks WHERE client_id = $1", who)
    assert [(row["rule"], row["state"], row["cause"]["reason"]) for row in tasks] == [
        ("contact_data", "planned", "空号")
    ]


class _NoPace:
    def wait_seconds(self, count: int, per_second: int) -> float:
        return 0.0


_NO_PACE: Any = _NoPace()
