"""Points through the whole platform, on both buses."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from careline.export import EXPORTS
from chassis.actor import Actor, Role
from contracts.broker import ClientOpened
from tests.points.facts import cancelled, trade
from tests.world import World

pytestmark = pytest.mark.both_buses

OWN = Actor("c-1", Role.CLIENT, client_id="c-1")
MANAGER = Actor("mia", Role.BRANCH_MANAGER, branch_id="B1", purpose="test")
HQ, OTHER = Actor("hanna", Role.HQ, purpose="test"), Actor("hugo", Role.HQ, purpose="test")
CLIENT = "/v1/points/clients/c-1"


async def send(world: World, actor: Actor, path: str, body: Any = None) -> Any:
    async with world.client("points", actor) as http:
        answer = await http.post(path, json=body, headers={"idempotency-key": path[-20:]})
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
    await send(world, OTHER, f"{asked.headers['location']}/approve", {"because": "seen the list"})
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
