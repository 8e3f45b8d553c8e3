"""Bad input, one table: each line is asked for, judged and sent by the loop's own turns to a gateway on this machine, and all of
it is in one turn with messages that nothing is wrong with."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from chassis.clock import at, business_date
from contracts import broker
from services.messaging.policy import Policies
from services.messaging.ports.adapters import ports
from services.messaging.ports.sms import HttpSms
from services.messaging.preferences import Choice, note_choices
from services.messaging.sending import judge_due, send_due
from services.messaging.settings import MessageSettings
from tests.messaging.desk import SYSTEM, Desk
from tests.messaging.gateway import Gateway, serving
from tests.messaging.test_inbound import SECRET, receipt, reply, taken

# A Thursday of work; then the days of the national holiday, and the first working day after it.
NOON = at(date(2026, 9, 24), 12)
HOLIDAY, WORKDAY = date(2026, 10, 1), date(2026, 10, 8)
FOREIGN = "+85291234567"


@dataclass(frozen=True)
class Line:
    """A message with something about it, and what has become of it after the turns at `turns`."""

    becomes: tuple[str, str]
    """State and reason at the end."""
    phone: str | None = "own"
    name: str = "王小明"
    kind: str = "account_notice"
    fields: Mapping[str, str] = field(default_factory=lambda: {"text": "资料已更新"})
    answers: str = "fine"
    asked: datetime = NOON
    closes: bool = False
    texts: tuple[str, ...] | None = None
    """The texts that came for the number, where that is said; None: one that holds the words asked for."""
    channel: str = "sms"
    later: tuple[datetime, str] | None = None
    """A later turn, and the state after it."""


def said(text: str, name: str = "王小明") -> str:
    return f"【客户服务】尊敬的{name}：{text}。服务热线400-000-0000。"


EVENING, MORNING = at(date(2026, 9, 24), 21), at(date(2026, 9, 25), 8, 30)
SECOND = timedelta(seconds=1)
LINES = {
    "nothing wrong": Line(("handed", ""), texts=(said("资料已更新"),)),
    "a number that is none": Line(("delivered", ""), phone="12345", channel="app", texts=()),
    "a number that is none and no other way": Line(("suppressed", "no_address"), phone="12345", kind="opt_out_confirmed", fields={}, texts=()),
    "a foreign number": Line(("handed", ""), phone=FOREIGN, texts=(said("资料已更新"),)),
    "a template that has run out": Line(("suppressed", "no_template"), kind="old_notice", texts=()),
    "a variable too long": Line(("suppressed", "wrong_fields"), fields={"text": "长" * 121}, texts=()),
    "a variable nobody knows": Line(("suppressed", "wrong_fields"), fields={"text": "x", "other": "y"}, texts=()),
    "an emoji": Line(("handed", ""), fields={"text": "资料已更新👨‍👩‍👧✌️"}, texts=(said("资料已更新✌"),)),
    "a name with braces": Line(("handed", ""), name="王{}小明{text}", texts=(said("资料已更新", "王{}小明{text}"),)),
    "a field with braces": Line(("handed", ""), fields={"text": "{name}{0}%s{{"}, texts=(said("{name}{0}%s{{"),)),
    "an account closed meanwhile": Line(("suppressed", "account_closed"), closes=True, texts=()),
    "200 with an error inside": Line(("queued", "isp.BUSINESS_LIMIT"), answers="error_inside", later=(NOON + timedelta(minutes=2), "handed")),
    "200 with a dead number inside": Line(("undelivered", "空号"), answers="dead_inside"),
    "HTML in place of JSON": Line(("unknown", "the answer is no JSON"), answers="html", later=(NOON + timedelta(minutes=2), "unknown")),
    "half an answer": Line(("unknown", ""), answers="cut", later=(NOON + timedelta(minutes=2), "unknown")),
    "at 20:59:59": Line(("handed", ""), asked=EVENING - SECOND),
    "at 21:00:00": Line(("planned", "quiet_hours"), asked=EVENING, texts=(), later=(MORNING, "handed")),
    "at 08:29:59": Line(("planned", "quiet_hours"), asked=MORNING - SECOND, texts=(), later=(MORNING, "handed")),
    "at 08:30:00": Line(("handed", ""), asked=MORNING),
    "a code at 21:00:00": Line(("handed", ""), kind="verify", fields={"code": "123456"}, asked=EVENING),
    "marketing on a holiday": Line(("planned", "holiday"), kind="invitation", fields={}, asked=at(HOLIDAY, 12), texts=(), later=(at(WORKDAY, 9), "handed")),
    "a notice on a holiday": Line(("handed", ""), asked=at(HOLIDAY, 12)),
}  # fmt: skip


@pytest.fixture
async def gateway(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    monkeypatch.setenv("CARELINE_MESSAGES_INBOUND_SECRET", SECRET)
    async with serving() as made:
        yield made


async def with_a_template_that_runs_out(desk: Desk) -> None:
    """A template that a version had until the moment its message is to go."""
    shipped = deepcopy(dict(Policies.tables["templates"].shipped[-1].written))
    more = deepcopy(shipped)
    more["kinds"]["old_notice"] = deepcopy(shipped["kinds"]["account_notice"])
    async with desk.world.database("messaging").unit_of_work() as uow:
        for number, (on, body) in enumerate(((date(2026, 9, 1), more), (business_date(NOON), shipped)), 1):
            await uow.sql.execute(
                """INSERT INTO policy_versions (name, scope, version, effective_on, body, reason, state, made_by, made_at)
                   VALUES ('templates', '', $1, $2, $3, 'test', 'published', 'm', now())""",
                number, on, body,
            )  # fmt: skip


async def turns(desk: Desk, gateway: Gateway, when: datetime) -> None:
    """What the loops do at an instant: judge what is due, then send by every way."""
    database = desk.world.database("messaging")
    while await judge_due(database, when):
        pass
    sms = HttpSms(gateway.url, seconds=2)
    app = ports(MessageSettings(), desk.world.settings.home)["app"]
    for way, port in (("own", sms), ("cloud", sms), ("app", app)):
        await send_due(database, way, port, when)


async def consent(desk: Desk, who: str) -> None:
    async with desk.world.database("messaging").unit_of_work() as uow:
        since = NOON - timedelta(days=90)
        await note_choices(uow, who, [Choice(message_class="MARKETING", allowed=True)], how="staff", evidence="form/1", since=since)  # fmt: skip


async def test_every_line_alone_becomes_what_it_should_and_none_holds_up_another(desk: Desk, gateway: Gateway) -> None:
    await with_a_template_that_runs_out(desk)
    numbers, keys = dict[str, str](), dict[str, UUID]()
    for name, line in LINES.items():
        phone = f"138{len(numbers):08d}" if line.phone == "own" else line.phone
        who = await desk.open(phone=phone, name=line.name)
        numbers[name] = phone or ""
        gateway.behave[numbers[name]] = line.answers
        await consent(desk, who)
        before = at(date(2026, 9, 23), 12) if line.kind == "old_notice" else line.asked
        row = await desk.ask(who, line.kind, before, fields=dict(line.fields))
        keys[name] = row.message_id
        if line.closes:
            await desk.world.publish(broker.ClientClosed(client_id=who, closed_on=business_date(line.asked)))
            await desk.world.settle()
    instants = {line.asked for line in LINES.values()} | {line.later[0] for line in LINES.values() if line.later}
    for when in sorted(instants):
        for name, line in LINES.items():
            if line.later is not None and line.later[0] == when:
                gateway.behave[numbers[name]] = "fine"
        await turns(desk, gateway, when)
        for name, line in LINES.items():
            row = await desk.message(keys[name])
            if line.asked == when:
                assert row.state == line.becomes[0], (name, row.reason)
                assert row.reason == line.becomes[1] or name == "half an answer", (name, row.reason)
                assert (row.channel or "sms") == line.channel, name
                came = gateway.sent(numbers[name])
                assert len(came) == 1 if line.texts is None else tuple(came) == line.texts, (name, came)
            if line.later is not None and line.later[0] == when:
                assert row.state == line.later[1], name
    assert max(gateway.accepted.values()) == 1
    unclear = [numbers[name] for name, line in LINES.items() if line.becomes[0] == "unknown"]
    assert [len(gateway.sent(number)) for number in unclear] == [1, 1]  # never sent again blindly


async def test_a_number_of_four_clients_gets_each_ones_own_notice_and_is_asked_about_once(
    desk: Desk, gateway: Gateway
) -> None:
    who = [await desk.open(phone="15612345678", name=f"王{n}") for n in "甲乙丙丁"]
    for one in who:
        await desk.ask(one, "account_notice", NOON, "shared", fields={"text": "资料已更新"})
    await turns(desk, gateway, NOON)
    assert sorted(gateway.sent("15612345678")) == sorted(said("资料已更新", f"王{n}") for n in "甲乙丙丁")
    told = [one for one in await desk.told("messaging.address.failed") if one["client_id"] in who]
    assert [one["reason"] for one in told] == ["shared_number"]
    # A reply from it stops marketing for all four, and the number is nobody's in particular.
    assert (await taken(desk, replies=[reply("15612345678", "ｔ ｄ") | {"at": NOON.isoformat()}]))["replies"] == 1
    for one in who:
        await consent(desk, one)
        assert (await desk.ask(one, "invitation", NOON + timedelta(hours=1), "m")).channel != "sms"


async def test_over_rest_what_cannot_be_is_refused_with_a_pointer(desk: Desk) -> None:
    who = await desk.open()
    bad: list[tuple[dict[str, Any], str]] = [
        ({"fields": {"text": "长" * 121}}, "/fields/text"),
        ({"fields": {}}, "/fields/text"),
        ({"fields": {"text": "a\u0007b"}}, "/fields/text"),
        ({"kind": "no_such_kind", "fields": {}}, "/kind"),
        ({"not_before": "2026-09-24T12:00:00+08:00", "not_after": "2026-09-24T12:00:00+08:00"}, "/not_after"),
    ]
    for more, pointer in bad:
        body = {"kind": "account_notice", "client_id": who, "period": "bad", "fields": {"text": "x"}} | more
        answer = await desk.call(SYSTEM, "POST", "/messages", body)
        assert answer.status_code == 422, more
        assert [one["pointer"] for one in answer.json()["errors"]] == [pointer], more
    assert (await desk.ok(SYSTEM, "GET", f"/clients/{who}/messages"))["items"] == []


async def test_receipts_of_nothing_ten_times_and_a_flood_of_replies(desk: Desk, gateway: Gateway) -> None:
    who = await desk.open(phone="13799990001")
    row = await desk.ask(who, "account_notice", NOON, "flood", fields={"text": "资料已更新"})
    await turns(desk, gateway, NOON)
    row = await desk.message(row.message_id)
    word = receipt(row) | {"at": NOON.isoformat()}
    stranger = {"message_id": str(uuid4()), "state": "delivered", "at": NOON.isoformat()}
    assert await taken(desk, receipts=[word] * 10 + [stranger]) == {
        "moved": 1,
        "repeated": 9,
        "unknown": 1,
        "replies": 0,
    }
    # Ten calls side by side with the same receipt, and a flood of replies that mean nothing, with one that does.
    again = await asyncio.gather(*(taken(desk, receipts=[word]) for _ in range(10)))
    assert [one["repeated"] for one in again] == [1] * 10
    flood = [[reply("13799990001", "。", f"flood-{call}-{n}") for n in range(250)] for call in range(4)]
    flood[1][7]["text"] = "退 订"
    counts = await asyncio.gather(*(taken(desk, replies=part) for part in (*flood, *flood)))
    assert sum(one["replies"] for one in counts) == 1000
    told = [one for one in await desk.told("messaging.reply.received") if one["inbound_id"].startswith("flood-")]
    assert [sum(one["command"] == command for one in told) for command in ("OTHER", "STOP")] == [999, 1]
    sent = await desk.world.value("messaging", "SELECT count(*) FROM messages WHERE client_id = $1", who)
    assert sent == 2  # the notice and one confirmation
