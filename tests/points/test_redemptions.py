"""Redemptions and applications [P4, P5, P7, P9], on a real ledger; products is played by its events."""

import asyncio
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from chassis.actor import Actor, Role
from chassis.clock import end_of
from contracts.broker import ClientOpened
from contracts.products import RedemptionConfirmed, RedemptionRefused
from tests.points.facts import DAY, balance, cancelled, close, entries, tier, trade
from tests.world import World

NOTHING = Decimal(0)
OWN = Actor("c-1", Role.CLIENT, client_id="c-1")
MANAGER = Actor("mia", Role.BRANCH_MANAGER, branch_id="B1", purpose="test")
MEMBERS = ("available", "held", "debt")


async def rich(world: World, commission: str = "1000", client: str = "c-1") -> None:
    """A client of branch B1 with points, on the evening of a closed day."""
    await world.publish(ClientOpened(client_id=client, branch_id="B1", opened_on=date(2022, 1, 3)))
    await world.publish(trade("t-1", commission, client))
    await world.settle()
    await close(world, DAY)


async def redeem(world: World, reward: str = "SMS1", quantity: int = 1, key: str = "k-1") -> Any:
    async with world.client("points", OWN) as http:
        return await http.post(
            "/v1/points/clients/c-1/redemptions",
            json={"reward": reward, "quantity": quantity},
            headers={"idempotency-key": key},
        )


async def insist(world: World, key: str) -> Any:
    """As an app does: an answer of 503 or 504 (busy) is tried again, with the same key."""
    while (answer := await redeem(world, key=key)).status_code in (503, 504):
        pass
    return answer


async def points_of(world: World) -> tuple[str, ...]:
    async with world.client("points", OWN) as http:
        seen = (await http.get("/v1/points/clients/c-1")).raise_for_status().json()
    return tuple(seen[name] for name in MEMBERS)


async def test_points_are_held_and_spent_when_products_delivers_p5(ledger: World) -> None:
    await rich(ledger)
    answer = await redeem(ledger, quantity=2)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["state"], made["points"]) == ("requested", "60.00")
    assert await points_of(ledger) == ("940.00", "60.00", "0.00")
    async with ledger.client("points", OWN) as http:
        held = (await http.get("/v1/points/clients/c-1/holds")).raise_for_status().json()["items"]
    assert [(one["hold"], one["reward"], one["points"]) for one in held] == [
        (f"redemption/{made['redemption_id']}", "SMS1", "60.00")
    ]
    again = await redeem(ledger, quantity=2)
    assert again.json()["redemption_id"] == made["redemption_id"], "the same key is the same redemption"
    at = end_of(DAY) + timedelta(hours=3)
    told = RedemptionConfirmed(client_id="c-1", redemption_id=UUID(made["redemption_id"]), at=at)
    await ledger.publish(told, told)
    await ledger.settle()
    assert await points_of(ledger) == ("940.00", "0.00", "0.00")
    assert (await entries(ledger))[-1] == ("spent", None, Decimal(-60))
    kinds = await ledger.rows("points", "SELECT kind, debit_account, credit_account FROM entries ORDER BY number")
    assert [tuple(row.values()) for row in kinds[1:]] == [
        ("held", "cust:c-1:available", "cust:c-1:held"),
        ("spent", "cust:c-1:held", "sys:redeemed:SMS1"),
    ]


async def test_points_return_when_products_refuses(ledger: World) -> None:
    await rich(ledger)
    made = (await redeem(ledger)).json()
    refused = RedemptionRefused(
        client_id="c-1", redemption_id=UUID(made["redemption_id"]), reason="off_shelf", at=end_of(DAY)
    )
    await ledger.publish(refused, refused)
    await ledger.settle()
    assert await points_of(ledger) == ("1000.00", "0.00", "0.00")
    async with ledger.client("points", OWN) as http:
        seen = (await http.get(f"/v1/points/redemptions/{made['redemption_id']}")).json()
    assert (seen["state"], seen["reason"]) == ("refused", "off_shelf")


async def test_taken_back_they_return_only_when_products_has_confirmed(ledger: World) -> None:
    await rich(ledger)
    made = (await redeem(ledger)).json()
    async with ledger.client("points", OWN) as http:
        seen = (await http.post(f"/v1/points/redemptions/{made['redemption_id']}/cancel")).raise_for_status().json()
    assert seen["state"] == "cancelling"
    assert await points_of(ledger) == ("970.00", "30.00", "0.00")
    await ledger.publish(
        RedemptionRefused(
            client_id="c-1", redemption_id=UUID(made["redemption_id"]), reason="cancelled", at=end_of(DAY)
        )
    )
    await ledger.settle()
    assert await points_of(ledger) == ("1000.00", "0.00", "0.00")


async def test_what_nobody_answers_is_asked_again_after_15_minutes(ledger: World) -> None:
    await rich(ledger)
    await redeem(ledger)
    await close(ledger, DAY + timedelta(days=1))
    query = "SELECT count(DISTINCT id) AS ids, count(*) FROM bus.log WHERE type = 'points.redemption.requested'"
    [row] = await ledger.rows("points", query)
    assert row["ids"] == 1
    assert row["count"] > 1
    assert await points_of(ledger) == ("970.00", "30.00", "0.00")


async def test_a_long_silence_is_not_filled_with_questions(ledger: World) -> None:
    """Each time it is asked again after as long as it has waited, within a day: not every quarter of an hour."""
    await rich(ledger)
    await redeem(ledger)
    for days in range(1, 11):
        await close(ledger, DAY + timedelta(days=days))
    query = "SELECT count(*) FROM bus.log WHERE type = 'points.redemption.requested'"
    asked = await ledger.value("points", query)
    assert 8 + 7 <= asked <= 8 + 10, "15, 30, 60 ... minutes on the first day, then once a day"


async def test_a_cancellation_is_asked_for_as_often_as_a_request(ledger: World) -> None:
    await rich(ledger)
    made = (await redeem(ledger)).json()
    await close(ledger, DAY + timedelta(days=3))
    async with ledger.client("points", OWN) as http:
        (await http.post(f"/v1/points/redemptions/{made['redemption_id']}/cancel")).raise_for_status()
    await close(ledger, DAY + timedelta(days=4))
    query = "SELECT count(*) FROM bus.log WHERE type = 'points.redemption.cancelled'"
    assert await ledger.value("points", query) >= 6, "from 15 minutes on again"


async def test_what_is_not_offered_or_not_there_is_refused_p9(ledger: World) -> None:
    await rich(ledger, "100")
    for reward, quantity, status, problem in (
        ("CASH", 1, 404, "not-offered"),
        ("SEMINAR", 1, 404, "not-offered"),  # listed, but nobody delivers it
        ("SMS1", 4, 409, "insufficient-points"),
        ("SMS1", 1, 409, "over-yearly-share"),  # 30 of 100: at most a fifth
        ("SMS3", 1, 201, ""),
    ):
        answer = await redeem(ledger, reward, quantity, key=f"{reward}-{quantity}")
        assert answer.status_code == status, (reward, answer.text)
        assert answer.json().get("type", "").endswith(problem)
    assert await points_of(ledger) == ("85.00", "15.00", "0.00")


async def test_points_whose_end_is_over_are_no_points_that_can_be_used_whether_it_is_closed_or_not(
    ledger: World,
) -> None:
    """In a home that has closed no day an act counts from the wall clock: what ended before is not offered as usable."""
    await ledger.publish(
        ClientOpened(client_id="c-1", branch_id="B1", opened_on=date(2022, 1, 3)), trade("t-1", "1000")
    )
    await ledger.settle()
    assert await points_of(ledger) == ("1000.00", "0.00", "0.00")
    answer = await redeem(ledger)
    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]) == (409, "insufficient-points")
    assert answer.json()["detail"].startswith("0.00 points can be used on "), answer.json()


async def test_nothing_is_redeemed_while_points_are_owed_p7(ledger: World) -> None:
    await rich(ledger)
    made = (await redeem(ledger, quantity=5)).json()
    await ledger.publish(
        RedemptionConfirmed(client_id="c-1", redemption_id=UUID(made["redemption_id"]), at=end_of(DAY))
    )
    await ledger.publish(cancelled("t-1"))
    await ledger.settle()
    assert await balance(ledger) == (NOTHING, Decimal(150))
    answer = await redeem(ledger, key="k-2")
    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]) == (409, "in-debt")


async def test_fifty_redemptions_at_once_never_overspend(ledger: World) -> None:
    await rich(ledger, "1000")
    answers = await asyncio.gather(*(insist(ledger, f"k-{n}") for n in range(50)))
    made = [answer for answer in answers if answer.status_code == 201]
    assert len(made) == 6, "a fifth of 1,000 is six times 30"
    assert {answer.status_code for answer in answers} == {201, 409}
    assert await points_of(ledger) == ("820.00", "180.00", "0.00")


async def apply(world: World, key: str = "a-1") -> Any:
    async with world.client("points", OWN) as http:
        return await http.post("/v1/points/clients/c-1/applications", headers={"idempotency-key": key})


async def test_the_next_tier_is_applied_for_held_and_granted_for_twelve_months_p4(ledger: World) -> None:
    await rich(ledger, "3000")
    async with ledger.client("points", OWN) as http:
        seen = (await http.get("/v1/points/clients/c-1")).json()
    assert (seen["tier"], seen["next_tier"]) == ("NORMAL", {"tier": "SILVER", "points": "2000.00"})
    made = (await apply(ledger)).json()
    assert (made["tier"], made["state"]) == ("SILVER", "applied")
    assert await points_of(ledger) == ("1000.00", "2000.00", "0.00")
    second = await apply(ledger, "a-2")
    assert (second.status_code, second.json()["type"].rsplit("/", 1)[-1]) == (409, "already-applied")
    async with ledger.client("points", MANAGER) as http:
        done = await http.post(f"/v1/points/applications/{made['application_id']}/approve")
    assert done.status_code == 200, done.text
    assert await points_of(ledger) == ("1000.00", "0.00", "0.00")
    [told] = await ledger.rows(
        "points",
        "SELECT convert_from(value, 'UTF8')::jsonb AS told FROM bus.log WHERE type = 'points.upgrade.approved'",
    )
    since = DAY + timedelta(days=1)
    assert told["told"] | {"application_id": ""} == {
        "application_id": "", "client_id": "c-1", "tier": "SILVER", "since": since.isoformat(),
        "until": since.replace(year=since.year + 1).isoformat(), "mode": "SPEND",
    }  # fmt: skip


async def test_refused_withdrawn_or_void_the_points_return_p4(ledger: World) -> None:
    await rich(ledger, "3000")
    made = (await apply(ledger)).json()["application_id"]
    async with ledger.client("points", MANAGER) as http:
        blank = await http.post(f"/v1/points/applications/{made}/refuse", json={})
        assert blank.status_code == 422
        (await http.post(f"/v1/points/applications/{made}/refuse", json={"reason": "no"})).raise_for_status()
    assert await points_of(ledger) == ("3000.00", "0.00", "0.00")
    made = (await apply(ledger, "a-2")).json()["application_id"]
    async with ledger.client("points", OWN) as http:
        (await http.post(f"/v1/points/applications/{made}/withdraw")).raise_for_status()
    assert await points_of(ledger) == ("3000.00", "0.00", "0.00")
    made = (await apply(ledger, "a-3")).json()["application_id"]
    await close(ledger, DAY + timedelta(days=32))
    async with ledger.client("points", OWN) as http:
        assert (await http.get(f"/v1/points/applications/{made}")).json()["state"] == "void"
    assert await points_of(ledger) == ("3000.00", "0.00", "0.00")


async def test_only_the_next_tier_can_be_applied_for(ledger: World) -> None:
    await rich(ledger, "3000")
    await ledger.publish(tier(1, DAY, (DAY, "DIAMOND")))
    await ledger.settle()
    answer = await apply(ledger)
    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]) == (409, "no-next-tier")
