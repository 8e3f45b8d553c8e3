"""Mails: HTML cleaned and inlined beside a plain part, signatures (DKIM), and what bounces (IMAP)."""

import asyncio
import email
import email.policy
import hashlib
import hmac
import imaplib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import dkim
import pytest
from aiosmtpd.smtp import SMTP
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from chassis.clock import at, business_date, utc_now
from services.messaging.bounces import Bounce, bounce_of, read
from services.messaging.ports.adapters import ports
from services.messaging.ports.html import cleaned, plain_words
from services.messaging.ports.imap import Mailbox
from services.messaging.sending import judge_due, send_due
from services.messaging.settings import MessageSettings
from tests.messaging.desk import HQ, SYSTEM, Desk, client
from tests.messaging.imap_server import serving_imap
from tests.messaging.test_mailings import SECOND, order

NOON = at(business_date(utc_now()), 12)
HOSTILE = """<style>p.big {color: red; position: fixed} @import url("https://a.cn/x.css");</style>
<link rel="stylesheet" href="SHEET"><p class="big" onclick="steal()">大家好 <b>本周</b></p>
<script>alert(1)</script><img src="https://a.cn/p.gif"><iframe src="https://a.cn"></iframe><form action="https://a.cn"><input name="pin"></form>
<a href="javascript:alert(1)">一</a><a href="https://careline.example/a">二</a><div style="background: url(https://a.cn/b); width: 9px">三</div>"""


def test_html_is_inlined_and_nothing_that_runs_or_loads_is_left(tmp_path: Path) -> None:
    sheet = tmp_path / "x.css"
    sheet.write_text("b {color: green}")
    page = cleaned(HOSTILE.replace("SHEET", f"file://{sheet}"))
    assert '<p style="color:red">大家好 <b>本周</b></p>' in page
    assert 'href="https://careline.example/a"' in page
    for bad in (
        "script",
        "alert",
        "onclick",
        "img",
        "a.cn",
        "form",
        "input",
        "position",
        "style>",
        "green",
        "javascript",
    ):
        assert bad not in page, bad
    assert cleaned(page) == page
    assert plain_words(page).split("\n")[0] == "大家好 本周"
    assert [cleaned(one) for one in ("", "  ", "<", "\x00<p>")][:2] == ["", ""]


def test_what_a_notice_of_delivery_says() -> None:
    key = "6d0f1c4e-62a5-5c0e-9a35-0f2d6b7f4c11"
    assert bounce_of(notice(key, "5.1.1")) == Bounce(_uuid(key), "5.1.1 550 no such mailbox", True)
    assert bounce_of(notice(key, "5.7.1")) == Bounce(_uuid(key), "5.7.1 550 no such mailbox", False)
    assert bounce_of(notice(key, "4.4.1", action="delayed")) is None
    assert bounce_of(notice(key, "5.1.1", domain="elsewhere")) is None
    assert bounce_of(b"From: a@b.cn\r\nSubject: hello\r\n\r\n<6d0f1c4e-62a5-5c0e-9a35-0f2d6b7f4c11@careline>") is None
    assert [bounce_of(one) for one in (b"", b"\xff\x00", b"Content-Type: multipart/report\r\n\r\n")] == [None] * 3


def _uuid(key: str) -> Any:
    from uuid import UUID

    return UUID(key)


def notice(key: str, status: str, action: str = "failed", domain: str = "careline") -> bytes:
    """As mail servers write them (RFC 3464)."""
    return f"""From: MAILER-DAEMON@example.com
To: service@careline.example
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Your mail could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; wang@example.com
Action: {action}
Status: {status} (permanent)
Diagnostic-Code: smtp; 550 no such mailbox

--b
Content-Type: text/rfc822-headers

Message-ID: <{key}@{domain}>
Subject: x

--b--
""".encode()


class Inbox:
    """Takes every mail."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope)
        return "250 taken"


@asynccontextmanager
async def mail_server() -> AsyncIterator[tuple[Inbox, str]]:
    inbox, loop = Inbox(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(inbox, loop=loop), "127.0.0.1", 0)
    try:
        yield inbox, f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@pytest.fixture
def signing(tmp_path: Path) -> tuple[Path, bytes]:
    """A key, and what the domain's name server says of it."""
    import base64

    key = rsa.generate_private_key(65537, 2048)
    file = tmp_path / "dkim.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return file, b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


async def test_a_mailing_with_html_has_a_plain_part_and_a_signature_that_holds(
    desk: Desk, signing: tuple[Path, bytes]
) -> None:
    file, record = signing
    branch = f"B-mail-{desk.opened}"
    who = await desk.open(branch=branch, email="li@example.com", name="王<b>")
    await desk.ok(HQ, "PUT", f"/clients/{who}/subscriptions/morning_brief", {"channel": "email"})
    body = order("morning_brief", branch_id=branch)
    body["zh-CN"]["html"] = HOSTILE.replace("SHEET", "https://a.cn/x.css")
    bad = order("morning_brief", branch_id=branch)
    bad["zh-CN"]["html"] = "<p>稳<b>赚</b></p>"
    assert (await desk.call(HQ, "POST", "/mailings", bad)).status_code == 422  # also what stands in HTML alone
    made = await desk.ok(HQ, "POST", "/mailings", body, 201)
    assert "script" not in made["words"]["zh-CN"]["html"]
    await desk.ok(SECOND, "POST", f"/mailings/{made['mailing_id']}/release")
    database, later = desk.world.database("messaging"), at(business_date(utc_now()) + timedelta(days=1), 12)
    async with mail_server() as (inbox, url):
        settings = MessageSettings(email=url, email_dkim_key=file, email_dkim_selector="s1")
        await judge_due(database, later)
        await send_due(database, "email", ports(settings, desk.world.settings.home)["email"], later)
    [envelope] = inbox.mails
    mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
    plain, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert page is not None
    assert plain.get_content().strip() == "尊敬的王<b>：市场回顾与展望。"
    assert "<p>尊敬的王&lt;b&gt;：</p>" in page.get_content()
    assert '<p style="color:red">大家好 <b>本周</b></p>' in page.get_content()
    assert "a.cn" not in page.get_content()
    assert mail["Date"] is not None

    def answer(name: bytes, timeout: int = 5) -> bytes:
        assert name == b"s1._domainkey.careline.example."
        return record

    assert dkim.verify(envelope.content, dnsfunc=answer)
    assert not dkim.verify(envelope.content.replace(b"Subject: ", b"Subject: x"), dnsfunc=answer)


async def test_what_bounces_into_the_mailbox_ends_the_message_and_asks_for_contact_data(desk: Desk) -> None:
    who, other = (
        await desk.open(phone=None, email="gone@example.com"),
        await desk.open(phone=None, email="full@example.com"),
    )
    rows = [
        await desk.ask(one, "account_notice", NOON, "bounce", fields={"text": "资料已更新"}) for one in (who, other)
    ]
    database = desk.world.database("messaging")
    async with mail_server() as (inbox, url):
        await send_due(database, "email", ports(MessageSettings(email=url), desk.world.settings.home)["email"], NOON)
    assert len(inbox.mails) == 2
    async with serving_imap() as server:
        server.add(notice(str(rows[0].message_id), "5.1.1"))
        server.add(b"From: client@example.com\nSubject: a question\n\nWhen do you open?\n")
        server.add(notice(str(rows[1].message_id), "5.2.2"))
        server.add(notice("6d0f1c4e-62a5-5c0e-9a35-0f2d6b7f4c11", "5.1.1"))  # of a message nobody knows
        address = f"imap://service:secret%20word@127.0.0.1:{server.port}/INBOX"

        def mailbox(url: str) -> Mailbox:
            return Mailbox(urlsplit(url), None, 5)

        with pytest.raises(imaplib.IMAP4.error):
            await read(database, mailbox(address.replace("secret%20word", "wrong")))
        server.dies = True
        with pytest.raises((imaplib.IMAP4.error, OSError)):
            await read(database, mailbox(address))
        assert (await desk.message(rows[0].message_id)).state == "handed"
        server.dies = False
        assert await read(database, mailbox(address)) == 4
        assert await read(database, mailbox(address)) == 0
        server.seen.clear()  # read once more, as after a worker that died before it had marked them
        assert await read(database, mailbox(address)) == 4
    found = [await desk.message(row.message_id) for row in rows]
    assert [(row.state, row.reason) for row in found] == [
        ("undelivered", "5.1.1 550 no such mailbox"), ("undelivered", "5.2.2 550 no such mailbox"),
    ]  # fmt: skip
    failed = [one for one in await desk.told("messaging.address.failed") if one["client_id"] in (who, other)]
    assert [one["client_id"] for one in failed] == [who]  # a full mailbox is one that works


async def test_what_a_mail_providers_webhook_says_is_signed_and_counts_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "signing key"
    monkeypatch.setenv("CARELINE_MESSAGES_EMAIL_WEBHOOK_KEY", key)
    people = [await desk.open(phone=None, email=f"w{n}@example.com") for n in range(3)]
    rows = [await desk.ask(one, "account_notice", NOON, "hook", fields={"text": "资料已更新"}) for one in people]
    async with mail_server() as (_, url):
        adapter = ports(MessageSettings(email=url), desk.world.settings.home)["email"]
        await send_due(desk.world.database("messaging"), "email", adapter, NOON)

    def event(row: Any, kind: str, **more: Any) -> dict[str, Any]:
        headers = {"to": "w@example.com", "message-id": f"{row.message_id}@careline"}
        return {"event": kind, "timestamp": utc_now().timestamp(), "message": {"headers": headers}, "id": "x", **more}

    async def brought(said: dict[str, Any], signing: str = key, late: int = 0, token: str = "") -> Any:
        seconds, token = str(int(utc_now().timestamp()) - late), token or uuid4().hex
        made = hmac.new(signing.encode(), f"{seconds}{token}".encode(), hashlib.sha256).hexdigest()
        body = {"signature": {"timestamp": seconds, "token": token, "signature": made}, "event-data": said}
        return await desk.call(SYSTEM, "POST", "/inbound/mail", body)

    def failed(code: int, message: str, severity: str = "permanent") -> dict[str, Any]:
        return {"severity": severity, "reason": "bounce", "delivery-status": {"code": code, "message": message}}

    dead = event(rows[0], "failed", **failed(550, "5.1.1 no such user w0@example.com"))
    assert [(await brought(dead, signing="another")).status_code, (await brought(dead, late=400)).status_code] == [403, 403]  # fmt: skip
    assert (await brought({"kind": "failed"})).status_code == 422
    assert (await desk.message(rows[0].message_id)).state == "handed"
    lines = [
        (dead, 1), (dead, 0), (event(rows[1], "failed", **failed(421, "try later", "temporary")), 0),
        (event(rows[1], "failed", **failed(550, "5.7.1 looks like spam")), 1), (event(rows[2], "opened"), 0),
        (event(rows[2], "delivered"), 1), (event(rows[2], "complained"), 0), (event(rows[2], "complained"), 0),
    ]  # fmt: skip
    for said, moved in lines:
        answer = await brought(said)
        assert (answer.status_code, answer.json().get("moved")) == (200, moved), answer.text
    # A token is good for what it came with, however often; and mail says nothing of messages that went another way.
    other = await desk.ask(await desk.open(), "account_notice", NOON, "hook", fields={"text": "资料已更新"})
    async with desk.world.database("messaging").unit_of_work() as uow:
        await uow.sql.execute(
            "UPDATE messages SET state = 'handed', channel = 'sms' WHERE message_id = $1", other.message_id
        )
    answers = [await brought(said, token="once") for said in (event(rows[2], "opened"), event(other, "delivered"))]
    assert [one.status_code for one in answers] == [200, 403]
    forged = await brought(event(other, "delivered"))
    assert (forged.status_code, forged.json()["moved"], forged.json()["unknown"]) == (200, 0, 1)
    assert (await desk.message(other.message_id)).state == "handed"
    found = [await desk.message(row.message_id) for row in rows]
    assert [row.state for row in found] == ["undelivered", "undelivered", "delivered"]
    assert "w0@example.com" not in found[0].reason  # no address is kept in what providers say
    told = [one["client_id"] for one in await desk.told("messaging.address.failed") if one["client_id"] in people]
    assert told == people[:1]  # spam says nothing about the mailbox
    choices = await desk.ok(client(people[2]), "GET", f"/clients/{people[2]}/preferences")
    stopped = [one for one in choices["consents"] if one["message_class"] == "MARKETING"]
    assert [(one["channel"], one["allowed"]) for one in stopped] == [("email", False)]
