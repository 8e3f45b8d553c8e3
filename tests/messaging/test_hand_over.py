"""What callbacks kept of messages comes over once; then it asks, and hears what became of it [MS1, B12, B20]."""

import asyncio
import json
import runpy
import tempfile
from collections.abc import AsyncIterator, Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chassis.clock import at, business_date, utc_now
from chassis.settings import Settings
from contracts import broker
from contracts.callbacks import MessageHandedOver
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


def kept(who: str, kind: str, cause: str, state: str, **more: Any) -> MessageHandedOver:
    """A message as callbacks told it when it still had its tables."""
    due = more.pop("due", NOON - timedelta(days=1))
    given = {
        "reason": None,
        "channel": "sms",
        "language": "zh-CN",
        "tries": 0 if state == "planned" else 1,
        "fields": "{}",
    } | more
    return MessageHandedOver(
        what="message", item_id=request_id(kind, who, cause), client_id=who, kind=kind, cause=cause, state=state, at=due,
        not_before=due, not_after=NOON + timedelta(days=9), handed_at=None if state == "planned" else due, **given,
    )  # fmt: skip


def _item(what: Any, who: str, **more: Any) -> MessageHandedOver:
    given = {"at": NOON - timedelta(days=2)} | more
    return MessageHandedOver(what=what, item_id=uuid4(), client_id=who, **given)


async def test_what_was_kept_comes_over_once_and_nothing_goes_before_the_end(desk: Desk) -> None:
    who, other = await desk.open(manager_id="mia"), await desk.open()
    told = {
        "planned": kept(who, "e_survey", "t-1", "planned", fields='{"reference": "t-1"}'),
        "sent": kept(who, "follow_up", "2022-01-03", "handed", receipt="r-9", due=NOON - timedelta(hours=9)),
        "sending": kept(other, "e_survey", "t-2", "unknown", reason="sender_died", fields='{"reference": "t-2"}'),
        "news": kept(
            other, "news", str(uuid4()), "planned", fields=json.dumps({"title": "周报", "text": "内容" * 300})
        ),
        "taken back": kept(other, REMINDER, "a-1/7", "cancelled", reason=DONE),
        "bounced": kept(other, "e_survey", "t-3", "undelivered", reason="550 <[邮箱]> gone", receipt="r 8"),
    }
    items = [
        *told.values(),
        _item("opt_out", who), _item("language", who, language="en"), _item("language", other, language="en"),
        _item("subscription", who, column="morning_brief", channel="email", recorded_by=who, at=at(date(2024, 5, 6), 0)),
        _item("feedback", who, column="morning_brief", reason="click", recorded_by=who),
    ]  # fmt: skip
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
        half = items[::2]
        await desk.world.publish(*half, *half)  # again, and in another order
        async with desk.world.database("callbacks").unit_of_work() as uow:  # as the version that had the tables counted
            await uow.sql.execute("INSERT INTO handed_over (part, count) VALUES ('message', $1)", len(items))
        await hand_over_all(desk)
        assert not await send_by_itself(database, "own", _NO_PACE, port)  # the end mark is here before the rest
        await desk.world.publish(*reversed(items))
        await desk.world.settle()
        rows = {name: await desk.message(one.item_id) for name, one in told.items()}
        assert {name: (row.state, row.reason) for name, row in rows.items()} == {
            "planned": ("planned", ""), "sent": ("handed", ""), "sending": ("unknown", "sender_died"),
            "news": ("planned", ""), "bounced": ("undelivered", "550 <[邮箱]> gone"),
            "taken back": ("cancelled", "assessed_again"),
        }  # fmt: skip
        assert rows["bounced"].provider_ref == "r 8"
        assert (rows["planned"].cause, rows["sent"].provider_ref) == ("t-1", "r-9")
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
        assert {one["id"] for one in provider.taken} == {str(told["planned"].item_id), str(asked.message_id)}
        assert len(provider.taken) == 2
        assert (await desk.message(told["news"].item_id)).reason == "too_long"


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


DROPPED = Path(handover.__file__).parent / "migrations/versions/0018_handed_over.py"


@pytest.mark.parametrize(
    ("kept", "end", "refused"),
    [
        ("INSERT INTO messages VALUES (1)", False, True),
        ("INSERT INTO messages VALUES (1)", True, False),
        ("INSERT INTO feedback VALUES (1)", False, True),
        ("INSERT INTO clients VALUES (true, 'zh-CN')", False, True),
        ("INSERT INTO clients VALUES (false, 'en')", False, True),
        ("INSERT INTO clients VALUES (false, 'zh-CN')", False, False),  # nothing was ever kept
    ],
)
async def test_tables_go_where_all_of_them_was_handed_over(desk: Desk, kept: str, end: bool, refused: bool) -> None:
    async with desk.world.sql("callbacks") as sql, sql.transaction():
        for name in ("messages", "subscriptions", "feedback", "mailings"):
            await sql.execute(f"CREATE TEMP TABLE {name} (id int) ON COMMIT DROP")
        await sql.execute("CREATE TEMP TABLE handed_over (part text) ON COMMIT DROP")
        await sql.execute("CREATE TEMP TABLE clients (no_marketing bool, language text) ON COMMIT DROP")
        await sql.execute(kept)
        if end:
            await sql.execute("INSERT INTO handed_over VALUES ('end')")
        untold = runpy.run_path(str(DROPPED))["UNTOLD"]
        assert await sql.fetchval(untold) == refused
