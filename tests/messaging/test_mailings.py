"""Mailings by class and product rules [B15]; columns clicked and subscribed to as feedback on the service [B18]."""

from datetime import date, timedelta
from typing import Any

import pytest

from chassis.actor import Actor, Role
from chassis.clock import at, business_date, utc_now
from contracts.classification import GroupChanged, TagStretch, TierChanged, TierStretch
from contracts.suitability import AssessmentCompleted
from services.messaging.mailing_rules import Reader, channels_for, reasons_against
from services.messaging.policy import Policies
from services.messaging.ports.app import AppPort
from services.messaging.ports.sms import HttpSms
from services.messaging.sending import judge_due, send_due
from tests.messaging.desk import DESK, HEAD, HQ, Desk, client
from tests.messaging.gateway import serving

TODAY = business_date(utc_now())
NOON = at(TODAY + timedelta(days=1), 12)
SECOND = Actor("hq-2", Role.HQ, purpose="test")
COLUMNS = Policies.columns.shipped[-1].body


def reader(**given: Any) -> Reader:
    return Reader(**{"rank": 2, "tags": (), "level": "MEDIUM", "subscribed": "email", **given})


@pytest.mark.parametrize(
    ("column", "given", "level", "reasons"),
    [
        ("research_digest", {}, None, []),
        ("research_digest", {"rank": 1}, None, ["class_below"]),
        ("research_digest", {"subscribed": None}, None, ["not_subscribed"]),
        ("service_notice", {"rank": 0, "subscribed": None}, None, []),
        ("products", {}, "MEDIUM", []),
        ("products", {"level": "C4"}, "MEDIUM", []),
        ("products", {"level": "C4"}, "HIGH", ["risk_level_below_product"]),
        ("products", {"level": "C5"}, "HIGH", []),
        ("products", {}, "HIGH", ["risk_level_below_product"]),
        ("products", {"level": None}, "LOW", ["risk_level_below_product"]),
        ("products", {"tags": ("ABNORMAL",)}, "LOW", ["group_left_out"]),
        ("courses", {"subscribed": None}, None, ["other_group"]),
        ("courses", {"subscribed": None, "tags": ("NEW", "AT_RISK")}, None, []),
    ],
)
def test_who_gets_a_column(column: str, given: dict[str, Any], level: str | None, reasons: list[str]) -> None:
    assert reasons_against(COLUMNS[column], reader(**given), level) == reasons


def test_the_channel_is_the_clients_own_choice_else_those_of_the_column() -> None:
    column = COLUMNS["market_comment"]
    assert list(channels_for(column, reader(subscribed="sms"))) == ["sms"]
    assert list(channels_for(column, reader(subscribed=None))) == ["email", "sms"]
    assert {code: one.kind for code, one in COLUMNS.items()} == {
        "service_notice": "notice", "morning_brief": "news", "market_comment": "news", "research_digest": "news",
        "products": "news", "courses": "promotion", "education": "education", "sms1": "sms1_line", "sms2": "sms2_line",
        "sms3": "sms3_line",
    }  # fmt: skip


def order(column: str, text: str = "市场回顾与展望", **others: Any) -> dict[str, Any]:
    return {
        "column": column,
        "zh-CN": {"title": "本周资讯", "text": text},
        "en": {"title": "This week", "text": "the market in review"},
        "send_from": utc_now().isoformat(),
        "send_until": (utc_now() + timedelta(days=2)).isoformat(),
        **others,
    }


async def people(desk: Desk) -> list[str]:
    """Four clients of two branches of their own: what each holds decides what each gets."""
    here, there = f"B-{desk.opened}", f"B-{desk.opened}-2"
    made = [
        await desk.open(branch=branch, email=f"c{number}@example.cn")
        for number, branch in enumerate((here, here, there, here))
    ]
    for who in (made[0], made[2]):
        told = TierChanged(
            client_id=who, branch_id="B1", revision=1, changed_from=date(2022, 8, 1), previous="NORMAL",
            stretches=[TierStretch(since=date(2022, 8, 1), tier="GOLD")], reason="upgrade",
        )  # fmt: skip
        level = AssessmentCompleted(
            client_id=who, assessment_id=f"s-{who}", scheme="S", level="MEDIUM", source="imported",
            valid_from=TODAY - timedelta(days=9), valid_until=TODAY + timedelta(days=700),
        )  # fmt: skip
        await desk.world.publish(told, level)
    await desk.world.settle()
    return made


def head_of(desk: Desk, branch: str, name: str = "head-1") -> Actor:
    return Actor(name, Role.BRANCH_MANAGER, branch_id=branch, purpose="service")


async def branch_of(desk: Desk, who: str) -> str:
    found: str = await desk.world.value("messaging", "SELECT branch_id FROM clients WHERE client_id = $1", who)
    return found


async def test_one_orders_another_releases_and_everybody_left_out_is_counted(desk: Desk) -> None:
    made = await people(desk)
    branch = await branch_of(desk, made[0])
    for who in made[:3]:
        await desk.ok(HQ, "PUT", f"/clients/{who}/subscriptions/research_digest", {"channel": "email"})
    assert await desk.ok(head_of(desk, branch), "GET", "/columns/demand") == [
        {"column": "research_digest", "tier": "NORMAL", "channel": "email", "clients": 1},
        {"column": "research_digest", "tier": "GOLD", "channel": "email", "clients": 1},
    ]
    for body in (
        order("gossip"), order("products"), order("morning_brief", product_level="LOW"),
        order("morning_brief", "必涨 的黑 马"), order("market_comment", "长" * 300),
        order("service_notice", "请关注600519的公告"), order("morning_brief", send_until=utc_now().isoformat()),
    ):  # fmt: skip
        await desk.ok(HQ, "POST", "/mailings", body, 422)
    await desk.ok(DESK, "POST", "/mailings", order("research_digest"), 403)
    draft = await desk.ok(HQ, "POST", "/mailings", order("research_digest"), 201)
    path = f"/mailings/{draft['mailing_id']}"
    assert (await desk.ok(HQ, "POST", f"{path}/release", status=403))["type"] == "/problems/own-mailing"
    await desk.ok(HEAD, "POST", f"{path}/release", status=404)  # not of their branch alone
    released = await desk.ok(SECOND, "POST", f"{path}/release")
    assert released["planned"] == 2
    assert released["left_out"]["class_below"] == 1
    again = await desk.ok(SECOND, "POST", f"{path}/release", status=409)
    assert (again["state"], again["possible"]) == ("released", ["withdrawn"])
    why = await desk.ok(head_of(desk, branch), "GET", f"{path}/clients/{made[3]}")
    assert (why["reasons"], why["message"]) == (["not_subscribed", "class_below"], None)
    # Who ends the subscription gets nothing more; a withdrawn mailing goes to nobody.
    await desk.ok(HQ, "DELETE", f"/clients/{made[0]}/subscriptions/research_digest")
    assert await desk.ok(SECOND, "POST", f"{path}/withdrawal", {"reason": "wrong figures"}) == {"stopped": 1}
    states = [(await desk.ok(HQ, "GET", f"/clients/{who}/messages"))["items"][0] for who in (made[0], made[2])]
    assert [(one["state"], one["why"]) for one in states] == [
        ("cancelled", "unsubscribed"), ("cancelled", "mailing_withdrawn"),
    ]  # fmt: skip


async def test_a_product_goes_to_those_assessed_for_it_and_a_branch_writes_to_its_own(desk: Desk) -> None:
    made = await people(desk)
    branch = await branch_of(desk, made[0])
    leader = head_of(desk, branch)
    for who in made[:3]:
        await desk.ok(HQ, "PUT", f"/clients/{who}/subscriptions/products", {"channel": "sms"})
    draft = await desk.ok(leader, "POST", "/mailings", order("products", product_level="MEDIUM", branch_id="B2"), 201)
    assert draft["branch_id"] == branch
    released = await desk.ok(SECOND, "POST", f"/mailings/{draft['mailing_id']}/release")
    assert (released["planned"], released["left_out"]) == (1, {"risk_level_below_product": 1, "not_subscribed": 1})
    async with serving() as gateway:
        database = desk.world.database("messaging")
        await judge_due(database, NOON)  # it may be night where the test runs
        await send_due(database, "own", HttpSms(gateway.url), NOON)
    number = f"139{int(made[0].removeprefix('c-')):08d}"
    [text] = gateway.sent(number)
    assert "市场回顾与展望" in text
    why = await desk.ok(HQ, "GET", f"/mailings/{draft['mailing_id']}/clients/{made[2]}")
    assert why["reasons"] == ["other_branch"]


async def test_what_nobody_ordered_needs_a_consent_and_says_how_to_stop(desk: Desk) -> None:
    """A column that comes unasked is marketing, whatever it is called [MS3, MS8]."""
    made = await people(desk)
    for who in made[:2]:
        await desk.world.publish(
            GroupChanged(
                client_id=who, branch_id="B1", revision=1, changed_from=date(2022, 8, 1),
                tags=[TagStretch(tag="NEW", since=date(2022, 8, 1))],
            )
        )  # fmt: skip
    await desk.world.settle()
    given = {"consents": [{"message_class": "MARKETING", "allowed": True}], "refused": ["email"]}
    await desk.ok(client(made[1]), "PUT", f"/clients/{made[1]}/preferences", given)
    branch = await branch_of(desk, made[0])
    draft = await desk.ok(HQ, "POST", "/mailings", order("courses", branch_id=branch), 201)
    released = await desk.ok(SECOND, "POST", f"/mailings/{draft['mailing_id']}/release")
    assert (released["planned"], released["left_out"]) == (1, {"no_consent": 1, "other_group": 1})


async def test_education_goes_to_its_audience_once_a_week_and_reading_is_counted(desk: Desk) -> None:
    one, two, *_ = await people(desk)  # of one branch: gold and assessed, neither
    branch, audience = await branch_of(desk, one), {"levels": ["MEDIUM"], "tiers": ["GOLD", "DIAMOND"]}
    await desk.ok(HQ, "POST", "/mailings", order("service_notice", audience=audience), 422)
    await desk.ok(HQ, "POST", "/mailings", order("education", audience={"levels": ["HUGE"]}), 422)
    released = []
    for given in (audience, {}):
        draft = await desk.ok(HQ, "POST", "/mailings", order("education", branch_id=branch, audience=given), 201)
        released.append(await desk.ok(SECOND, "POST", f"/mailings/{draft['mailing_id']}/release"))
    first, second = released
    assert (first["planned"], first["left_out"]) == (1, {"other_level": 2})
    assert (second["planned"], second["left_out"]) == (2, {"one_a_week": 1})
    why = await desk.ok(HQ, "GET", f"/mailings/{first['mailing_id']}/clients/{two}")
    assert why["reasons"] == ["other_level", "other_tier"]
    database = desk.world.database("messaging")
    await judge_due(database, NOON)
    await send_due(database, "app", AppPort(), NOON)
    [mail] = (await desk.ok(client(one), "GET", f"/clients/{one}/mailbox"))["items"]
    assert mail["subject"] == "本周资讯"
    await desk.ok(client(one), "POST", f"/clients/{one}/mailbox/{mail['message_id']}/read")
    figures = await desk.ok(HQ, "GET", f"/figures?first={TODAY}&last={business_date(utc_now())}&kind=education")
    assert sum(row["read"] for row in figures) == 1


async def test_a_week_of_education_counts_from_when_items_go(desk: Desk) -> None:
    one, *_ = await people(desk)
    branch, planned = await branch_of(desk, one), []
    for days in (20, 0, 24, 5):
        begins = utc_now() + timedelta(days=days)
        given = {"send_from": begins.isoformat(), "send_until": (begins + timedelta(days=2)).isoformat()}
        draft = await desk.ok(HQ, "POST", "/mailings", order("education", branch_id=branch, **given), 201)
        released = await desk.ok(SECOND, "POST", f"/mailings/{draft['mailing_id']}/release")
        planned.append((released["planned"], released["left_out"].get("one_a_week", 0)))
    assert planned == [(3, 0), (3, 0), (0, 3), (0, 3)]


async def test_clicks_and_subscriptions_are_feedback(desk: Desk) -> None:
    one, two, *_ = await people(desk)
    assert {column["code"] for column in await desk.ok(DESK, "GET", "/columns")} == set(COLUMNS)
    path = f"/clients/{one}/subscriptions"
    await desk.ok(client(one), "PUT", f"{path}/morning_brief", {"channel": "sms"}, 422)
    await desk.ok(client(one), "PUT", f"{path}/gossip", {"channel": "email"}, 404)
    await desk.ok(client(two), "PUT", f"{path}/morning_brief", {"channel": "email"}, 404)
    for _ in range(2):
        listed = await desk.ok(client(one), "PUT", f"{path}/morning_brief", {"channel": "email"})
    assert [(row["column"], row["recorded_by"]) for row in listed] == [("morning_brief", one)]
    for who in (one, one, two):
        answer = await desk.call(client(who), "POST", f"/clients/{who}/clicks", {"column": "morning_brief"})
        assert answer.status_code == 204
    await desk.ok(client(one), "DELETE", f"{path}/morning_brief")
    await desk.ok(client(one), "DELETE", f"{path}/morning_brief", status=404)
    branch = await branch_of(desk, one)
    span = f"from={TODAY}&to={business_date(utc_now())}"  # it may be midnight meanwhile
    assert await desk.ok(head_of(desk, branch), "GET", f"/columns/feedback?{span}") == [
        {"column": "morning_brief", "branch_id": branch, "clicks": 3, "clients": 2, "subscribed": 1, "unsubscribed": 1}
    ]
    kinds = [row["kind"] for row in await desk.ok(client(one), "GET", f"/clients/{one}/feedback")]
    assert kinds == ["unsubscribed", "click", "click", "subscribed"]
