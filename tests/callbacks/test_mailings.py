"""Mailings by class and product rules [B15]; columns clicked and subscribed to as feedback on the service [B18]."""

from datetime import date, timedelta
from typing import Any

import pytest

from chassis.actor import Actor, Role
from chassis.clock import at, business_date, utc_now
from contracts.classification import TIERS, TierChanged, TierStretch
from contracts.suitability import AssessmentCompleted
from services.callbacks.notices import LEVELS
from services.callbacks.policy import MailingColumn, Policies
from services.callbacks.rules import MailReader, mailing_channel, mailing_reasons
from tests.callbacks.desk import FIRST, IDENTITY, LEADER, Desk, agent, ten
from tests.callbacks.test_messages import Taker, dispatch

MONDAY = date(2022, 7, 4)
TODAY = business_date(utc_now())
CHIEF = Actor("hq-1", Role.HQ, purpose="test")
SECOND = Actor("hq-2", Role.HQ, purpose="test")
COLUMNS = Policies.mailings.shipped[-1].body


def reader(**given: Any) -> MailReader:
    usual = {
        "rank": 2, "tags": (), "level": "MEDIUM", "subscribed": "email", "by_email": True, "by_phone": True,
        "no_marketing": False,
    }  # fmt: skip
    return MailReader(**{**usual, **given})


@pytest.mark.parametrize(
    ("column", "given", "level", "reasons"),
    [
        ("research_digest", {}, None, []),
        ("research_digest", {"rank": 1}, None, ["class_below"]),
        ("research_digest", {"subscribed": None}, None, ["not_subscribed"]),
        ("research_digest", {"no_marketing": True}, None, ["opted_out"]),
        ("research_digest", {"by_email": False}, None, ["no_contact_data"]),
        ("service_notice", {"rank": 0, "subscribed": None, "no_marketing": True}, None, []),
        ("products", {}, "MEDIUM", []),
        ("products", {}, "HIGH", ["risk_level_below_product"]),
        ("products", {"level": None}, "LOW", ["risk_level_below_product"]),
        ("products", {"tags": ("ABNORMAL",)}, "LOW", ["group_left_out"]),
        ("courses", {"subscribed": None}, None, ["other_group"]),
        ("courses", {"subscribed": None, "tags": ("NEW", "AT_RISK")}, None, []),
    ],
)
def test_who_gets_a_column(column: str, given: dict[str, Any], level: str | None, reasons: list[str]) -> None:
    assert mailing_reasons(COLUMNS[column], reader(**given), level, TIERS, LEVELS) == reasons


def test_the_way_is_the_clients_own_choice_else_the_first_there_is() -> None:
    column: MailingColumn = COLUMNS["market_comment"]
    assert mailing_channel(column, reader(subscribed="sms")) == "sms"
    assert mailing_channel(column, reader(subscribed=None, by_email=False)) == "sms"
    assert mailing_channel(column, reader(subscribed="sms", by_phone=False)) is None


def order(column: str, **others: Any) -> dict[str, Any]:
    return {
        "column": column,
        "zh-CN": {"title": "本周资讯", "text": "市场回顾与展望"},
        "en": {"title": "This week", "text": "the market in review"},
        "send_from": utc_now().isoformat(),
        "send_until": (utc_now() + timedelta(days=2)).isoformat(),
        **others,
    }


async def people(desk: Desk) -> None:
    """Four clients of two branches: what each holds decides what each gets."""
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute("INSERT INTO timeline (timeline, decided_at) VALUES ('real', now())")
    for client, branch in {"c-1": "B1", "c-2": "B1", "c-3": "B2", "c-4": "B1"}.items():
        await desk.open(client, date(2021, 5, 2), branch, email=f"{client}@example.cn", phone="13800000000")
    for client in ("c-1", "c-3"):
        told = TierChanged(
            client_id=client,
            branch_id="B1",
            revision=1,
            changed_from=date(2022, 8, 1),
            previous="NORMAL",
            stretches=[TierStretch(since=date(2022, 8, 1), tier="GOLD")],
            reason="upgrade",
        )
        level = AssessmentCompleted(
            client_id=client,
            assessment_id=f"s-{client}",
            scheme="S",
            level="MEDIUM",
            valid_from=TODAY - timedelta(days=9),
            valid_until=TODAY + timedelta(days=700),
            source="imported",
        )
        await desk.world.publish(told, level)
    await desk.world.settle()


async def test_one_orders_another_releases_and_everybody_left_out_is_counted(desk: Desk) -> None:
    await people(desk)
    for client in ("c-1", "c-2", "c-3"):
        await desk.ask(CHIEF, "PUT", f"/clients/{client}/subscriptions/research_digest", {"channel": "email"}, 200)
    assert await desk.ask(CHIEF, "GET", "/mailings/demand", status=200) == [
        {"column": "research_digest", "tier": "NORMAL", "channel": "email", "clients": 1},
        {"column": "research_digest", "tier": "GOLD", "channel": "email", "clients": 2},
    ]
    await desk.ask(CHIEF, "POST", "/mailings", order("gossip"), 422)
    await desk.ask(CHIEF, "POST", "/mailings", order("products"), 422)
    await desk.ask(CHIEF, "POST", "/mailings", order("morning_brief", product_level="LOW"), 422)
    await desk.ask(agent("anna"), "POST", "/mailings", order("research_digest"), 403)
    draft = await desk.ask(CHIEF, "POST", "/mailings", order("research_digest"), 201)
    path = f"/mailings/{draft['mailing_id']}"
    assert (await desk.ask(CHIEF, "POST", f"{path}/release", status=403))["type"] == "/problems/own-mailing"
    await desk.ask(LEADER, "POST", f"{path}/release", status=404)  # not of their branch alone
    released = await desk.ask(SECOND, "POST", f"{path}/release", status=200)
    assert (released["planned"], released["left_out"]) == (2, {"class_below": 1, "not_subscribed": 1})
    again = await desk.ask(SECOND, "POST", f"{path}/release", status=409)
    assert (again["state"], again["possible"]) == ("released", ["withdrawn"])
    rows = await desk.world.rows(
        "callbacks", "SELECT client_id, kind, channel, marketing, inputs FROM messages ORDER BY client_id"
    )
    assert [(row["client_id"], row["kind"], row["channel"], row["marketing"]) for row in rows] == [
        ("c-1", "news", "email", True),
        ("c-3", "news", "email", True),
    ]
    assert rows[0]["inputs"]["title"] == "本周资讯"
    why = await desk.ask(LEADER, "GET", f"{path}/clients/c-4", status=200)
    assert (why["reasons"], why["message"]) == (["not_subscribed", "class_below"], None)
    # Who ends the subscription gets nothing more; a withdrawn mailing goes to nobody.
    await desk.ask(CHIEF, "DELETE", "/clients/c-1/subscriptions/research_digest", status=200)
    stopped = await desk.ask(SECOND, "POST", f"{path}/withdrawal", {"reason": "wrong figures"}, 200)
    assert stopped == {"stopped": 1}
    states = await desk.world.rows("callbacks", "SELECT state, reason FROM messages ORDER BY client_id")
    assert [tuple(row.values()) for row in states] == [("skipped", "unsubscribed"), ("skipped", "mailing_withdrawn")]
    audited = await desk.world.rows(
        "callbacks", "SELECT action FROM audit WHERE object = $1", path[1:].replace("s/", "/")
    )
    assert {row["action"] for row in audited} == {"mailing_ordered", "mailing_released", "mailing_withdrawn"}


async def test_a_product_goes_to_those_assessed_for_it_and_a_branch_writes_to_its_own(desk: Desk) -> None:
    await people(desk)
    for client in ("c-1", "c-2", "c-3"):
        await desk.ask(CHIEF, "PUT", f"/clients/{client}/subscriptions/products", {"channel": "sms"}, 200)
    draft = await desk.ask(LEADER, "POST", "/mailings", order("products", product_level="MEDIUM", branch_id="B2"), 201)
    assert draft["branch_id"] == "B1"
    released = await desk.ask(CHIEF, "POST", f"/mailings/{draft['mailing_id']}/release", status=200)
    assert (released["planned"], released["left_out"]) == (1, {"risk_level_below_product": 1, "not_subscribed": 1})
    assert [one["mailing_id"] for one in await desk.ask(LEADER, "GET", "/mailings", status=200)] == [
        draft["mailing_id"]
    ]
    taker = Taker()
    assert (await dispatch(desk, at(TODAY + timedelta(days=1), 10), taker))["sent"] == 1
    [(_, address, body)] = taker.sent
    assert (address, "市场回顾与展望" in body, "退订" in body) == ("13800000000", True, True)
    why = await desk.ask(CHIEF, "GET", f"/mailings/{draft['mailing_id']}/clients/c-3", status=200)
    assert why["reasons"] == ["other_branch"]


async def test_a_replayed_home_releases_nothing(desk: Desk) -> None:
    async with desk.world.database("callbacks").unit_of_work() as uow:
        await uow.sql.execute("INSERT INTO timeline (timeline, decided_at) VALUES ('simulated', now())")
    draft = await desk.ask(CHIEF, "POST", "/mailings", order("service_notice"), 201)
    refused = await desk.ask(SECOND, "POST", f"/mailings/{draft['mailing_id']}/release", status=409)
    assert refused["type"] == "/problems/nothing-goes-out"


async def test_clicks_and_subscriptions_are_feedback_and_no_contact(desk: Desk) -> None:
    await people(desk)
    client, other = (Actor(name, Role.CLIENT, client_id=name) for name in ("c-1", "c-2"))
    columns = await desk.ask(agent("anna"), "GET", "/mailings/columns", status=200)
    assert {column["code"] for column in columns} == set(COLUMNS)
    await desk.ask(client, "PUT", "/clients/c-1/subscriptions/morning_brief", {"channel": "sms"}, 422)
    await desk.ask(client, "PUT", "/clients/c-1/subscriptions/gossip", {"channel": "email"}, 404)
    await desk.ask(other, "PUT", "/clients/c-1/subscriptions/morning_brief", {"channel": "email"}, 404)
    for _ in range(2):
        listed = await desk.ask(client, "PUT", "/clients/c-1/subscriptions/morning_brief", {"channel": "email"}, 200)
    assert [(one["column"], one["recorded_by"]) for one in listed] == [("morning_brief", "c-1")]
    for actor in (client, client, other):
        path = f"/clients/{actor.client_id}/clicks"
        async with desk.http(actor) as http:
            answer = await http.post(f"/v1/callbacks{path}", json={"column": "morning_brief"})
        assert answer.status_code == 204
    await desk.ask(client, "DELETE", "/clients/c-1/subscriptions/morning_brief", status=200)
    await desk.ask(client, "DELETE", "/clients/c-1/subscriptions/morning_brief", status=404)
    span = f"from={TODAY}&to={business_date(utc_now())}"  # it may be midnight meanwhile
    assert await desk.ask(LEADER, "GET", f"/statistics/feedback?{span}", status=200) == [
        {"column": "morning_brief", "branch_id": "B1", "clicks": 3, "clients": 2, "subscribed": 1, "unsubscribed": 1}
    ]
    kinds = [one["kind"] for one in await desk.ask(agent("anna"), "GET", "/clients/c-1/feedback", status=200)]
    assert kinds == ["unsubscribed", "click", "click", "subscribed"]
    # One-way: neither the timer of contact frequency [A7a] nor coverage moves.
    assert await desk.world.value("callbacks", "SELECT count(last_valid_contact) FROM clients") == 0
    assert await desk.world.value("callbacks", "SELECT count(*) FROM attempts") == 0


async def test_regular_calls_of_core_clients_ask_for_changed_needs_and_their_satisfaction_is_counted(
    desk: Desk,
) -> None:
    await desk.close(FIRST)
    care = {**IDENTITY, "satisfaction": "5", "needs_changed": "yes", "needs": "养老规划", "operated": "no"}
    for client in ("c-1", "c-2"):
        await desk.open(client, date(2021, 5, 2))
        await desk.group(client, "CORE", MONDAY)
    await desk.close_through(FIRST + timedelta(days=1), MONDAY)
    anna = agent("anna")
    for task, score in zip(await desk.tasks("rule = 'core'"), ("5", "3"), strict=True):
        await desk.ask(anna, "POST", f"/tasks/{task['task_id']}/claim", status=200)
        unasked = {name: word for name, word in care.items() if name != "needs_changed"}
        await desk.call(anna, task, "completed", ten(MONDAY), unasked, 422)
        await desk.call(anna, task, "completed", ten(MONDAY), {**care, "satisfaction": score}, 201)
    span = f"from={MONDAY}&to={MONDAY}"
    for core_only in ("false", "true"):
        [numbers] = await desk.ask(LEADER, "GET", f"/statistics/satisfaction?{span}&core_only={core_only}", status=200)
        assert (numbers["topic"], numbers["answers"], numbers["average"]) == ("care", 2, "4.00")
        assert (numbers["satisfied"], numbers["satisfied_rate"]) == (1, "50.0")
    needs = await desk.ask(LEADER, "GET", f"/statistics/needs?{span}", status=200)
    assert [(one["changed"], one["needs"]) for one in needs] == [("yes", "养老规划")] * 2
