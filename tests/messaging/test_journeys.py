"""Journeys on both buses: from an account that opens to a number that does not work, and a line to ten thousand subscribers."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from chassis.clock import at, business_date, utc_now
from contracts import broker
from contracts.messaging import message_id
from contracts.suitability import AssessmentExpiring
from services.messaging.ports.sms import HttpSms
from services.messaging.sending import judge_due, send_due
from tests.messaging.desk import HQ, SYSTEM, Desk, client
from tests.messaging.gateway import Gateway, serving
from tests.messaging.test_hand_over import hand_over_all
from tests.messaging.test_inbound import SECRET, taken
from tests.messaging.test_mailings import SECOND, order
from tests.world import World

pytestmark = pytest.mark.both_buses
TODAY = business_date(utc_now())
OPENED = TODAY - timedelta(days=6)
PHONE = "13711112222"
SUBSCRIBERS, AT_ONCE = 10_000, 2_000


@pytest.fixture(autouse=True)
def agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARELINE_MESSAGES_INBOUND_SECRET", SECRET)


async def real(world: World, *services: str) -> Desk:
    for service in services:
        async with world.database(service).unit_of_work() as uow:
            await uow.sql.execute("INSERT INTO timeline (timeline, decided_at) VALUES ('real', now())")
    return Desk(world)


async def turns(desk: Desk, provider: Gateway, when: Any) -> None:
    """What the loops do at an instant; then everybody hears of it."""
    database = desk.world.database("messaging")
    while await judge_due(database, when):
        pass
    while await send_due(database, "own", HttpSms(provider.url, batch=50 if provider.default == "fine" else 1), when):
        pass
    await desk.world.settle()


@pytest.mark.services("callbacks", "messaging")
async def test_from_the_welcome_to_a_number_that_does_not_work(world: World) -> None:
    desk = await real(world, "callbacks", "messaging")
    await hand_over_all(desk)
    who, until = "n-1", TODAY + timedelta(days=31)
    await world.publish(
        broker.StaffChanged(staff_id="mia", branch_id="B1", name="米娅"),
        broker.ClientOpened(client_id=who, branch_id="B1", opened_on=OPENED, phone=PHONE, manager_id="mia"),
        at=at(OPENED, 9),
    )
    await world.settle()
    async with serving() as provider:
        # Day 1, and the provider is down for an hour: the welcome goes once, when it is there again.
        day_1, provider.default = at(TODAY + timedelta(days=1), 12), "away"
        for minutes in (0, 1, 6, 21):
            await turns(desk, provider, day_1 + timedelta(minutes=minutes))
        assert provider.accepted.total() == 0
        provider.default = "fine"
        await turns(desk, provider, day_1 + timedelta(minutes=82))
        welcome, follow_up = (message_id(kind, who, OPENED.isoformat()) for kind in ("welcome", "follow_up"))
        assert provider.accepted == Counter({str(welcome): 1})
        assert "您的客户经理米娅" in provider.sent(PHONE)[-1]
        # A reminder before the assessment ends.
        await world.publish(
            AssessmentExpiring(client_id=who, assessment_id="s-1", scheme="S", level="LOW", valid_until=until, days_left=30)
        )  # fmt: skip
        await world.settle()
        await turns(desk, provider, day_1 + timedelta(hours=3))
        assert until.isoformat() in provider.sent(PHONE)[-1]
        # A reply in full width stops marketing on the number, confirmed once; notices go on.
        await desk.ok(client(who), "PUT", f"/clients/{who}/preferences", {"consents": [{"message_class": "MARKETING", "allowed": True}]})  # fmt: skip
        words = {"inbound_id": "in-1", "number": PHONE, "text": "ｔ ｄ", "at": utc_now().isoformat()}
        assert [(await taken(desk, replies=[words]))["replies"] for _ in range(2)] == [1, 0]
        assert (await desk.ask(who, "invitation", utc_now())).channel != "sms"
        # Day 75; and the number does not work any more: contact data are asked for.
        day_75 = at(OPENED + timedelta(days=75), 12)
        assert (await desk.message(follow_up)).state == "planned"
        await turns(desk, provider, day_75)
        assert "基础服务套餐" in provider.sent(PHONE)[-1]
        assert max(provider.accepted.values()) == 1
    bounce = {"message_id": str(follow_up), "state": "undelivered", "reason": "空号", "at": utc_now().isoformat()}
    assert (await taken(desk, receipts=[bounce]))["moved"] == 1
    await world.settle()
    requests = await world.rows("callbacks", "SELECT kind, state FROM requests WHERE client_id = $1 AND kind <> 'follow_up'", who)  # fmt: skip
    assert {row["kind"]: row["state"] for row in requests} == {"welcome": "handed", "suitability_reminder": "handed"}
    assert (await desk.message(follow_up)).state == "undelivered"
    tasks = await world.rows("callbacks", "SELECT state, cause FROM tasks WHERE client_id = $1 AND rule = 'contact_data'", who)  # fmt: skip
    assert [(row["state"], row["cause"]["reason"]) for row in tasks] == [("planned", "空号")]


@pytest.mark.services("messaging")
async def test_a_line_to_ten_thousand_subscribers_reaches_each_once(world: World) -> None:
    desk = await real(world, "messaging")
    await desk.nothing_kept()
    for first in range(0, SUBSCRIBERS + 1, AT_ONCE):
        await world.publish(
            *(
                broker.ClientOpened(client_id=f"s-{n}", branch_id="B1", opened_on=date(2022, 1, 4), phone=f"139{n:08d}")
                for n in range(first, min(SUBSCRIBERS + 1, first + AT_ONCE))
            )
        )
    await world.settle()
    async with world.database("messaging").unit_of_work() as uow:
        await uow.sql.execute(
            """INSERT INTO subscriptions (client_id, column_code, channel, since, recorded_by)
               SELECT client_id, 'market_comment', 'sms', '2024-05-06', client_id FROM clients WHERE client_id <> 's-0'"""
        )
    made = await desk.ok(HQ, "POST", "/mailings", order("market_comment"), 201)
    released = await desk.ok(SECOND, "POST", f"/mailings/{made['mailing_id']}/release")
    assert (released["planned"], released["left_out"]) == (SUBSCRIBERS, {"not_subscribed": 1})
    async with serving() as provider:
        await turns(desk, provider, at(TODAY + timedelta(days=1), 12))
        assert len(provider.accepted) == provider.accepted.total() == SUBSCRIBERS
        assert {one["text"] for one in provider.taken} == {"【客户服务】尊敬的客户：市场回顾与展望。"}
        keys = sorted(provider.accepted)
    for first in range(0, SUBSCRIBERS, 1_000):
        words = [
            {"message_id": key, "state": "delivered", "at": utc_now().isoformat()}
            for key in keys[first : first + 1_000]
        ]
        assert (await taken(desk, receipts=words))["moved"] == 1_000
    day = TODAY.isoformat()
    [figure] = [
        one
        for one in await desk.ok(SYSTEM, "GET", f"/figures?first={day}&last={business_date(utc_now())}&kind=news")
        if one["way"] == "own"
    ]
    assert (figure["asked"], figure["handed"], figure["delivered"]) == (SUBSCRIBERS,) * 3
