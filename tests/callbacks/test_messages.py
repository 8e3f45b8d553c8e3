"""Messages through real servers: SMTP, an HTTP provider that behaves badly, files; quiet hours, opt-outs, receipts."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from chassis.clock import at, business_date, end_of, months_after, utc_now
from contracts import broker
from contracts.classification import TierChanged, TierStretch
from services.callbacks.messages import sending
from services.callbacks.messages.adapters import MessageSettings, ports
from services.callbacks.messages.file import FilePort
from services.callbacks.messages.port import Port, Result
from services.callbacks.messages.sending import NothingGoesOut, send_due
from services.callbacks.messages.sms import HttpSms
from services.callbacks.messages.smtp import Smtp
from services.callbacks.messages.templates import LANGUAGES, templates
from tests.callbacks.desk import LEADER, Desk
from tests.world import OPERATOR

WORDS = templates()["news", "zh-CN"].fill({"title": "讲座", "name": "王小明", "text": "周三下午"})
OPENED = business_date(utc_now()) - timedelta(days=6)  # long ago, nothing would be planned any more


class Mailbox:
    """A real SMTP server in this process that refuses whom it is told to."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("nobody"):
            return "550 no such mailbox"
        if address.startswith("busy"):
            return "451 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope)
        return "250 taken"


async def test_mail_goes_out_over_smtp_and_every_answer_is_understood() -> None:
    mailbox = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, loop=loop), "127.0.0.1", 0)
    try:
        port = server.sockets[0].getsockname()[1]
        smtp = Smtp("127.0.0.1", port, "service@careline.example")
        sent = await smtp.send("m-1", "wang@example.com", WORDS)
        assert (sent.result, sent.receipt) == (Result.SENT, "<m-1@careline>")
        refused = await smtp.send("m-2", "nobody@example.com", WORDS)
        assert (refused.result, refused.reason) == (Result.REFUSED, "550 no such mailbox")
        later = await smtp.send("m-3", "busy@example.com", WORDS)
        assert later.result is Result.LATER
        injected = await smtp.send("m-4", "a@example.com\r\nBcc: b@example.com", WORDS)
        assert injected.result is Result.REFUSED
    finally:
        server.close()
        await server.wait_closed()
    gone = await smtp.send("m-5", "wang@example.com", WORDS)
    assert gone.result is Result.LATER
    [mail] = mailbox.mails
    assert mail.rcpt_tos == ["wang@example.com"]


async def test_a_welcome_goes_out_once_and_fails_alone_through_a_real_server(desk: Desk) -> None:
    """Each mail goes once, to one address, whatever the server says of another."""
    mailbox, loop = Mailbox(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox, loop=loop), "127.0.0.1", 0)
    names = {
        "c-1": "wang@example.com",
        "c-2": "victim@a.cn, other@b.cn",
        "c-3": "nobody@example.com",
        "c-4": "li@example.com",
    }
    for client, address in names.items():
        await desk.open(client, OPENED, email=address, manager_id="mia")
    by: dict[str, Port] = {"email": Smtp("127.0.0.1", server.sockets[0].getsockname()[1], "service@careline.example")}
    try:
        for turn in range(9):
            await send_due(desk.world.database("callbacks"), by, at(OPENED + timedelta(days=1), 10 + turn))
    finally:
        server.close()
        await server.wait_closed()
    assert sorted(mail.rcpt_tos for mail in mailbox.mails) == [["li@example.com"], ["wang@example.com"]]
    states = [await state(desk, "welcome", client) for client in names]
    assert states == [
        ("sent", ""),
        ("undeliverable", "not one address"),
        ("undeliverable", "550 no such mailbox"),
        ("sent", ""),
    ]


class Unnotable(Exception):
    """What a fault of ours raises in the middle."""


async def test_what_could_not_be_noted_is_not_sent_again_and_holds_up_no_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for client in ("c-1", "c-2"):
        await desk.open(client, OPENED, phone="13800000000", manager_id="mia")
    taker, noted = Taker(), sending._note

    async def note(uow: Any, message: Any, *rest: Any) -> str:
        if message.client_id == "c-1":
            raise Unnotable
        return await noted(uow, message, *rest)

    monkeypatch.setattr(sending, "_note", note)
    noon = at(OPENED + timedelta(days=1), 12)
    assert (await dispatch(desk, noon, taker))["sent"] == 1
    monkeypatch.undo()
    for hours in range(1, 6):
        await dispatch(desk, noon + timedelta(hours=hours), taker)
    assert len(taker.sent) == 2
    assert await state(desk, "welcome", "c-1") == ("undeliverable", "sender_died")
    assert (await state(desk, "welcome", "c-2"))[0] == "sent"


Answer = Callable[[bytes], bytes | None]


@pytest.fixture
async def provider() -> AsyncIterator[tuple[str, list[dict[str, Any]], dict[str, Answer]]]:
    """A local HTTP server that answers each number as told: nonsense, errors, silence, or a hang-up."""
    taken: list[dict[str, Any]] = []
    answers: dict[str, Answer] = {}
    hanging: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hanging.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
            body = json.loads(await reader.readexactly(length))
            taken.append(body)
            said = answers[body["to"]](head)
            if said is not None:
                writer.write(said)
                await writer.drain()
            elif body["to"] == "silent":
                await asyncio.Event().wait()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/sms", taken, answers
    finally:
        server.close()
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


def answer(status: str, body: str, length: int | None = None) -> Answer:
    said = body.encode()
    size = len(said) if length is None else length
    return lambda _: f"HTTP/1.1 {status}\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n".encode() + said


async def test_a_badly_behaving_sms_provider(provider: tuple[str, list[dict[str, Any]], dict[str, Answer]]) -> None:
    url, taken, answers = provider
    answers |= {
        "fine": answer("200 OK", '{"receipt": "r-1"}'),
        "html": answer("200 OK", "<html>maintenance</html>"),
        "no-receipt": answer("200 OK", '{"ok": true}'),
        "number": answer("200 OK", '{"receipt": 7}'),
        "error": answer("500 Internal Server Error", "oops"),
        "throttled": answer("429 Too Many Requests", ""),
        "bad": answer("400 Bad Request", "no such number"),
        "cut": answer("200 OK", '{"receipt": "r-2"}', 400),
        "elsewhere": answer("302 Found", ""),
        "hang-up": lambda _: None,
        "silent": lambda _: None,
        "garbage": lambda _: b"\x00\x01 not http at all\r\n\r\n",
    }
    sms = HttpSms(url, "token", seconds=0.5)
    found = {to: await sms.send(f"id-{to}", to, WORDS) for to in answers}
    assert {to: handed.result for to, handed in found.items()} == {
        "fine": Result.SENT,
        **dict.fromkeys(
            ("html", "no-receipt", "number", "error", "throttled", "cut", "hang-up", "silent", "garbage"), Result.LATER
        ),
        **dict.fromkeys(("bad", "elsewhere"), Result.REFUSED),
    }
    assert found["fine"].receipt == "r-1"
    assert found["bad"].reason == "HTTP 400: no such number"
    assert taken[0] == {"id": "id-fine", "to": "fine", "text": WORDS.body}


async def test_files_for_development(tmp_path: Path) -> None:
    made = ports(MessageSettings(), tmp_path)
    assert {channel: type(port) for channel, port in made.items()} == {"email": FilePort, "sms": FilePort}
    handed = await made["sms"].send("m-1", "13800000000", WORDS)
    [file] = (tmp_path / "messages").iterdir()
    assert (handed.receipt, file.stat().st_mode & 0o777) == ("sms-m-1.json", 0o600)
    with pytest.raises(ValueError, match="ftp"):
        ports(MessageSettings(sms="ftp://x"), tmp_path)


def test_every_template_has_both_languages_and_leaves_no_hole() -> None:
    assert {language for _, language in templates()} == set(LANGUAGES)
    with pytest.raises(KeyError):
        templates()["welcome", "en"].fill({"name": "x"})


class Taker:
    """An adapter that takes everything, or answers as told."""

    channel = "sms"

    def __init__(self, *results: Result) -> None:
        self.results = list(results)
        self.sent: list[tuple[str, str, str]] = []

    async def send(self, message_id: str, address: str, words: Any) -> Any:
        from services.callbacks.messages.port import Handed

        result = self.results.pop(0) if self.results else Result.SENT
        if result is Result.SENT:
            self.sent.append((message_id, address, words.body))
        return Handed(result, f"receipt-{message_id}" if result is Result.SENT else None, "told so")


async def dispatch(desk: Desk, when: datetime, port: Taker) -> dict[str, int]:
    made: dict[str, Port] = {"sms": port, "email": port}
    return await send_due(desk.world.database("callbacks"), made, when)


async def state(desk: Desk, kind: str = "welcome", client: str = "c-1") -> tuple[str, str]:
    [row] = await desk.world.rows(
        "callbacks", "SELECT state, reason FROM messages WHERE kind = $1 AND client_id = $2", kind, client
    )
    return row["state"], row["reason"]


async def test_the_two_messages_to_a_new_client(desk: Desk) -> None:
    await desk.open("c-1", OPENED, phone="13800000000", name="王小明")
    await desk.open("c-2", OPENED)
    taker = Taker(Result.LATER)
    noon = at(OPENED + timedelta(days=1), 12)
    # Nobody to name yet: it waits, by day 10 with an alarm [B12].
    await dispatch(desk, noon, taker)
    assert await state(desk) == ("planned", "no_manager")
    await desk.world.publish(broker.StaffChanged(staff_id="mia", branch_id="B1", name="米娅"), at=at(OPENED, 9))
    await desk.world.publish(
        broker.ClientUpdated(client_id="c-1", manager_id="mia"), at=at(OPENED + timedelta(days=1), 13)
    )
    await desk.world.settle()
    # Quiet hours from 21:00: not at night, at half past eight.
    night = at(OPENED + timedelta(days=2), 21, 30)
    await dispatch(desk, night, taker)
    assert await state(desk) == ("planned", "quiet_hours")
    morning = at(OPENED + timedelta(days=3), 8, 30)
    assert (await dispatch(desk, morning, taker))["later"] == 1
    assert (await dispatch(desk, morning + timedelta(minutes=1), taker))["sent"] == 0
    assert (await dispatch(desk, morning + timedelta(minutes=16), taker))["sent"] == 1
    [(message_id, address, body)] = taker.sent
    assert address == "13800000000"
    assert "王小明" in body
    assert "米娅" in body
    assert (await dispatch(desk, morning + timedelta(hours=1), taker))["sent"] == 0
    # The provider's receipt, twice; then nothing changes it.
    for _ in range(2):
        await desk.ask(
            OPERATOR, "POST", "/messages/receipts", {"receipt": f"receipt-{message_id}", "state": "delivered"}, 200
        )
    assert (await state(desk))[0] == "delivered"
    # Service messages are exempt from the marketing opt-out; a closed account gets nothing.
    await desk.ask(LEADER, "PATCH", "/clients/c-1/preferences", {"no_marketing": True}, 200)
    await desk.world.publish(broker.ClientClosed(client_id="c-1", closed_on=OPENED + timedelta(days=6)))
    await desk.world.settle()
    assert await state(desk, "follow_up") == ("skipped", "account_closed")
    # Every message leaves a trace, none of it personal [B13].
    rows = await desk.world.rows(
        "callbacks", "SELECT inputs::text AS t FROM audit WHERE action = 'message_handed_over'"
    )
    assert len(rows) == 2
    assert not any("13800000000" in row["t"] or "王小明" in row["t"] for row in rows)
    # A client without contact data gets tasks and no message, and is counted.
    assert await desk.world.value("callbacks", "SELECT count(*) FROM messages WHERE client_id = 'c-2'") == 0


async def test_a_limit_that_passed_is_a_miss_and_a_replayed_home_sends_nothing(desk: Desk) -> None:
    await desk.open("c-1", OPENED, phone="13800000000", manager_id="mia")
    taker = Taker()
    assert (await dispatch(desk, at(OPENED + timedelta(days=15), 10), taker))["missed"] == 1
    assert await state(desk) == ("missed", "limit_passed")
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute("INSERT INTO timeline (timeline, decided_at) VALUES ('simulated', now())")
    with pytest.raises(NothingGoesOut):
        await dispatch(desk, at(OPENED + timedelta(days=80), 10), taker)
    assert taker.sent == []


async def planned(desk: Desk, client: str) -> list[tuple[str, datetime, datetime]]:
    rows = await desk.world.rows(
        "callbacks", "SELECT kind, due_at, limit_at FROM messages WHERE client_id = $1 ORDER BY due_at", client
    )
    return [(row["kind"], row["due_at"], row["limit_at"]) for row in rows]


async def test_the_words_of_the_two_messages_and_their_days(desk: Desk) -> None:
    boss = broker.StaffChanged(staff_id="mia", branch_id="B1", name="米娅")
    house = broker.BranchChanged(branch_id="B1", name="人民路营业部", phone="021-5555")
    await desk.world.publish(boss, house, at=at(OPENED, 9))
    await desk.open("c-1", OPENED, phone="13800000000", name="王小明", manager_id="mia")
    gold = TierChanged(
        client_id="c-1",
        branch_id="B1",
        revision=1,
        changed_from=OPENED + timedelta(days=40),
        previous="NORMAL",
        stretches=[TierStretch(since=OPENED + timedelta(days=40), tier="GOLD")],
        reason="upgrade",
    )
    await desk.world.publish(gold)
    await desk.world.settle()
    # #1 from day 1, at most day 14; #2 on day 75, within three months [B12].
    assert await planned(desk, "c-1") == [
        ("welcome", at(OPENED + timedelta(days=1), 8, 30), at(OPENED + timedelta(days=15), 0)),
        ("follow_up", at(OPENED + timedelta(days=75), 8, 30), end_of(months_after(OPENED, 3))),
    ]
    taker = Taker()
    await dispatch(desk, at(OPENED + timedelta(days=1), 12), taker)
    await dispatch(desk, at(OPENED + timedelta(days=75), 12), taker)
    assert [body for _, _, body in taker.sent] == [
        "尊敬的王小明：感谢您选择人民路营业部。您的客户经理米娅，联系电话021-5555。客户服务热线400-000-0000。",
        "尊敬的王小明：感谢您使用我们为您提供的金卡专属套餐服务。使用中有任何意见与建议，都可以与客户经理米娅联系，"
        "或致电客服中心400-000-0000。",
    ]


async def test_no_manager_by_day_10_is_an_alarm_once_and_the_limit_stays_day_14(desk: Desk) -> None:
    opened = business_date(utc_now())
    for client, manager in {"c-1": None, "c-2": "mia"}.items():
        await desk.open(client, opened, phone="13800000000", manager_id=manager)
    database, tenth = desk.world.database("callbacks"), at(opened + timedelta(days=10), 0)
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
    taker = Taker()
    await dispatch(desk, at(opened + timedelta(days=12), 10), taker)
    assert await state(desk) == ("planned", "no_manager_alarm")
    await desk.world.publish(broker.ClientUpdated(client_id="c-1", manager_id="mia"))
    await desk.world.settle()
    assert (await dispatch(desk, at(opened + timedelta(days=13), 10), taker))["sent"] == 1


async def test_contact_data_that_come_later_still_bring_the_messages(desk: Desk) -> None:
    await desk.open("c-1", OPENED, manager_id="mia")
    assert await planned(desk, "c-1") == []
    await desk.world.publish(broker.ClientUpdated(client_id="c-1", email="wang@example.com"))
    await desk.world.settle()
    assert [kind for kind, _, _ in await planned(desk, "c-1")] == ["welcome", "follow_up"]
    # Somebody without a name or a manager is written to without a hole in the words.
    await desk.ask(LEADER, "PATCH", "/clients/c-1/preferences", {"language": "en"}, 200)
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute("UPDATE messages SET language = 'en'")
        await uow.sql.execute("UPDATE clients SET manager_id = NULL")
    taker = Taker()
    await dispatch(desk, at(OPENED + timedelta(days=76), 12), taker)
    assert [body for _, _, body in taker.sent] == [
        "Dear client, thank you for using our Basic service package. With any wish or suggestion please turn to B1 "
        "or call 400-000-0000."
    ]
