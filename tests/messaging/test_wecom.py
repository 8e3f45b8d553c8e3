"""WeCom through the sending loop, against a server that speaks its interface [MS15]; a second provider [MS13]."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from chassis.clock import at, business_date, utc_now
from contracts.broker import ClientClosed
from services.messaging import confirming
from services.messaging.handlers import judge_erasure
from services.messaging.ports.adapters import ports
from services.messaging.ports.port import Handed
from services.messaging.ports.sms import HttpSms
from services.messaging.ports.wecom import WeCom
from services.messaging.sending import send_due
from services.messaging.settings import MessageSettings
from tests.messaging.desk import DESK, SYSTEM, Desk
from tests.messaging.gateway import serving
from tests.messaging.wecom_server import serving_wecom

NOON = at(business_date(utc_now()), 12)
TEXT = {"text": "资料已更新"}


@pytest.fixture(autouse=True)
def connected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A home with WeCom and a cloud beside the own port."""
    monkeypatch.setenv("CARELINE_MESSAGES_WECOM_CORP_ID", "corp")
    monkeypatch.setenv("CARELINE_MESSAGES_SMS_CLOUD", "http://127.0.0.1:9/sms")


async def friend(desk: Desk) -> str:
    who = await desk.open()
    await desk.ok(DESK, "PUT", f"/clients/{who}/wecom", {"external_id": f"wm-{who}", "member": "mia"}, 403)
    shown = await desk.ok(SYSTEM, "PUT", f"/clients/{who}/wecom", {"external_id": f"wm-{who}", "member": "mia"})
    assert shown["member"] == "mia"
    return who


async def asked(desk: Desk, who: str, cause: str = "p1", when: object = NOON) -> object:
    one = await desk.ask(who, "account_notice", when, cause, fields=TEXT, channels=("wecom",))  # type: ignore[arg-type]
    return one.message_id


async def test_members_confirm_and_every_answer_is_understood(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    hows = {
        "": ("handed", "awaiting_member"), "busy": ("unknown", "-1 system busy"),
        "too_fast": ("queued", "45009 api freq out of limit"), "refused": ("undelivered", "41048 no license"),
        "html": ("unknown", None), "hang_up": ("unknown", None), "no_friend": ("undelivered", "no friend of the member"),
    }  # fmt: skip
    database = desk.world.database("messaging")
    async with serving_wecom() as server:
        port, keys = WeCom(server.url, "corp", "secret"), {}
        for how in hows:
            who = await friend(desk)
            server.behave[f"wm-{who}"] = how
            keys[how] = await asked(desk, who)
        await send_due(database, "wecom", port, NOON)
        for how, (state, reason) in hows.items():
            row = await desk.message(keys[how])
            assert row.state == state, (how, row.reason)
            assert reason is None or row.reason == reason, how
        assert {(body["sender"], body["text"]["content"]) for body in server.messages.values()} == {
            ("mia", "尊敬的客户：资料已更新。服务热线400-000-0000。")
        }
        # A token that ends in between is fetched anew; nothing is sent twice for it.
        server.end_tokens()
        others = [await friend(desk) for _ in range(3)]
        more = [await asked(desk, who) for who in others]
        await send_due(database, "wecom", port, NOON)
        assert len(server.messages) == 4
        # What members did is asked about; who has not confirmed in a day will not.
        # The client has another member by then: the one who was asked is the one who did.
        linked = {"external_id": f"wm-{others[0]}", "member": "bo"}
        await desk.ok(SYSTEM, "PUT", f"/clients/{others[0]}/wecom", linked)
        server.confirm = {f"wm-{others[0]}": 1, f"wm-{others[1]}": 3}
        monkeypatch.setattr(confirming, "AT_ONCE", 2)
        # Two of the four at once, side by side; none twice before its time comes again.
        turns = [confirming.look(database, port, NOON + timedelta(hours=1)) for _ in range(3)]
        assert sorted(await asyncio.gather(*turns)) == [0, 2, 2]
        states = [await desk.message(key) for key in more]
        assert [(row.state, row.reason) for row in states] == [
            ("delivered", ""), ("undelivered", "other mass messages came first"), ("handed", "awaiting_member"),
        ]  # fmt: skip
        assert await confirming.look(database, port, NOON + timedelta(hours=25)) == 2
        last = await desk.message(more[2])
        assert (last.state, last.reason) == ("undelivered", "member_did_not_confirm")
        assert len(server.cancelled) == 2
        # One that its member has not confirmed can be taken back: it is stopped there, and was never sent.
        another = await asked(desk, await friend(desk))
        await send_due(database, "wecom", port, NOON)
        await desk.ok(SYSTEM, "POST", f"/messages/{another}/cancellation", {"reason": "an error"})
        assert await confirming.look(database, port, utc_now() + timedelta(hours=1)) >= 1
        taken_back = await desk.message(another)
        assert (taken_back.state, taken_back.reason) == ("cancelled", "withdrawn")
        assert len(server.cancelled) == 3
        # One a day and client [MS15]: the next one waits.
        late = await asked(desk, others[0], "p2", NOON + timedelta(hours=2))
        assert (await desk.message(late)).reason == "cap"


async def test_an_erased_client_is_linked_to_nobody(desk: Desk) -> None:
    kept, gone = await friend(desk), await friend(desk)
    await desk.world.publish(ClientClosed(client_id=gone, closed_on=business_date(utc_now())))
    await desk.world.settle()
    async with desk.world.database("messaging").unit_of_work() as uow:
        assert (await judge_erasure(uow, [kept, gone])).keys() == {kept}
    linked = "SELECT client_id FROM wecom_contacts WHERE client_id = ANY($1::text[])"
    assert [row["client_id"] for row in await desk.world.rows("messaging", linked, [kept, gone])] == [kept]


async def test_without_a_token_nothing_is_taken(desk: Desk) -> None:
    who = await friend(desk)
    key = await asked(desk, who)
    async with serving_wecom() as server:
        await send_due(desk.world.database("messaging"), "wecom", WeCom(server.url, "corp", "wrong"), NOON)
        assert server.messages == {}
    row = await desk.message(key)
    assert (row.state, row.reason) == ("queued", "no access token: KeyError")


async def test_a_cloud_is_asked_at_its_own_address_and_shown_its_own_token(tmp_path: Path) -> None:
    async with serving() as own, serving() as cloud:
        given = {"sms": own.url, "sms_cloud": cloud.url, "sms_token": SecretStr("o"), "sms_status": f"{own.url}/{{id}}"}
        port = ports(MessageSettings(**given, sms_batch=9), tmp_path)["cloud"]  # type: ignore[arg-type]
        assert isinstance(port, HttpSms)
        assert (port.url, port.token, port.batch) == (cloud.url, "", 1)
        assert await port.ask([Handed("m-1")]) == {}


async def test_a_code_goes_by_a_second_provider_when_the_first_does_not_take_it(desk: Desk) -> None:
    who = await desk.open()
    one = await desk.ask(who, "verify", NOON, fields={"code": "123456"})
    assert one.way == "cloud"
    database = desk.world.database("messaging")
    async with serving() as cloud, serving() as own:
        cloud.default = "away"
        await send_due(database, "cloud", HttpSms(cloud.url), NOON)
        later = NOON + timedelta(minutes=2)
        await send_due(database, "cloud", HttpSms(cloud.url), later)
        await send_due(database, "own", HttpSms(own.url), later)
        assert (len(cloud.taken), len(own.taken)) == (1, 1)
    row = await desk.message(one.message_id)
    assert (row.state, row.way) == ("handed", "own")
