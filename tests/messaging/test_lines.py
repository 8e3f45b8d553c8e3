"""Lines of the SMS products [MS17]: the desk's and those made of facts; who gets them; days that were paid for in vain."""

import random
from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from chassis.calendar import DayKind, shipped
from chassis.clock import at, business_date, utc_now
from contracts import broker
from contracts.fields import Quantity
from contracts.messaging import message_id
from contracts.products import EntitlementChanged, EntitlementStretch
from services.messaging.line_facts import Asking
from services.messaging.lines import check
from services.messaging.policy import securities
from services.messaging.ports.sms import HttpSms
from services.messaging.sending import judge_due, send_due
from services.messaging.tables import MessageRow
from services.products.tables import ENTITLEMENTS
from tests.messaging.desk import DESK, HEAD, HQ, Desk
from tests.messaging.gateway import Gateway, serving
from tests.messaging.test_mailings import SECOND, order
from tests.world import World

CALENDAR = shipped()
TODAY = business_date(utc_now())
LAST = CALENDAR.add_days(TODAY, -1, DayKind.TRADING)
"""The last trading day before today."""
BEFORE = CALENDAR.add_days(LAST, -1, DayKind.TRADING)
FIRST = BEFORE - timedelta(days=1)


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with serving() as made:
        yield made


def has(client_id: str, *codes: str, revision: int = 1, since: date = FIRST, until: date | None = None) -> Any:
    stretches = [
        EntitlementStretch(since=since, until=until, code=code, source="PRODUCT", version="1") for code in codes
    ]
    return EntitlementChanged(client_id=client_id, revision=revision, changed_from=since, stretches=stretches)


def held(client_id: str, symbol: str, day: date, price: str, quantity: str = "200") -> broker.HoldingValued:
    worth = Decimal(price) * Decimal(quantity)
    return broker.HoldingValued(
        client_id=client_id, as_of=day, symbol=symbol, quantity=Quantity(quantity), value=Quantity(f"{worth:.2f}")
    )


async def found(desk: Desk, kind: str, client_id: str, cause: str) -> MessageRow | None:
    key = message_id(kind, client_id, cause)
    known = await desk.world.value("messaging", "SELECT EXISTS (SELECT FROM messages WHERE message_id = $1)", key)
    return await desk.message(key) if known else None


def test_which_securities_a_text_names() -> None:
    assert securities("关注600519与000001，代码600519，电话13800138000，2026年") == ["600519", "000001"]


async def test_lines_are_made_of_facts_for_those_who_have_the_product(desk: Desk, gateway: Gateway) -> None:
    world = desk.world
    paid, ipo, none, late, advised = [await desk.open() for _ in range(5)]
    facts: list[Any] = [
        has(paid, "SMS2"), has(ipo, "SMS3"), has(advised, "SMS1"),
        # Two holdings moved, one did not; one was not valued the days before.
        held(paid, "600519", BEFORE, "100"), held(paid, "600519", LAST, "106.5", "150"),
        held(paid, "000001", BEFORE, "10"), held(paid, "000001", LAST, "9.5"),
        held(paid, "300750", BEFORE, "200"), held(paid, "300750", LAST, "209.9"), held(paid, "688001", LAST, "50"),
        held(none, "600519", BEFORE, "100"), held(none, "600519", LAST, "110"),
        held(late, "600519", BEFORE, "100"), held(late, "600519", LAST, "94"),
        broker.InstrumentNoticed(notice_id="w-near", symbol="600519", kind="warrant_expiry", on=CALENDAR.add_days(TODAY, 5, DayKind.TRADING)),
        broker.InstrumentNoticed(notice_id="w-far", symbol="600519", kind="warrant_expiry", on=CALENDAR.add_days(TODAY, 9, DayKind.TRADING)),
        broker.InstrumentNoticed(notice_id="r-1", symbol="000001", kind="rights_issue", on=TODAY + timedelta(days=20)),
        broker.InstrumentNoticed(notice_id="r-old", symbol="000001", kind="rights_issue", on=BEFORE),
        broker.InstrumentNoticed(notice_id="n-1", symbol="301001", kind="new_issue", on=TODAY + timedelta(days=3)),
        broker.AllotmentMade(client_id=ipo, allotment_id="a-1", symbol="301000", quantity=Quantity("500"), pay_by=TODAY + timedelta(days=2)),
        broker.AllotmentMade(client_id=none, allotment_id="a-2", symbol="301000", quantity=Quantity("500"), pay_by=TODAY + timedelta(days=2)),
    ]  # fmt: skip
    random.Random(15).shuffle(facts)  # in whatever order it comes
    await world.publish(*facts, at=at(FIRST, 9))  # notices and allotments lie ahead
    await world.settle()
    # Shares allotted, notices: at once. What holdings did: when the day is closed.
    assert (await found(desk, "allotment", ipo, "a-1")) is not None
    assert (await found(desk, "holding_moved", paid, LAST.isoformat())) is None
    for day in (BEFORE, LAST):  # and what lies between, a weekend
        await world.close(day)
    expected = {
        ("holding_moved", paid, LAST.isoformat()), ("warrant_expiry", paid, "w-near"), ("rights_issue", paid, "r-1"),
        ("new_issue", ipo, "n-1"), ("allotment", ipo, "a-1"),
    }  # fmt: skip
    rows = await world.rows("messaging", "SELECT kind, client_id, cause FROM messages WHERE asked_by = 'lines'")
    assert {(row["kind"], row["client_id"], row["cause"]) for row in rows} == expected
    # Somebody whose product is told after the close, and a holding told late, get theirs; nobody gets anything twice.
    await world.publish(has(late, "SMS2"), held(paid, "688001", BEFORE, "40"))
    await world.settle()
    expected |= {("holding_moved", late, LAST.isoformat()), ("warrant_expiry", late, "w-near")}
    rows = await world.rows("messaging", "SELECT kind, client_id, cause FROM messages WHERE asked_by = 'lines'")
    assert sorted((row["kind"], row["client_id"], row["cause"]) for row in rows) == sorted(expected)
    # A paid day without content is reported, the second is an alarm; a line made of facts is content.
    days = await desk.ok(HQ, "GET", f"/columns/content?first={BEFORE}&last={LAST}")
    assert [(one["code"], one["day"], one["payers"], one["missing"], one["alarm"]) for one in days if one["code"] != "SMS3"] == [
        ("SMS1", BEFORE.isoformat(), 1, True, False), ("SMS2", BEFORE.isoformat(), 1, True, False),
        ("SMS1", LAST.isoformat(), 1, True, True), ("SMS2", LAST.isoformat(), 1, False, False),
    ]  # fmt: skip
    assert (await desk.call(DESK, "GET", f"/columns/content?first={BEFORE}&last={LAST}")).status_code == 403
    findings = await desk.told("messaging.finding.raised")
    assert [(one["kind"], one["subject"]) for one in findings if one["subject"][:4] in ("SMS1", "SMS2")] == [
        ("paid_days_without_content", f"SMS1/{LAST.isoformat()}")
    ]
    async with world.sql("messaging") as sql:
        assert (await check(sql))["status"] == "warn"
    noon = at(TODAY, 12)
    database = world.database("messaging")
    async with database.unit_of_work() as uow:
        # Whatever the hour: those that were asked for at night have expired where they are worth nothing tomorrow.
        await uow.sql.execute(
            "UPDATE messages SET due_at = $1, state = 'planned', reason = '' WHERE asked_by = 'lines'", noon
        )
    for now in (noon, noon + timedelta(minutes=11)):  # one kind waits ten minutes for others like it
        while await judge_due(database, now):
            pass
        while await send_due(database, "own", HttpSms(gateway.url), now):
            pass
    texts = {who: gateway.sent(f"139{int(who.removeprefix('c-')):08d}") for who in (paid, ipo, none, late)}
    assert texts[none] == []
    moved = next(text for text in texts[paid] if "异动" in text)
    assert f"于{LAST.isoformat()}异动：600519 +6.5%, 000001 -5.0%。" in moved
    assert (moved[:6], moved[-5:]) == ("【客户服务】", "退订回T2")
    assert any("600519 -6.0%" in text for text in texts[late])
    assert any("301000中签500股" in text for text in texts[ipo])


async def test_the_desk_writes_lines_that_a_second_person_releases_to_those_who_have_the_product(
    desk: Desk, gateway: Gateway
) -> None:
    world = desk.world
    adviser, holder, other, ended = [await desk.open() for _ in range(4)]
    await world.publish(
        has(adviser, "SMS1"), has(holder, "SMS1", "SMS2"), has(ended, "SMS1", until=TODAY),
        held(holder, "600036", TODAY - timedelta(days=1), "40"),
    )  # fmt: skip
    await world.settle()
    text = "招商银行600036回调后可关注，注意风险"
    for actor, body, status in (
        (HQ, order("sms1", text), 422),  # names an instrument it is not linked to
        (HQ, order("sms1", text, symbols=["600036"], branch_id="B1"), 422),
        (HEAD, order("sms1", text, symbols=["600036"]), 422),  # a branch writes none
        (DESK, order("sms1", text, symbols=["600036"]), 403),
        (HQ, order("sms1", "今日稳赚", symbols=[]), 422),
        (HQ, order("sms2", "请留意", holders_only=True), 422),
        (HQ, order("morning_brief", symbols=["600036"]), 422),
    ):
        answer = await desk.call(actor, "POST", "/mailings", body)
        assert answer.status_code == status, answer.text
    line = await desk.ok(HQ, "POST", "/mailings", order("sms1", text, symbols=["600036"]), 201)
    path = f"/mailings/{line['mailing_id']}"
    assert (await desk.call(HQ, "POST", f"{path}/release")).status_code == 403  # oneself
    released = await desk.ok(SECOND, "POST", f"{path}/release")
    assert (released["planned"], released["left_out"]["not_entitled"] >= 2) == (3, True)  # and the one above
    why = await desk.ok(HQ, "GET", f"{path}/clients/{ended}")
    assert (why["reasons"], why["message"]) == (["not_entitled"], None)
    only = await desk.ok(
        HQ, "POST", "/mailings", order("sms1", "留意今日公告", symbols=["600036"], holders_only=True), 201
    )
    released = await desk.ok(SECOND, "POST", f"/mailings/{only['mailing_id']}/release")
    assert released["planned"] == 1
    assert (await desk.ok(HQ, "GET", f"/mailings/{only['mailing_id']}/clients/{adviser}"))["reasons"] == ["not_held"]
    # A product that ends takes with it what waits: it is blocked, unsubscribed by T1, or over.
    waiting = await found(desk, "sms1_line", adviser, line["mailing_id"])
    assert waiting is not None
    assert waiting.state in ("planned", "queued")
    await world.publish(has(adviser, "SMS1", revision=2, until=TODAY))
    await world.settle()
    row = await desk.message(waiting.message_id)
    assert (row.state, row.reason) == ("suppressed", "not_entitled")
    noon = at(TODAY + timedelta(days=1), 12)
    async with world.database("messaging").unit_of_work() as uow:
        await uow.sql.execute("UPDATE messages SET due_at = $1 WHERE kind = 'sms1_line' AND state IN ('planned', 'queued')", noon)  # fmt: skip
    while await judge_due(world.database("messaging"), noon):
        pass
    while await send_due(world.database("messaging"), "own", HttpSms(gateway.url), noon):
        pass
    number = f"139{int(holder.removeprefix('c-')):08d}"
    assert f"【客户服务】{text}。退订回T1" in gateway.sent(number)
    assert gateway.sent(f"139{int(adviser.removeprefix('c-')):08d}") == gateway.sent(f"139{int(other.removeprefix('c-')):08d}") == []  # fmt: skip


@pytest.mark.services("messaging", "products")
async def test_a_messaging_that_was_added_later_is_told_once_more_who_has_what(world: World) -> None:
    """What products told before messaging was there is in no log any more: in a real home it asks, once."""
    desk, database = Desk(world), world.database("messaging")
    who, _ = await desk.open(), await desk.open()
    stretch = EntitlementStretch(since=FIRST, until=None, code="SMS2", source="PRODUCT", version="1")
    async with world.database("products").unit_of_work() as uow:
        for stretches in ([], [stretch]):  # told twice already, and nobody heard it
            await ENTITLEMENTS.put(uow, {who: stretches})

    async def those_who_have_it() -> list[str]:
        rows = await world.rows("messaging", "SELECT client_id FROM entitlements WHERE code = 'SMS2'")
        return [row["client_id"] for row in rows]

    asking, asked = Asking(), "SELECT count(*) FROM bus.log WHERE type = 'messaging.entitlements.requested'"
    assert await asking.turn(database) is False
    await world.settle()
    assert (await world.value("gateway", asked), await those_who_have_it()) == (
        0,
        [],
    )  # not before it is known to be real
    await desk.real()
    for loop in (asking, asking, Asking()):
        await loop.turn(database)
        await world.settle()
    assert (await world.value("gateway", asked), await those_who_have_it()) == (1, [who])
    # Nothing is sent because of it: what callbacks hands over is another matter.
    assert await world.value("messaging", "SELECT NOT EXISTS (SELECT FROM messages WHERE state = 'handed')")
    async with world.database("products").unit_of_work() as uow:
        assert await ENTITLEMENTS.of(uow.sql, who) == [stretch]
