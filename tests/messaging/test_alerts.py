"""What staff are told: alerts by apprise, to real webhooks of which one does not work; messages of our app in WeCom [MS14, MS15]."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from chassis.clock import at, business_date, utc_now
from services.messaging import alerts
from services.messaging.messages import Wanted, ask
from services.messaging.ports.wecom import WeCom
from services.messaging.sending import judge_due, send_due
from tests.messaging.desk import DESK, HQ, Desk
from tests.messaging.test_trials import OFFICER, staff
from tests.messaging.wecom_server import serving_wecom

NOON = at(business_date(utc_now()), 12)


@asynccontextmanager
async def webhook(status: str = "200 OK") -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook as apprise calls it, and what it was told."""
    told: list[dict[str, Any]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")
        )
        told.append(json.loads(await reader.readexactly(length)))
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"json://127.0.0.1:{server.sockets[0].getsockname()[1]}", told
    finally:
        server.close()


async def test_an_alert_is_told_once_and_an_address_that_fails_holds_up_no_other(desk: Desk) -> None:
    database = desk.world.database("messaging")
    for _ in range(2):
        async with database.unit_of_work() as uow:
            await alerts.note(uow, "paid_days_without_content", "SMS1/2026-11-27", "nothing was sent")
    now = utc_now() + timedelta(seconds=1)
    async with webhook() as (works, told), webhook("500 Server Error") as (fails, refused):
        assert await alerts.send(database, [works], now)
        assert not await alerts.send(database, [works], now)
        assert [one["message"] for one in told] == ["nothing was sent\nSMS1/2026-11-27"]
        # Another one, which one address never takes: five times there, and no more.
        async with database.unit_of_work() as uow:
            await alerts.note(uow, "unregistered_sender", "contact/1", "mia wrote")
        later = now
        for _ in range(alerts.TRIES + 2):
            later += timedelta(hours=1)
            await alerts.send(database, [fails], later)
        assert len(refused) == alerts.TRIES
        # Of two addresses of one kind only the one that failed is tried again.
        async with database.unit_of_work() as uow:
            await alerts.note(uow, "unregistered_sender", "contact/2", "lou wrote")
        for _ in range(2):
            later += timedelta(hours=1)
            await alerts.send(database, [works, fails], later)
        assert (len(told), len(refused)) == (2, alerts.TRIES + 2)
        # The address that failed was corrected: nobody is taken for told who was not.
        later += timedelta(hours=1)
        await alerts.send(database, [works], later)
        assert (len(told), told[-1]["message"]) == (3, "lou wrote\ncontact/2")
    listed = await desk.ok(HQ, "GET", "/alerts")
    assert [(one["kind"], one["state"], one["tries"], one["failed"].partition("#")[0]) for one in listed] == [
        ("unregistered_sender", "sent", 3, ""), ("unregistered_sender", "failed", 5, "json"),
        ("paid_days_without_content", "sent", 1, ""),
    ]  # fmt: skip
    await desk.ok(DESK, "GET", "/alerts", status=403)


async def test_a_provider_that_takes_nothing_for_a_while_is_an_alert_once_an_hour(desk: Desk) -> None:
    database, who = desk.world.database("messaging"), await desk.open()
    row = await desk.ask(who, "account_notice", NOON, fields={"text": "资料已更新"})
    async with database.unit_of_work() as uow:
        await uow.sql.execute(
            "UPDATE messages SET tries = 2, reason = 'HTTP 503' WHERE message_id = $1", row.message_id
        )
    for _ in range(2):
        await alerts.watch(database, NOON + timedelta(minutes=40))
    found = [one for one in await desk.ok(HQ, "GET", "/alerts") if one["kind"] == "provider_down"]
    assert [one["subject"].partition("/")[0] for one in found] == ["own"]
    assert "1 messages wait for another try" in found[0]["words"]


async def test_staff_are_written_to_in_wecom_without_anybodys_confirmation(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CARELINE_MESSAGES_WECOM_CORP_ID", "corp")
    await staff(desk, "kim", "lou", "comp-1")
    for name in ("kim", "lou"):
        given = {"staff_id": name, "channel": "wecom", "address": f"id-{name}"}
        await desk.ok(OFFICER, "POST", "/registrations", given, 201)
    database, fields = desk.world.database("messaging"), {"title": "今日待办", "text": "三项逾期"}
    noon = NOON + timedelta(days=1)

    def notice(name: str, cause: str) -> Wanted:
        return Wanted(staff_id=name, kind="staff_notice", cause=cause, fields=fields, asked_by="test", asked_at=noon)

    # Thirty a minute to a member, and those of a class, which hold for clients, do not count.
    wanted = [notice("kim", f"k{n}") for n in range(32)] + [notice("lou", "l0")]
    async with database.unit_of_work() as uow:
        await ask(uow, wanted, noon)
    async with serving_wecom() as server:
        port = WeCom(server.url, "corp", "secret", 2, 1000002)
        server.nobody.add("id-lou")
        await send_due(database, "wecom", port, noon)
        rows = [await desk.message(one.message_id) for one in wanted]
        assert [row.state for row in rows[:32]].count("delivered") == 30
        assert {row.reason for row in rows[:32] if row.state != "delivered"} == {"cap"}
        assert (rows[32].state, rows[32].reason) == ("undelivered", "nobody of that id")
        assert server.staff[0]["text"] == {"content": "今日待办：三项逾期"}
        assert {(one["touser"], one["agentid"], one["msgtype"]) for one in server.staff} == {
            ("id-kim", 1000002, "text"), ("id-lou", 1000002, "text"),
        }  # fmt: skip
        later = noon + timedelta(minutes=2)
        while await judge_due(database, later):
            pass
        await send_due(database, "wecom", port, later)
        assert [(await desk.message(one.message_id)).state for one in wanted[:32]].count("delivered") == 32
    # Without an app of ours nothing is tried.
    async with database.unit_of_work() as uow:
        await ask(uow, [notice("kim", "none")], later + timedelta(minutes=5))
    async with serving_wecom() as server:
        await send_due(database, "wecom", WeCom(server.url, "corp", "secret", 2), later + timedelta(minutes=5))
        assert server.staff == []
