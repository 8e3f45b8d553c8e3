"""A named provider's own protocol, through the sending loop; providers that bring nothing are asked."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from chassis.clock import at, business_date, utc_now
from services.messaging import polling
from services.messaging.policy import Policies
from services.messaging.ports.adapters import ports
from services.messaging.ports.aliyun import Aliyun, signature
from services.messaging.ports.sms import HttpSms
from services.messaging.sending import send_due
from services.messaging.settings import MessageSettings
from tests.messaging.aliyun_server import KEY_ID, SECRET, AliyunServer, serving_aliyun
from tests.messaging.desk import HQ, Desk
from tests.messaging.gateway import serving

NOON = at(business_date(utc_now()), 12)


def test_the_signature_is_that_of_the_documentations_example() -> None:
    given = {
        "AccessKeyId": "testId", "Action": "SendSms", "Format": "XML", "OutId": "123", "PhoneNumbers": "15300000001",
        "RegionId": "cn-hangzhou", "SignName": "阿里云短信测试专用", "SignatureMethod": "HMAC-SHA1",
        "SignatureNonce": "45e25e9b-0a6f-4070-8c85-2956eda1b466", "SignatureVersion": "1.0", "TemplateCode": "SMS_71390007",
        "TemplateParam": '{"customer":"test"}', "Timestamp": "2017-07-12T02:42:19Z", "Version": "2017-05-25",
    }  # fmt: skip
    assert signature(given, "testSecret", "GET") == "zJDF+Lrzhj/ThnlvIToysFRq6t4="


@pytest.fixture
async def filed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home with a cloud, with which the template of codes is filed and none other."""
    monkeypatch.setenv("CARELINE_MESSAGES_SMS_CLOUD", "http://127.0.0.1:9/sms")
    shipped = Policies.tables["filings"].shipped[-1].written
    body = dict(shipped) | {
        "templates": [{"kind": "verify", "way": "cloud", "code": "SMS_154950909", "state": "approved"}],
        "templates_filed": ["cloud"],
    }
    async with desk.world.database("messaging").unit_of_work() as uow:
        await uow.sql.execute(
            """INSERT INTO policy_versions (name, scope, version, effective_on, body, reason, state, made_by, made_at)
               SELECT 'filings', '', 1, $1, $2, 'test', 'published', 'test', now()
               WHERE NOT EXISTS (SELECT FROM policy_versions WHERE name = 'filings')""",
            business_date(utc_now()) - timedelta(days=3),
            body,
        )


FINALLY: Mapping[str, tuple[str, str]] = {
    "OK": ("handed", ""),
    "isv.MOBILE_NUMBER_ILLEGAL": ("undelivered", "isv.MOBILE_NUMBER_ILLEGAL said the service"),
    "isv.SMS_TEMPLATE_ILLEGAL": ("undelivered", "isv.SMS_TEMPLATE_ILLEGAL said the service"),
    "isv.BUSINESS_LIMIT_CONTROL": ("queued", "isv.BUSINESS_LIMIT_CONTROL said the service"),
    "isv.AMOUNT_NOT_ENOUGH": ("queued", "isv.AMOUNT_NOT_ENOUGH said the service"),
    "bad": ("queued", "bad said the service"),
    "no_biz_id": ("queued", "the answer carries no BizId"),  # a code alone is sent again
    "isp.SYSTEM_ERROR": ("handed", ""),  # asked about, and found
    "hang_up": ("handed", ""),
    "silent": ("handed", ""),
    "html": ("handed", ""),
}


@pytest.mark.usefixtures("filed")
async def test_every_answer_of_the_provider_is_understood_and_what_is_unclear_is_looked_for(desk: Desk) -> None:
    database, made = desk.world.database("messaging"), {}
    async with serving_aliyun() as server:
        settings = MessageSettings(sms_cloud=server.url, sms_cloud_token=f"{KEY_ID}:{SECRET}", seconds=0.5)  # type: ignore[arg-type]
        port = ports(settings, desk.world.settings.home)["cloud"]
        assert isinstance(port, Aliyun)
        for number, how in enumerate(FINALLY):
            who = await desk.open()
            server.behave[f"139{desk.opened:08d}"] = how
            made[how] = await desk.ask(who, "verify", NOON, fields={"code": f"48{number:04d}"})
        unfiled = await desk.ask(await desk.open(), "account_notice", NOON, fields={"text": "资料已更新"})
        assert (made["OK"].way, unfiled.way) == ("cloud", "own")  # what is not filed takes no way that files
        await send_due(database, "cloud", port, NOON)
        rows = {how: await desk.message(row.message_id) for how, row in made.items()}
        assert {how: (row.state, row.reason) for how, row in rows.items()} == FINALLY
        first = next(one for one in server.sent if one["OutId"] == str(made["OK"].message_id))
        assert json.loads(first["TemplateParam"]) == {"code": "480000"}
        assert (first["TemplateCode"], first["SignName"]) == ("SMS_154950909", "客户服务")
        assert rows["OK"].provider_ref == f"b-{first['OutId']}^0"
        assert max(server.accepted.values()) == 1
        failed = {one["message_id"] for one in await desk.told("messaging.address.failed")}
        assert failed == {str(made["isv.MOBILE_NUMBER_ILLEGAL"].message_id)}
        # Receipts are asked for a minute later: delivered, not delivered as the number is dead, and not known yet.
        keys = [str(made[how].message_id) for how in ("OK", "hang_up", "silent")]
        server.listed |= {keys[0]: (3, "DELIVRD"), keys[1]: (2, "MOBILE_NOT_ON_SERVICE")}
        await _a_minute_later(desk)
        assert await polling.ask(database, "cloud", port) == 5
        states = [(await desk.message(key)).state for key in keys]
        assert states == ["delivered", "undelivered", "handed"]
        assert await polling.ask(database, "cloud", port) == 0  # not again so soon
        failed = {one["message_id"] for one in await desk.told("messaging.address.failed")}
        assert keys[1] in failed


@pytest.mark.usefixtures("filed")
async def test_a_wrong_key_is_no_fault_of_the_message(desk: Desk) -> None:
    async with serving_aliyun() as server:
        row = await desk.ask(await desk.open(), "verify", NOON, fields={"code": "123456"})
        await send_due(desk.world.database("messaging"), "cloud", _aliyun(server, "wrong"), NOON)
        found = await desk.message(row.message_id)
        assert (found.state, server.sent) == ("queued", [])
        assert found.reason.startswith("SignatureDoesNotMatch")


def _aliyun(server: AliyunServer, secret: str = SECRET) -> Aliyun:
    return Aliyun(server.url.removeprefix("aliyun+"), KEY_ID, secret, 0.5)


async def _a_minute_later(desk: Desk) -> None:
    async with desk.world.database("messaging").unit_of_work() as uow:
        await uow.sql.execute("UPDATE messages SET due_at = now() WHERE state = 'handed'")


async def test_a_gateway_with_a_status_is_asked_for_receipts(desk: Desk) -> None:
    async with serving() as gateway:
        port = HttpSms(gateway.url, status=gateway.status_url)
        assert (port.polls, HttpSms(gateway.url).polls) == (True, False)
        row = await desk.ask(await desk.open(), "account_notice", NOON, fields={"text": "资料已更新"})
        await send_due(desk.world.database("messaging"), "own", port, NOON)
        await _a_minute_later(desk)
        before = gateway.calls
        assert await polling.ask(desk.world.database("messaging"), "own", port) >= 1
        assert gateway.calls > before
        assert (await desk.message(row.message_id)).state == "handed"  # accepted says nothing more


@asynccontextmanager
async def listing(answers: dict[str, Any]) -> AsyncIterator[tuple[str, list[str]]]:
    """A gateway that lists what came in after a cursor; a text is answered as it is."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        cursor = head.split()[1].partition("after=")[2]
        asked.append(cursor)
        said = answers[cursor]
        data = said.encode() if isinstance(said, str) else json.dumps(said).encode()
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(data)}\r\nconnection: close\r\n\r\n".encode() + data)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/in", asked
    finally:
        server.close()


async def test_receipts_and_replies_are_asked_for_each_once(desk: Desk) -> None:
    database, who = desk.world.database("messaging"), await desk.open()
    number = f"139{desk.opened:08d}"
    async with serving() as gateway:
        row = await desk.ask(who, "account_notice", NOON - timedelta(days=1), fields={"text": "资料已更新"})
        await send_due(database, "own", HttpSms(gateway.url), NOON - timedelta(days=1))
    when = (NOON - timedelta(hours=20)).isoformat()
    receipt = {"message_id": str(row.message_id), "state": "delivered", "at": when}
    reply = {"inbound_id": "polled-1", "number": number, "text": "ｔ ｄ", "at": when}
    answers: dict[str, Any] = {
        "": {"receipts": [receipt], "replies": [], "next": "a"},
        "a": "<html>maintenance</html>",
        "b": {"receipts": [], "replies": []},
    }
    async with listing(answers) as (url, asked):
        settings = MessageSettings(sms_inbound=url, seconds=2)
        assert await polling.take(database, settings)
        assert not await polling.take(database, settings)  # nothing it says is understood: the place stays
        answers["a"] = {"receipts": {}, "replies": "none", "next": "b"}
        assert not await polling.take(database, settings)
        # One wrong item keeps no other back, and somebody is told of it.
        wrong = [{"state": "delivered"}, {"inbound_id": "polled-0", "number": 7}, reply | {"text": "x" * 1001}]
        answers["a"] = {"receipts": [wrong[0], receipt], "replies": [*wrong[1:], reply], "next": "b"}
        assert await polling.take(database, settings)
        assert not await polling.take(database, settings)
        assert asked == ["", "a", "a", "a", "b"]
    assert (await desk.message(row.message_id)).state == "delivered"
    [noted] = await desk.world.rows("messaging", "SELECT kind, words FROM alerts")
    assert (noted["kind"], noted["words"][:2]) == ("inbound_not_understood", "3 ")
    stopped = await desk.ok(HQ, "GET", f"/clients/{who}/preferences")
    assert any(one["message_class"] == "MARKETING" and not one["allowed"] for one in stopped["consents"])
