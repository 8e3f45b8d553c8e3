"""Products through the whole platform: tiers come from classification, levels from suitability."""

from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from chassis.actor import Actor, Role
from chassis.clock import at
from contracts.base import Quantity
from contracts.broker import AgreementSigned, AssessmentRecorded, AssetsValued, ClientOpened
from contracts.classification import MonthEvaluated
from contracts.fields import Amount
from contracts.suitability import DecisionMade
from tests.points.facts import trade
from tests.products.facts import agreed
from tests.suitability.conftest import DAY, HIGH, sheet
from tests.world import World

pytestmark = pytest.mark.services("products", "points", "classification", "suitability")
OWN = Actor("c-1", Role.CLIENT, client_id="c-1")
OPENED = date(2024, 1, 2)


async def ask(world: World, service: str, method: str, path: str, body: Any = None) -> Any:
    headers = {"idempotency-key": f"{path[-20:]}{str(body)[:120]}"}
    async with world.client(service, OWN, **headers) as http:
        answer = await http.request(method, f"/v1/{service}{path}", json=body)
    assert answer.status_code < 300, answer.text
    return answer.json()


async def begin(world: World, assets: str) -> None:
    """A client with X = 0.5, HIGH, an adviser agreement, assets and a trade, on the evening of 31 January."""
    await world.publish(
        ClientOpened(client_id="c-1", branch_id="B1", opened_on=OPENED),
        AssessmentRecorded(client_id="c-1", scheme="SEED-2010-12Q", level="HIGH", assessed_on=OPENED),
        AgreementSigned(client_id="c-1", agreement_id="ag-1", kind="adviser", ref="doc-1", on=OPENED),
        AssetsValued(client_id="c-1", as_of=OPENED, total_assets=Quantity(assets)),
        agreed("0.5", OPENED),
        trade("t-1", "1000", day=date(2024, 1, 5)),
    )
    await world.close(date(2024, 1, 31))


async def buy(world: World, code: str) -> None:
    """Suitability's decision, the preview, its confirmation."""
    decision = f"d-{code}"
    await world.publish(
        DecisionMade(
            client_id="c-1", decision_id=decision, product=code, side="buy", initiator="client", outcome="PASS",
            reasons=[], decided_at=at(date(2024, 2, 1), 0, 1),
        )
    )  # fmt: skip
    await world.settle()
    shown = await ask(world, "products", "POST", "/clients/c-1/subscriptions/preview", {"code": code})
    assert shown["obstacles"] == []
    body = {name: shown[name] for name in ("preview_id", "amount", "rate")}
    await ask(
        world, "products", "POST", "/clients/c-1/subscriptions", body | {"decision_id": decision, "signature": "e-1"}
    )
    await world.settle()


async def held(world: World) -> dict[str, str]:
    found = await ask(world, "products", "GET", "/clients/c-1/subscriptions?limit=100")
    return {one["code"]: one["paid_by"] for one in found["items"] if one["state"] != "ended"}


async def rate(world: World, day: date) -> str:
    return str((await ask(world, "products", "GET", f"/clients/c-1/fee-rate?as_of={day}"))["rate"])


async def test_buy_a_go_up_to_b_lose_gold_the_grace_ends(world: World) -> None:
    await begin(world, "600000")
    await buy(world, "A")
    await buy(world, "B")
    free = dict.fromkeys(("SMS1", "SMS2", "SMS3"), "bundle")
    assert await held(world) == {"B": "fee"} | free
    assert await rate(world, date(2024, 2, 1)) == "2.0"
    await world.publish(AssetsValued(client_id="c-1", as_of=date(2024, 2, 5), total_assets=Quantity("1000")))
    await world.close(date(2024, 5, 28))
    assert await held(world) == {"B": "fee"} | free, "GOLD through the grace: ninety days from 1 March"
    await world.close(date(2024, 5, 30))
    assert (await ask(world, "products", "GET", "/clients/c-1/contact"))["line"] == "priority", "SILVER by now"
    assert await held(world) == {"B": "fee"} | free, "to the end of the billing month that runs"
    await world.close(date(2024, 5, 31))
    assert await held(world) == {}
    assert (await rate(world, date(2024, 5, 31)), await rate(world, date(2024, 6, 1))) == ("2.0", "0.5")
    have = await ask(world, "products", "GET", "/clients/c-1/entitlements")
    codes = {one["code"] for one in have["items"]}
    assert "PRIORITY_QUEUE" in codes
    assert not {"VIP_TRADING", "DEDICATED_LINE", "SMS1"} & codes


async def by_product(world: World, product: str) -> tuple[bool, list[str]]:
    """Whether a product gives the client anything today, and what keeps it back."""
    have = await ask(world, "products", "GET", "/clients/c-1/entitlements")
    back = {said for one in have["missing"] if f"PRODUCT:{product}" in one["given_by"] for said in one["blocked_by"]}
    return f"PRODUCT:{product}" in {one["source"] for one in have["items"]}, sorted(back)


@pytest.mark.both_buses
async def test_answers_overdue_hold_back_what_was_sold_until_they_are_given(world: World) -> None:
    await begin(world, "600000")
    await buy(world, "A")
    stated = await ask(world, "suitability", "POST", "/clients/c-1/life-changes", {"change": "income"})
    due = date.fromisoformat(stated["due_on"])
    await world.close(due - DAY)
    assert await by_product(world, "A") == (True, [])
    await world.close(due)
    assert await by_product(world, "A") == (False, ["hold ALL"])
    await ask(world, "suitability", "POST", "/clients/c-1/submissions", sheet(HIGH))
    await world.settle()
    assert await by_product(world, "A") == (True, [])
    await world.close(due + DAY * 40)
    assert await by_product(world, "A") == (True, []), "it is placed once"


@pytest.mark.both_buses
async def test_sms1_is_paid_by_points(world: World) -> None:
    await begin(world, "1000")
    made = await ask(world, "points", "POST", "/clients/c-1/redemptions", {"reward": "SMS1", "quantity": 1})
    await world.settle()
    assert (await ask(world, "points", "GET", f"/redemptions/{made['redemption_id']}"))["state"] == "settled"
    assert (await ask(world, "points", "GET", "/clients/c-1"))["available"] == "970.00"
    assert await held(world) == {"SMS1": "points"}
    have = await ask(world, "products", "GET", "/clients/c-1/entitlements")
    assert "PRODUCT:SMS1" in {one["source"] for one in have["items"]}
    assert (await ask(world, "products", "GET", "/clients/c-1/charges?month=2024-02"))["items"] == []


async def call(world: World, actor: Actor, method: str, path: str, body: Any = None) -> Any:
    async with world.client("products", actor, idempotency_key=uuid4().hex) as http:
        answer = await http.request(method, f"/v1/products{path}", json=body)
    assert answer.status_code < 300, answer.text
    return answer.json()


@pytest.mark.both_buses
@pytest.mark.services("products", "relationships", "points", "classification", "suitability")
async def test_a_club_evening_with_a_waiting_list(world: World) -> None:
    """Tiers come from classification: who waits first is DIAMOND, then whoever of PLATINUM is worth more. V is said here, as
    nothing tells months yet."""
    hq, checker = Actor("hanna", Role.HQ, purpose="test"), Actor("colin", Role.COMPLIANCE, purpose="test")
    people = {"c-1": "6000000", "c-2": "3000000", "c-3": "1200000", "c-4": "1100000"}
    await world.publish(
        *(ClientOpened(client_id=client, branch_id="B1", opened_on=OPENED) for client in people),
        *(
            AssetsValued(client_id=client, as_of=OPENED, total_assets=Quantity(assets))
            for client, assets in people.items()
        ),
    )
    await world.close(date(2024, 1, 31))
    worth = {"c-2": "18.00", "c-3": "7.20"}
    await world.publish(
        *(
            MonthEvaluated(
                client_id=client, branch_id="B1", month_end=date(2024, 1, 31), revision=1, value=Amount(value)
            )
            for client, value in worth.items()
        )
    )
    await world.settle()
    for client in people:
        mine = await call(world, Actor(client, Role.CLIENT, client_id=client), "GET", f"/clients/{client}/club")
        await call(
            world, hq, "POST", f"/club/memberships/{mine['membership']['membership_id']}/accept", {"reason": client}
        )
    evening = at(date(2024, 2, 20), 19)
    event = await call(
        world, hq, "POST", "/club/events",
        {"kind": "CULTURE", "title_en": "Chamber music", "title_zh": "室内乐之夜", "place": "Hall 1", "capacity": 1,
         "starts_at": evening.isoformat(), "ends_at": at(date(2024, 2, 20), 22).isoformat()},
    )  # fmt: skip
    path = f"/club/events/{event['event_id']}"
    asked = await call(world, hq, "POST", f"{path}/publish", {"reason": "for the season"})
    await call(world, checker, "POST", f"/approvals/{asked['approval_id']}/approve", {"because": "so"})
    made = {}
    for client in ("c-4", "c-3", "c-2", "c-1"):
        own = Actor(client, Role.CLIENT, client_id=client)
        made[client] = await call(world, own, "POST", f"{path}/registrations", {"client_id": client})
    assert [one["state"] for one in made.values()] == ["registered", "waiting", "waiting", "waiting"]
    listed = (await call(world, hq, "GET", f"{path}/registrations"))["items"]
    assert [one["client_id"] for one in listed] == ["c-4", "c-1", "c-2", "c-3"]
    for client in ("c-4", "c-1"):
        await call(
            world, hq, "POST", f"/club/registrations/{made[client]['registration_id']}/cancel", {"reason": client}
        )
    await world.settle()
    await world.close(date(2024, 2, 20))
    await call(world, hq, "POST", f"/club/registrations/{made['c-2']['registration_id']}/attend", {})
    await call(world, hq, "POST", f"{path}/close_out", {})
    await world.settle()
    listed = (await call(world, hq, "GET", f"{path}/registrations"))["items"]
    assert {one["client_id"]: one["state"] for one in listed} == {
        "c-1": "cancelled", "c-2": "attended", "c-3": "unplaced", "c-4": "cancelled",
    }  # fmt: skip
    async with world.sql("relationships") as sql:
        kept = await sql.fetch("SELECT client_id FROM information_values WHERE code = 'CI-S17'")
    assert [one["client_id"] for one in kept] == ["c-2"]
