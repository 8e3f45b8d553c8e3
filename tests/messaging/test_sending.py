"""Every adapter through the sending loop, against real servers that misbehave: nothing twice, nothing lost in silence."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiosmtpd.smtp import SMTP
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chassis.clock import at, business_date, utc_now
from contracts import broker
from services.messaging.messages import withdraw
from services.messaging.ports.adapters import ports
from services.messaging.ports.port import Answer, Handed, Letter, Port, Result
from services.messaging.ports.sms import HttpSms
from services.messaging.ports.smtp import Smtp
from services.messaging.sending import Pace, end_waits, judge_due, send_by_itself, send_due
from services.messaging.settings import MessageSettings
from services.messaging.tables import MessageRow
from tests.messaging.desk import SYSTEM, Desk
from tests.messaging.gateway import Gateway, serving

NOON = at(business_date(utc_now()), 12)
TEXT = {"text": "资料已更新"}


@pytest.fixture
async def gateway(desk: Desk) -> AsyncIterator[Gateway]:
    """A gateway of its own for each test; what others left in the queue is cancelled."""
    async with desk.world.database("messaging").unit_of_work() as uow:
        await uow.sql.execute("UPDATE messages SET state = 'cancelled' WHERE state IN ('planned', 'queued')")
    async with serving() as made:
        yield made


async def number_of(desk: Desk, client_id: str) -> str:
    return f"139{int(client_id.removeprefix('c-')):08d}"


async def turn(desk: Desk, port: Port, when: Any = NOON, way: str = "own") -> int:
    return await send_due(desk.world.database("messaging"), way, port, when)


async def asked(desk: Desk, client_id: str, cause: str = "p1", when: Any = NOON, **more: Any) -> MessageRow:
    return await desk.ask(client_id, "account_notice", when, cause, fields=TEXT, **more)


FINALLY = {
    "fine": ("handed", ""),
    "html": ("unknown", "the answer is no JSON"),
    "nothing": ("unknown", "the answer carries no receipt"),
    "number": ("unknown", "the answer carries no receipt"),
    "nul": ("unknown", "the answer carries no receipt"),
    "error_inside": ("queued", "isp.BUSINESS_LIMIT"),
    "dead_inside": ("undelivered", "空号"),
    "refused": ("undelivered", "HTTP 400: no such number"),
    "throttled": ("queued", "HTTP 429"),
    "away": ("queued", "HTTP 503"),
    "broken": ("unknown", "HTTP 500"),
    "elsewhere": ("queued", "HTTP 302"),
    "locked_out": ("queued", "HTTP 401"),
    "cut": ("unknown", None),
    "hang_up": ("unknown", None),
    "garbage": ("unknown", None),
    "silent": ("unknown", None),
}


async def test_each_message_fails_alone_and_none_goes_twice(desk: Desk, gateway: Gateway) -> None:
    made = {}
    for how in FINALLY:
        who = await desk.open()
        gateway.behave[await number_of(desk, who)] = how
        made[how] = (await asked(desk, who)).message_id
    port = HttpSms(gateway.url, "secret", seconds=0.7)
    assert await turn(desk, port) == len(FINALLY)
    found = {how: await desk.message(key) for how, key in made.items()}
    for how, (state, reason) in FINALLY.items():
        assert found[how].state == state, (how, found[how].reason)
        assert reason is None or found[how].reason == reason, how
    assert found["fine"].provider_ref == f"r-{made['fine']}"
    assert len(gateway.taken) == len(FINALLY)
    assert (
        await turn(desk, port, NOON + timedelta(seconds=30)) == 0
    )  # nothing is due again yet, nothing unclear goes again
    gateway.behave = {}
    assert await turn(desk, port, NOON + timedelta(minutes=2)) == 5
    assert len({one["id"] for one in gateway.taken}) == len(FINALLY)
    assert {(await desk.message(made[how])).state for how in ("error_inside", "throttled", "away")} == {"handed"}
    failed = {one["reason"] for one in await desk.told("messaging.address.failed")}
    assert failed >= {"空号", "HTTP 400: no such number"}


async def test_an_address_that_failed_is_tried_again_only_when_another_is_told(desk: Desk, gateway: Gateway) -> None:
    who = await desk.open()
    gateway.behave[await number_of(desk, who)] = "dead_inside"
    await asked(desk, who)
    await turn(desk, HttpSms(gateway.url))
    again = await desk.ask(who, "opt_out_confirmed", NOON, "p2")
    assert (again.state, again.reason) == ("suppressed", "address_failed")
    assert (await asked(desk, who, "p3")).channel == "app"  # a notice finds another way
    await desk.world.publish(broker.ClientUpdated(client_id=who, phone="13312345678"), at=utc_now())
    await desk.world.settle()
    assert (await asked(desk, who, "p4")).channel == "sms"


async def test_a_gateway_that_can_be_asked_says_what_became_of_it(desk: Desk, gateway: Gateway) -> None:
    who, other = await desk.open(), await desk.open()
    gateway.behave = {await number_of(desk, who): "hang_up", await number_of(desk, other): "broken"}
    taken, never = await asked(desk, who), await asked(desk, other)
    await turn(desk, HttpSms(gateway.url, status=gateway.status_url, seconds=1))
    assert [(await desk.message(row.message_id)).state for row in (taken, never)] == ["handed", "queued"]


async def test_many_go_in_one_call_and_each_has_its_answer(desk: Desk, gateway: Gateway) -> None:
    hows = ["fine", "fine", "dead_inside", "error_inside", "left_out"]
    made = []
    for how in hows:
        who = await desk.open()
        gateway.behave[await number_of(desk, who)] = how
        made.append((await asked(desk, who)).message_id)
    await turn(desk, HttpSms(gateway.url, batch=100))
    assert gateway.calls == 1
    states = [(await desk.message(key)).state for key in made]
    assert states == ["handed", "handed", "undelivered", "queued", "unknown"]


async def test_a_provider_down_for_an_hour_delays_and_loses_nothing(desk: Desk, gateway: Gateway) -> None:
    who = await desk.open()
    number = await number_of(desk, who)
    gateway.default = "away"
    one = await asked(desk, who)
    port = HttpSms(gateway.url)
    for minutes in (0, 1, 6, 21):
        assert await turn(desk, port, NOON + timedelta(minutes=minutes)) == 1
    assert await turn(desk, port, NOON + timedelta(minutes=60)) == 0
    gateway.default = "fine"
    assert await turn(desk, port, NOON + timedelta(minutes=82)) == 1
    assert (await desk.message(one.message_id)).state == "handed"
    assert len({one["id"] for one in gateway.taken if one["to"] == number}) == 1
    assert gateway.accepted.total() == 1


class Killed(asyncio.CancelledError):
    """What ends a worker in the middle."""


class Dying:
    """A port whose process dies: before anything left, or after all of it had."""

    def __init__(self, inner: Port, before: bool) -> None:
        self.inner, self.before = inner, before

    async def send(self, letters: Sequence[Letter]) -> Mapping[str, Answer]:
        if not self.before:
            await self.inner.send(letters)
        raise Killed

    async def ask(self, handed: Sequence[Handed], /) -> Mapping[str, Answer]:
        return await self.inner.ask(handed)


@pytest.mark.parametrize("askable", [True, False])
@pytest.mark.parametrize("before", [True, False])
async def test_a_worker_killed_with_messages_in_hand_sends_none_twice(
    desk: Desk, gateway: Gateway, before: bool, askable: bool
) -> None:
    who, other = await desk.open(), await desk.open()
    one, code = await asked(desk, who), await desk.ask(other, "verify", NOON, fields={"code": "123456"})
    port = HttpSms(gateway.url, status=gateway.status_url if askable else "")
    with pytest.raises(Killed):
        await turn(desk, Dying(port, before))
    in_hand = await desk.message(one.message_id)
    assert (in_hand.state, in_hand.batch_id is None) == ("handed", False)
    await turn(desk, port, NOON + timedelta(seconds=10))
    await turn(desk, port, NOON + timedelta(minutes=2))
    sent = len(gateway.sent(await number_of(desk, who)))
    state = (await desk.message(one.message_id)).state
    # Asked, the gateway knows whether it had it; else nobody does, and it is never sent again.
    assert (sent, state) == {(True, True): (1, "handed"), (True, False): (1, "handed"), (False, True): (0, "unknown"),
                             (False, False): (1, "unknown")}[askable, before]  # fmt: skip
    assert (await desk.message(code.message_id)).state == "handed"  # a code goes again rather than never


async def test_bookkeeping_that_fails_never_sends_again_and_holds_up_no_other(
    desk: Desk, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.messaging import sending

    poisoned, fine = await asked(desk, await desk.open()), await asked(desk, await desk.open())
    became = sending._became

    def poison(row: MessageRow, *rest: Any) -> Any:
        if row.message_id == poisoned.message_id:
            return "handed", "\x00", rest[-1]  # what a text column cannot hold
        return became(row, *rest)

    monkeypatch.setattr(sending, "_became", poison)
    port = HttpSms(gateway.url)
    await turn(desk, port)
    assert (await desk.message(fine.message_id)).batch_id is None
    assert (await desk.message(poisoned.message_id)).batch_id is not None
    monkeypatch.undo()
    for minutes in range(1, 90, 20):
        await turn(desk, port, NOON + timedelta(minutes=minutes))
    assert (await desk.message(poisoned.message_id)).state == "unknown"
    assert len(gateway.taken) == 2


async def test_an_adapter_that_raises_is_a_fault_of_ours_and_sends_nothing_again(desk: Desk, gateway: Gateway) -> None:
    class Raising(Dying):
        async def send(self, letters: Sequence[Letter]) -> Mapping[str, Answer]:
            raise RuntimeError("a fault")

    one = await asked(desk, await desk.open())
    await turn(desk, Raising(HttpSms(gateway.url), before=True))
    found = await desk.message(one.message_id)
    assert (found.state, found.reason) == ("unknown", "RuntimeError('a fault')")


async def test_the_words_that_go_out(desk: Desk, gateway: Gateway) -> None:
    await desk.world.publish(
        broker.StaffChanged(staff_id="mia", branch_id="B7", name="米娅"),
        broker.BranchChanged(branch_id="B7", name="人民路营业部", phone="021-5555"),
        at=at(business_date(utc_now()) - timedelta(days=9), 9),
    )
    who = await desk.open(branch="B7", name="王{}小明😀", manager_id="mia")
    await desk.ask(who, "welcome", NOON)
    await asked(desk, who)
    await turn(desk, HttpSms(gateway.url))
    number = await number_of(desk, who)
    assert sorted(gateway.sent(number)) == [
        "【客户服务】尊敬的王{}小明：感谢您选择人民路营业部。您的客户经理米娅，联系电话021-5555。客户服务热线400-000-0000。",
        "【客户服务】尊敬的王{}小明：资料已更新。服务热线400-000-0000。",
    ]
    [one] = [
        row for row in (await desk.ok(_hq(), "GET", f"/clients/{who}/messages"))["items"] if row["kind"] == "welcome"
    ]
    assert (one["to"], one["parts"], one["language"]) == (f"{number[:3]}****{number[-4:]}", 1, "zh-CN")


def _hq() -> Any:
    from tests.messaging.desk import HQ

    return HQ


async def test_messages_of_one_window_go_as_one(desk: Desk, gateway: Gateway) -> None:
    who = await desk.open()
    for n, symbol in enumerate(("601658", "688981")):
        fields = {"symbol": symbol, "quantity": "500", "pay_by": "2026-06-05"}
        row = await desk.ask(who, "allotment", NOON + timedelta(minutes=3 * n), symbol, fields=fields)
        assert row.due_at == NOON + timedelta(minutes=10)
    port = HttpSms(gateway.url)
    assert await turn(desk, port, NOON + timedelta(minutes=9)) == 0
    assert await turn(desk, port, NOON + timedelta(minutes=10)) == 1
    [text] = gateway.sent(await number_of(desk, who))
    assert "601658" in text
    assert "688981" in text
    rows = await desk.world.rows("messaging", "SELECT state, merged_into FROM messages WHERE client_id = $1", who)
    assert ([row["state"] for row in rows], sum(row["merged_into"] is None for row in rows)) == (["handed"] * 2, 1)


@pytest.mark.parametrize(
    ("result", "becomes"),
    [(Result.LATER, ("cancelled", "withdrawn")), (Result.TAKEN, ("handed", "")), (Result.UNCLEAR, ("unknown", "busy"))],
)
@pytest.mark.parametrize("by_service", [True, False])
async def test_what_is_taken_back_while_in_hand_is_not_tried_again(
    desk: Desk, gateway: Gateway, result: Result, becomes: tuple[str, str], by_service: bool
) -> None:
    one = await asked(desk, await desk.open())

    class Slow:
        """A provider that is still asked when the message is taken back, by who asked for it or by anybody who may."""

        async def send(self, letters: Sequence[Letter]) -> Mapping[str, Answer]:
            if by_service:
                async with desk.world.database("messaging").unit_of_work() as uow:
                    await withdraw(uow, [one.message_id])
            else:
                for _ in range(2):
                    said = await desk.ok(
                        SYSTEM, "POST", f"/messages/{one.message_id}/cancellation", {"reason": "an error"}
                    )
                    assert (said["state"], said["why"]) == ("handed", "withdrawn")
            return {letter.message_id: Answer(result, reason="busy") for letter in letters}

        async def ask(self, _: Sequence[Handed], /) -> Mapping[str, Answer]:
            return {}

    assert await turn(desk, Slow()) == 1
    row = await desk.message(one.message_id)
    assert (row.state, row.reason) == becomes
    assert (row.handed_at is None) == (result is Result.LATER)
    if not by_service:  # it is in nobody's hand any more
        gone = await desk.call(SYSTEM, "POST", f"/messages/{one.message_id}/cancellation", {"reason": "an error"})
        assert gone.status_code == 409


async def test_a_number_of_four_clients_is_asked_about_once(desk: Desk, gateway: Gateway) -> None:
    who = [await desk.open(phone="15512345678") for _ in range(4)]
    for one in who:
        await asked(desk, one)
    await turn(desk, HttpSms(gateway.url))
    assert len(gateway.sent("15512345678")) == 4  # a notice is each client's own
    shared = [one for one in await desk.told("messaging.address.failed") if one["reason"] == "shared_number"]
    assert len(shared) == 1


async def test_quiet_hours_and_the_end_are_judged_at_handing(desk: Desk, gateway: Gateway) -> None:
    who, port = await desk.open(), HttpSms(gateway.url)
    evening = at(business_date(utc_now()), 20, 59)
    one = await asked(desk, who, when=evening)
    short = await asked(desk, who, "p2", when=evening, not_after=evening + timedelta(hours=3))
    assert one.state == short.state == "queued"
    assert await turn(desk, port, evening + timedelta(minutes=1)) == 0  # 21:00:00
    waiting, ended = await desk.message(one.message_id), await desk.message(short.message_id)
    morning = at(business_date(evening) + timedelta(days=1), 8, 30)
    assert (waiting.state, waiting.reason, waiting.due_at) == ("planned", "quiet_hours", morning)
    assert (ended.state, ended.reason) == ("expired", "quiet_hours")
    assert not await judge_due(desk.world.database("messaging"), morning)
    assert await turn(desk, port, morning) == 1  # 08:30:00


async def test_no_receipt_in_72_hours_is_unknown(desk: Desk, gateway: Gateway) -> None:
    one = await asked(desk, await desk.open())
    await turn(desk, HttpSms(gateway.url))
    database = desk.world.database("messaging")
    await end_waits(database, NOON + timedelta(hours=71))
    assert (await desk.message(one.message_id)).state == "handed"
    await end_waits(database, NOON + timedelta(hours=72))
    assert (await desk.message(one.message_id)).reason == "no_receipt"


async def test_the_apps_mailbox_has_what_finds_no_other_way(desk: Desk, gateway: Gateway) -> None:
    who = await desk.open(phone="not a number")
    one = await asked(desk, who)
    assert (one.state, one.channel) == ("queued", "app")
    await turn(desk, ports(MessageSettings(), desk.world.settings.home)["app"], way="app")
    assert (await desk.message(one.message_id)).state == "delivered"


async def test_a_replayed_home_and_one_nobody_named_send_nothing(desk: Desk, gateway: Gateway) -> None:
    await desk.ask(await desk.open(), "verify", utc_now(), fields={"code": "1"})
    database, by = desk.world.database("messaging"), {"own": HttpSms(gateway.url)}
    async with database.unit_of_work() as uow:
        await uow.sql.execute("UPDATE timeline SET timeline = 'simulated'")
    assert not await send_by_itself(database, "own", Pace(), by)
    async with database.unit_of_work() as uow:
        await uow.sql.execute("UPDATE timeline SET timeline = 'real'")
    assert gateway.calls == 0
    assert await send_by_itself(database, "own", Pace(), by)
    assert gateway.calls == 1


def test_a_pace_is_a_providers() -> None:
    pace = Pace()
    assert pace.wait_seconds(30, 300) == 0
    assert 0 < pace.wait_seconds(30, 300) <= 0.1
    assert 0.1 < pace.wait_seconds(30, 300) <= 0.2


# --- e-mail ----------------------------------------------------------------------------------------------------------


class Mailbox:
    """A real SMTP server in this process that refuses, dies or takes, by the address."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("nobody"):
            return f"550 5.1.1 <{address}> no such mailbox"
        if address.startswith("busy"):
            return "451 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope)
        [to] = envelope.rcpt_tos
        if to.startswith("dies"):
            server.transport.abort()
        return "554 spam" if to.startswith("spam") else "250 taken"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of this machine and its key."""
    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(utc_now() - timedelta(days=1)).not_valid_after(utc_now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True).sign(key, hashes.SHA256())
    )  # fmt: skip
    public, private = folder / "cert.pem", folder / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return public, private


@pytest.mark.parametrize("scheme", ["smtp", "smtp+starttls", "smtps"])
async def test_mails_go_to_one_address_each_and_fail_alone(
    desk: Desk, gateway: Gateway, certificate: tuple[Path, Path], scheme: str
) -> None:
    mailbox, loop = Mailbox(), asyncio.get_running_loop()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*certificate)
    starttls = tls if scheme == "smtp+starttls" else None
    server = await loop.create_server(
        lambda: SMTP(mailbox, loop=loop, tls_context=starttls, require_starttls=starttls is not None),
        "127.0.0.1", 0, ssl=tls if scheme == "smtps" else None,
    )  # fmt: skip
    finally_ = {
        "wang": "handed", "nobody": "undelivered", "busy": "queued", "dies": "unknown", "spam": "undelivered",
        "victim@a.cn, other": "queued", "li": "handed",
    }  # fmt: skip
    made = {}
    for name in finally_:
        who = await desk.open(phone=None, email=f"{name}@{scheme.replace('+', '-')}.example.com", name="王小明")
        made[name] = (await asked(desk, who)).message_id
    url = urlsplit(f"{scheme}://localhost:{server.sockets[0].getsockname()[1]}")
    port = Smtp(url, "service@careline.example", certificate[0], seconds=5)
    try:
        await turn(desk, port, way="email")
    finally:
        server.close()
    found = {name: await desk.message(key) for name, key in made.items()}
    assert {name: row.state for name, row in found.items()} == finally_
    assert found["nobody"].reason == "550 5.1.1 <[邮箱]> no such mailbox"
    assert found["victim@a.cn, other"].channel == "app"  # two addresses are none
    assert found["wang"].provider_ref == f"<{made['wang']}@careline>"
    assert all(len(mail.rcpt_tos) == 1 for mail in mailbox.mails)
    assert sorted(mail.rcpt_tos[0].partition("@")[0] for mail in mailbox.mails) == ["dies", "li", "spam", "wang"]
    gone = await turn(desk, port, NOON + timedelta(minutes=2), way="email")  # nobody listens any more
    assert gone == 1
    assert (await desk.message(made["busy"])).state == "queued"


async def test_a_server_whose_certificate_nobody_knows_gets_no_mail(
    desk: Desk, gateway: Gateway, certificate: tuple[Path, Path]
) -> None:
    loop, tls = asyncio.get_running_loop(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*certificate)
    mailbox = Mailbox()
    server = await loop.create_server(lambda: SMTP(mailbox, loop=loop), "127.0.0.1", 0, ssl=tls)
    one = await asked(desk, await desk.open(phone=None, email="zhao@example.com"))
    url = urlsplit(f"smtps://localhost:{server.sockets[0].getsockname()[1]}")
    try:
        await turn(desk, Smtp(url, "service@careline.example", seconds=5), way="email")
    finally:
        server.close()
    assert ((await desk.message(one.message_id)).state, mailbox.mails) == ("queued", [])


async def test_files_for_development(desk: Desk, gateway: Gateway) -> None:
    one = await asked(desk, await desk.open())
    await turn(desk, ports(MessageSettings(), desk.world.settings.home)["own"])
    file = desk.world.settings.home / "messages" / f"sms-{one.message_id}.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert (await desk.message(one.message_id)).provider_ref == file.name


async def test_what_is_asked_for_goes_at_once_and_not_at_the_next_turn(
    desk: Desk, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.worker.OWN_LOOPS_EVERY_SECONDS", 3600.0)
    monkeypatch.setenv("CARELINE_MESSAGES_SMS_CLOUD", gateway.url)
    who = await desk.open()
    worker = desk.world.platform.workers["messaging"]
    listening = asyncio.create_task(worker.wake.listen(desk.world.database("messaging").url))
    running = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(60):
            while not {"judge", "send by cloud"} <= worker.states.keys():  # noqa: ASYNC110 - nor have loops
                await asyncio.sleep(0)
            await desk.ask(who, "verify", utc_now(), fields={"code": "123456"})
            while not gateway.taken:  # noqa: ASYNC110 - the gateway has no event of its own
                await asyncio.sleep(0.05)
    finally:
        for task in (running, listening):
            task.cancel()
        await asyncio.gather(running, listening, return_exceptions=True)
    assert gateway.sent(await number_of(desk, who)) == ["【客户服务】您的验证码是123456，10分钟内有效，请勿告知他人。"]
