"""Points through the whole platform, on both buses."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from careline.export import EXPORTS
from chassis.actor import Actor, Role
from chassis.clock import at
from contracts.broker import ClientOpened
from contracts.complaints import SuggestionAdopted
from contracts.products import RedemptionConfirmed, RedemptionRefused
from services.points import liability
from tests.points.facts import cancelled, trade
from tests.world import World

pytestmark = pytest.mark.both_buses

OWN = Actor("c-1", Role.CLIENT, client_id="c-1")
MANAGER = Actor("mia", Role.BRANCH_MANAGER, branch_id="B1", purpose="test")
HQ, OTHER = Actor("hanna", Role.HQ, purpose="test"), Actor("hugo", Role.HQ, purpose="test")
CLIENT = "/v1/points/clients/c-1"


async def send(world: World, actor: Actor, path: str, body: Any = None, key: str = "") -> Any:
    async with world.client("points", actor) as http:
        answer = await http.post(path, json=body, headers={"idempotency-key": key or path[-20:]})
    assert answer.status_code < 300, answer.text
    await world.settle()
    return answer


async def read(world: World, path: str = CLIENT) -> Any:
    async with world.client("points", OWN) as http:
        return (await http.get(path)).raise_for_status().json()


async def test_a_tier_bought_with_points_raises_what_the_next_trades_earn_p4_t5_p3(world: World) -> None:
    await world.publish(ClientOpened(client_id="c-1", branch_id="B1", opened_on=date(2021, 7, 5)))
    await world.publish(trade("t-1", "200", day=date(2022, 7, 1)))
    await world.close(date(2022, 7, 1))
    wanted = {"points": "2000.00", "reason": "MISSING_TRADE", "why": "trades of an old system", "attachment": "doc-1"}
    asked = await send(world, HQ, f"{CLIENT}/adjustments", wanted)
    await send(
        world, OTHER, f"/v1/points/approvals/{asked.json()['approval_id']}/approve", {"because": "seen the list"}
    )
    for end, actor, body in (("refuse", MANAGER, {"reason": "a paper is missing"}), ("withdraw", OWN, None)):
        made = (await send(world, OWN, f"{CLIENT}/applications", key=end)).json()
        assert (await read(world))["held"] == "2000.00"
        await send(world, actor, f"/v1/points/applications/{made['application_id']}/{end}", body)
        seen = await read(world)
        assert (seen["available"], seen["held"], seen["tier"]) == ("2200.00", "0.00", "NORMAL")
    made = (await send(world, OWN, f"{CLIENT}/applications")).json()
    assert (made["tier"], made["points"]) == ("SILVER", "2000.00")
    await send(world, MANAGER, f"/v1/points/applications/{made['application_id']}/approve")
    seen = await read(world)
    assert (seen["tier"], seen["available"], seen["held"]) == ("SILVER", "200.00", "0.00")
    async with world.client("classification", OWN) as http:
        tiers = (await http.get("/v1/classification/clients/c-1/history")).json()["tiers"]
    assert [(one["tier"], one["from"]) for one in tiers] == [
        ("NORMAL", "2021-07-05"), ("SILVER", "2022-07-02"), ("NORMAL", "2023-07-02")
    ]  # fmt: skip
    await world.publish(trade("t-2", "100", day=date(2022, 7, 4)))
    await world.close(date(2022, 7, 5))  # also a year of account
    assert (await read(world))["available"] == "510.00"
    await world.publish(cancelled("t-2", "40"))
    await world.settle()
    assert (await read(world))["available"] == "444.00"
    rows = [row async for row in EXPORTS["points"].rows(world.platform, None)]
    sums = {kind: sum(Decimal(row[-1]) for row in rows if row[2] == kind) for kind in {row[2] for row in rows}}
    assert sums == {
        "accrued": Decimal(310), "bonus": Decimal(200), "adjusted": Decimal(2000), "spent": Decimal(-2000),
        "reversed": Decimal(-66),
    }  # fmt: skip
    assert [row[3:6] for row in rows if row[2] in ("bonus", "spent", "adjusted")] == [("", "", "")] * 3
    (month,) = [row async for row in EXPORTS["points-liability"].rows(world.platform, None)]
    assert month == (
        "2022-07", "310.00", "200.00", "-2000.00", "0.00", "-66.00", "2000.00", "444.00", "0.00"
    )  # fmt: skip
    await world.close(date(2022, 7, 31))
    closed = await month_closed(world, date(2022, 7, 1))
    assert (closed.row["outstanding"], [one.holds for one in closed.tie_out]) == ("444.00", [True] * 4)
    await world.publish(cancelled("t-1", "100"))  # of July, heard when July is closed for good
    await world.settle()
    assert (await read(world))["available"] == "344.00"
    taken = {"points": "-44.00", "reason": "WRONG_POSTING", "why": "posted twice", "attachment": "doc-2"}
    asked = await send(world, HQ, f"{CLIENT}/adjustments", taken, key="out")
    await send(world, OTHER, f"/v1/points/approvals/{asked.json()['approval_id']}/approve", {"because": "seen"})
    assert (await read(world))["available"] == "300.00"
    july, august = [row async for row in EXPORTS["points-liability"].rows(world.platform, None)]
    assert july == month
    assert august == ("2022-08", "0.00", "0.00", "0.00", "0.00", "-100.00", "-44.00", "300.00", "0.00")
    assert await month_closed(world, date(2022, 7, 1)) == closed


async def month_closed(world: World, month: date) -> liability.Close:
    async with world.database("points").unit_of_work() as uow:
        return await liability.close(uow, month)


async def test_referred_suggested_redeemed_and_expired_at_the_end_p3_p5_p6(world: World) -> None:
    """A client refers another, has an idea adopted, spends some points, gets some back, and lets the rest run out."""
    phone = {"phone": "13800138000"}
    await world.publish(
        ClientOpened(client_id="c-1", branch_id="B1", opened_on=date(2021, 9, 1), **phone),
        ClientOpened(client_id="c-2", branch_id="B1", opened_on=date(2022, 6, 1), referrer_client_id="c-1"),
        ClientOpened(client_id="c-3", branch_id="B1", opened_on=date(2022, 6, 1), referrer_client_id="c-1", **phone),
        trade("t-1", "200", day=date(2022, 7, 1)), trade("t-2", "5", "c-2", date(2022, 7, 1)),
        trade("t-3", "5", "c-3", date(2022, 7, 1)),
    )  # fmt: skip
    await world.close(date(2022, 7, 1))
    assert (await read(world))["available"] == "700.00"
    adopted = SuggestionAdopted(
        client_id="c-1", case_id="k-1", suggestion_id=UUID(int=1), adopted_at=at(date(2022, 7, 4), 11)
    )
    await world.publish(adopted, adopted)
    await world.settle()
    answers = (RedemptionRefused, RedemptionConfirmed)
    for n, kind in enumerate(answers):
        body = {"reward": ("SMS1", "SMS2")[n], "quantity": 1}
        async with world.client("points", OWN) as http:
            asked = await http.post(f"{CLIENT}/redemptions", json=body, headers={"idempotency-key": f"r-{n}"})
        assert asked.status_code == 201, asked.text
        named = {
            "client_id": "c-1",
            "redemption_id": UUID(asked.json()["redemption_id"]),
            "at": at(date(2022, 7, 5), 12),
        }
        await world.publish(kind(**named, **({"reason": "not-entitled"} if kind is RedemptionRefused else {})))
        await world.settle()
    seen = await read(world)
    assert (seen["available"], seen["held"], seen["debt"]) == ("970.00", "0.00", "0.00")
    await world.close(date(2022, 9, 1))  # a year of account
    assert (await read(world))["available"] == "1170.00"
    await world.close(date(2024, 7, 31))
    async with world.client("points", OWN) as http:
        assert (
            await http.post(f"{CLIENT}/redemptions", json={"reward": "SMS1"}, headers={"idempotency-key": "z"})
        ).status_code == 409
    seen = await read(world)
    assert seen["available"] == "400.00"  # the anniversaries of 2022 and 2023; those of July 2022 have ended
    rows = [row async for row in EXPORTS["points"].rows(world.platform, None) if row[0] == "c-1"]
    sums = {kind: sum(Decimal(row[-1]) for row in rows if row[2] == kind) for kind in {row[2] for row in rows}}
    assert sums == {
        "accrued": Decimal(200), "bonus": Decimal(1200), "spent": Decimal(-30), "expired": Decimal(-970),
    }  # fmt: skip
