"""What comes in: receipts late, repeated and unknown, replies in any spelling, the app's mailbox."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from careline.asgi import apps_of
from chassis.actor import Role
from chassis.clock import at, business_date, utc_now
from gateway.app import gateway_app
from gateway.settings import GatewaySettings
from gateway.tokens import issue_token
from services.messaging.ports.adapters import ports
from services.messaging.ports.sms import HttpSms
from services.messaging.sending import end_waits, send_due
from services.messaging.settings import MessageSettings
from services.messaging.tables import MessageRow
from tests.messaging.desk import ELSEWHERE, HEAD, SYSTEM, Desk, client
from tests.messaging.gateway import Gateway, serving

NOON = at(business_date(utc_now()) - timedelta(days=1), 12)  # so that what providers say of it lies in the past
SECRET = "shared with the provider"


@pytest.fixture
async def gateway(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    monkeypatch.setenv("CARELINE_MESSAGES_INBOUND_SECRET", SECRET)
    async with desk.world.database("messaging").unit_of_work() as uow:
        await uow.sql.execute("UPDATE messages SET state = 'cancelled' WHERE state IN ('planned', 'queued')")
    async with serving() as made:
        yield made


async def bring(desk: Desk, secret: str = SECRET, when: datetime | None = None, **body: Any) -> httpx.Response:
    """What a provider brings, signed."""
    data = json.dumps(body).encode()
    seconds = str(int((when or utc_now()).timestamp()))
    made = hmac.new(secret.encode(), seconds.encode() + b"." + data, hashlib.sha256).hexdigest()
    headers = {"signature": f"t={seconds},v1={made}", "content-type": "application/json"}
    async with desk.world.client("messaging", SYSTEM) as http:
        return await http.post("/v1/messaging/inbound", content=data, headers=headers)


async def taken(desk: Desk, **body: Any) -> dict[str, int]:
    response = await bring(desk, **body)
    assert response.status_code == 200, response.text
    found: dict[str, int] = response.json()
    return found


async def sent(desk: Desk, gateway: Gateway, client_id: str, period: str = "p1") -> MessageRow:
    row = await desk.ask(client_id, "account_notice", NOON, period, fields={"text": "资料已更新"})
    await send_due(desk.world.database("messaging"), "own", HttpSms(gateway.url), NOON)
    return await desk.message(row.message_id)


def receipt(row: MessageRow, state: str = "delivered", minutes: int = 1, **more: Any) -> dict[str, Any]:
    return {"receipt": row.provider_ref, "state": state, "at": (NOON + timedelta(minutes=minutes)).isoformat()} | more


def reply(number: str, text: str, key: str | None = None, minutes: int = 1) -> dict[str, Any]:
    when = NOON + timedelta(minutes=minutes)
    return {"inbound_id": key or str(uuid4()), "number": number, "text": text, "at": when.isoformat()}


async def test_only_providers_that_sign_bring_anything(
    desk: Desk, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await bring(desk)).status_code == 200
    assert (await bring(desk, secret="another")).status_code == 403
    assert (await bring(desk, when=utc_now() - timedelta(minutes=6))).status_code == 403
    assert (await desk.call(SYSTEM, "POST", "/inbound", {})).status_code == 403
    assert (await desk.call(HEAD, "POST", "/inbound", {})).status_code == 403
    monkeypatch.setenv("CARELINE_MESSAGES_INBOUND_SECRET", "")
    assert (await bring(desk, secret="")).status_code == 403


async def test_receipts_move_once_and_late_ones_correct(desk: Desk, gateway: Gateway) -> None:
    row = await sent(desk, gateway, await desk.open())
    many = [receipt(row)] * 10
    assert await taken(desk, receipts=many) == {"moved": 1, "repeated": 9, "unknown": 0, "replies": 0}
    assert await taken(desk, receipts=[receipt(row, "undelivered")]) == {
        "moved": 0,
        "repeated": 1,
        "unknown": 0,
        "replies": 0,
    }
    found = await desk.message(row.message_id)
    assert (found.state, found.ended_at) == ("delivered", NOON + timedelta(minutes=1))
    late = await sent(desk, gateway, await desk.open())
    await end_waits(desk.world.database("messaging"), NOON + timedelta(hours=73))
    assert (await desk.message(late.message_id)).state == "unknown"
    by_id = {"message_id": str(late.message_id), "state": "delivered", "at": NOON.isoformat()}
    assert (await taken(desk, receipts=[by_id]))["moved"] == 1
    assert (await desk.message(late.message_id)).state == "delivered"


async def test_receipts_of_nothing_known_and_those_that_are_faster_than_our_note(desk: Desk, gateway: Gateway) -> None:
    row = await desk.ask(await desk.open(), "account_notice", NOON, fields={"text": "x"})
    early = {"receipt": f"r-{row.message_id}", "state": "delivered", "at": NOON.isoformat()}
    strange = {"message_id": str(uuid4()), "state": "delivered", "at": NOON.isoformat()}
    assert await taken(desk, receipts=[early, strange]) == {"moved": 0, "repeated": 0, "unknown": 2, "replies": 0}
    await send_due(desk.world.database("messaging"), "own", HttpSms(gateway.url), NOON)
    assert (await desk.message(row.message_id)).state == "delivered"
    assert (await bring(desk, receipts=[{"state": "delivered", "at": NOON.isoformat()}])).status_code == 422


async def test_a_bounce_asks_for_contact_data(desk: Desk, gateway: Gateway) -> None:
    who = await desk.open()
    row = await sent(desk, gateway, who)
    assert (await taken(desk, receipts=[receipt(row, "undelivered", reason="停机")]))["moved"] == 1
    told = [one for one in await desk.told("messaging.address.failed") if one["client_id"] == who]
    assert [(one["channel"], one["reason"]) for one in told] == [("sms", "停机")]
    assert (await desk.ask(who, "opt_out_confirmed", NOON, "again")).reason == "address_failed"


@pytest.mark.parametrize("text", ["ｔ ｄ", "T", "退订", "ｒ。"])
async def test_a_reply_in_any_spelling_stops_marketing_on_that_number(desk: Desk, gateway: Gateway, text: str) -> None:
    who = await desk.open()
    number = f"139{desk.opened:08d}"
    agreed = {"consents": [{"message_class": "MARKETING", "allowed": True}]}
    await desk.ok(client(who), "PUT", f"/clients/{who}/preferences", agreed)
    once = reply(f"+86 {number}", text, minutes=24 * 60 - 1)
    before = utc_now()
    later = {"at": before.isoformat()}
    assert (await taken(desk, replies=[once | later, once | later]))["replies"] == 1
    assert (await taken(desk, replies=[once | later]))["replies"] == 0
    stopped = await desk.ask(who, "invitation", utc_now(), "m")
    assert stopped.channel != "sms"
    assert (await desk.ask(who, "account_notice", NOON, "n", fields={"text": "x"})).reason != "opted_out"
    confirmations = await desk.world.rows(
        "messaging", "SELECT 1 FROM messages WHERE client_id = $1 AND kind = 'opt_out_confirmed'", who
    )
    assert len(confirmations) == 1
    [word] = [
        one
        for one in (await desk.ok(client(who), "GET", f"/clients/{who}/preferences"))["consents"]
        if one["how"] == "reply"
    ]
    assert (word["message_class"], word["allowed"], word["evidence"]) == (
        "MARKETING",
        False,
        f"inbound/{once['inbound_id']}",
    )
    told = [one for one in await desk.told("messaging.reply.received") if one.get("client_id") == who]
    assert [one["command"] for one in told] == ["STOP"]
    # Whoever agrees anew takes it back.
    await desk.ok(client(who), "PUT", f"/clients/{who}/preferences", agreed)
    assert (await desk.ask(who, "invitation", utc_now(), "m2")).reason != "opted_out"


async def test_replies_of_strangers_of_several_and_of_no_meaning(desk: Desk, gateway: Gateway) -> None:
    number = "13411112222"
    shared = [await desk.open(phone=number) for _ in range(2)]
    said = [
        reply(number, "TD"),
        reply("13499998888", "退订"),
        reply(number, "。"),
        reply(number, "t 2"),
        reply("12345", ""),
    ]
    assert (await taken(desk, replies=said))["replies"] == 5
    told = {one["inbound_id"]: one for one in await desk.told("messaging.reply.received")}
    assert [told[one["inbound_id"]]["command"] for one in said] == ["STOP", "STOP", "OTHER", "SMS2", "OTHER"]
    assert all("client_id" not in told[one["inbound_id"]] for one in said)
    changed = {one["client_id"] for one in await desk.told("messaging.consent.changed")}
    assert changed >= set(shared)


async def test_replies_are_read_by_who_serves_with_their_words_masked(desk: Desk, gateway: Gateway) -> None:
    who = await desk.open()
    await taken(desk, replies=[reply(f"139{desk.opened:08d}", "请打13800138000找我")])
    stored = await desk.world.value("messaging", "SELECT words FROM inbound WHERE client_id = $1", who)
    assert stored.startswith(b"sealed:")
    [own] = await desk.ok(client(who), "GET", f"/clients/{who}/replies")
    [seen] = await desk.ok(HEAD, "GET", f"/clients/{who}/replies")
    assert own["words"] == "请打13800138000找我"
    assert "13800138000" not in seen["words"]
    assert (await desk.call(ELSEWHERE, "GET", f"/clients/{who}/replies")).status_code == 404


async def test_the_apps_mailbox(desk: Desk, gateway: Gateway) -> None:
    who = await desk.open(phone=None, name="王小明")
    app = ports(MessageSettings(), desk.world.settings.home)["app"]
    for period in ("a", "b"):
        await desk.ask(who, "account_notice", NOON, period, fields={"text": f"资料{period}"})
    await send_due(desk.world.database("messaging"), "app", app, NOON)
    path = f"/clients/{who}/mailbox"
    found = (await desk.ok(client(who), "GET", path))["items"]
    assert {one["text"] for one in found} == {f"尊敬的王小明：资料{period}。服务热线400-000-0000。" for period in "ab"}
    assert await desk.ok(client(who), "GET", f"{path}/unread") == {"unread": 2}
    key = found[0]["message_id"]
    for _ in range(2):
        assert await desk.ok(client(who), "POST", f"{path}/{key}/read") == {"unread": 1}
    other = await desk.open()
    assert (await desk.call(client(other), "GET", path)).status_code == 404
    assert (await desk.call(client(other), "POST", f"/clients/{other}/mailbox/{key}/read")).status_code == 404
    assert (await desk.call(HEAD, "GET", path)).status_code == 403


async def test_whoever_follows_the_mailbox_is_told_at_once_through_the_gateway(desk: Desk, gateway: Gateway) -> None:
    who, world = await desk.open(phone=None), desk.world
    app = ports(MessageSettings(), world.settings.home)["app"]
    door = gateway_app(world.settings, world.database("gateway"), apps_of(world.platform), own=GatewaySettings())
    said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    token = issue_token(world.settings, Role.CLIENT, client_id=who)
    path = f"/v1/messaging/clients/{who}/mailbox/stream"
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": b"", "headers": [(b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 1), "server": ("careline.test", 80),
    }  # fmt: skip

    async def send(message: Any) -> None:
        if b"event: mailbox" in message.get("body", b""):
            said.put_nowait(json.loads(message["body"].partition(b"data: ")[2]))

    following = asyncio.create_task(door(scope, asyncio.Event().wait, send))  # type: ignore[arg-type]
    try:
        assert await said.get() == {"unread": 0, "newest": None}
        row = await desk.ask(who, "account_notice", NOON, fields={"text": "资料已更新"})
        await send_due(world.database("messaging"), "app", app, NOON)
        assert await said.get() == {"unread": 1, "newest": str(row.message_id)}
        await desk.ok(client(who), "POST", f"/clients/{who}/mailbox/{row.message_id}/read")
        assert await said.get() == {"unread": 0, "newest": str(row.message_id)}
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert (await desk.call(client(await desk.open()), "GET", f"/clients/{who}/mailbox/stream")).status_code == 404
    assert (await desk.call(HEAD, "GET", f"/clients/{who}/mailbox/stream")).status_code == 403


async def test_codes_are_kept_nowhere_but_in_their_fields(desk: Desk, gateway: Gateway) -> None:
    row = await desk.ask(await desk.open(), "verify", NOON, fields={"code": "482917"})
    await send_due(desk.world.database("messaging"), "own", HttpSms(gateway.url), NOON)
    found = await desk.message(row.message_id)
    assert (found.state, found.words) == ("handed", None)


async def test_a_receipt_that_is_faster_than_our_note_leaves_nothing_in_hand(desk: Desk, gateway: Gateway) -> None:
    one = await desk.ask(await desk.open(), "account_notice", NOON, fields={"text": "x"})
    word = {"message_id": str(one.message_id), "state": "delivered", "at": NOON.isoformat()}

    class Fast(HttpSms):
        """A gateway whose receipt, by our own id, is there before its answer is noted."""

        async def send(self, letters: Any) -> Any:
            answers = await super().send(letters)
            assert (await taken(desk, receipts=[word]))["moved"] == 1
            return answers

    await send_due(desk.world.database("messaging"), "own", Fast(gateway.url), NOON)
    found = await desk.message(one.message_id)
    assert (found.state, found.batch_id) == ("delivered", None)
