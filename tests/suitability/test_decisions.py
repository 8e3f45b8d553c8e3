"""Decisions, confirmations, screening, products, professionals: over HTTP [Q3, Q4, Q6]."""

import asyncio
from datetime import date, datetime, timedelta

import pytest

from chassis.clock import at, end_of, utc_now
from contracts import broker
from contracts.base import Amount
from tests.chassis.audit.conftest import superuser
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    DESK,
    HQ,
    LOW,
    MANAGER,
    PROVEN,
    SECOND_COMPLIANCE,
    SYSTEM,
    Desk,
    assessed,
    bought,
    client,
    opened,
    professional,
    today,
)
from tests.suitability.test_days import events
from tests.world import World

ME = client("c-1")


async def prepared(world: World, desk: Desk, level: str = "LOW") -> date:
    day = await today(world) - DAY * 400  # the days that follow lie behind us: none ahead can be closed
    await world.publish(opened("c-1"), assessed("c-1", level, day - DAY * 100))
    await world.close(day - DAY)
    for code, kind in (("STOCK", "stock"), ("FUND", "fund:equity"), ("OPTION", "option"), ("ODD", "fund:structured")):
        await desk.keep(code, kind=kind)
    return day


def codes(decision: dict[str, list[dict[str, str]]]) -> str:
    return " ".join(reason["code"] for reason in decision["reasons"])


async def test_decisions_through_the_levels(world: World, desk: Desk) -> None:
    day = await prepared(world, desk)
    assert codes(await desk.decide(ME, "c-1", "STOCK")) == "suitable"
    assert codes(await desk.decide(ME, "c-1", "ODD")) == "unknown_class"
    assert codes(await desk.decide(ME, "c-1", "NOTHING")) == "unknown_product"
    assert codes(await desk.decide(ME, "c-1", "ODD", side="sell")) == "selling"
    assert codes(await desk.decide(ME, "c-1", "OPTION")) == "permission_missing"
    granted = broker.PermissionGranted(client_id="c-1", permission="options", at=at(day, 9))
    await world.publish(granted)
    await world.settle()
    two_above = await desk.decide(ME, "c-1", "OPTION")
    assert two_above["outcome"] == "CONFIRM"
    early = {"warning_version": "W1", "signature": "s"}
    refused = await desk.post(ME, f"/decisions/{two_above['decision_id']}/confirmation", early, 409)
    assert refused["type"].endswith("cooling-time-running")
    why = await desk.get(ME, f"/decisions/{two_above['decision_id']}/explain")
    assert why["inputs"]["target"]["needed"] == 4
    assert "风险等级高于您的风险承受能力" in why["text_zh"]
    assert (await desk.call(ME, "POST", "/decisions", {"client": "c-1"})).status_code == 422
    unknown = {"client": "nobody", "product": "X", "channel": "web"}
    await desk.post(SYSTEM, "/decisions", unknown, 404)
    products = [one["product"] for one in await desk.listed(ME, "/clients/c-1/decisions")]
    assert products == ["OPTION", "OPTION", "ODD", "NOTHING", "ODD", "STOCK"], "newest first, over pages of two"


async def test_the_lowest_level_is_never_sold_above(world: World, desk: Desk) -> None:
    await prepared(world, desk, "VERY_LOW")
    decision = await desk.decide(ME, "c-1", "STOCK")
    assert (decision["outcome"], codes(decision)) == ("BLOCK", "above_level lowest_level")
    await desk.post(
        ME, f"/decisions/{decision['decision_id']}/confirmation", {"warning_version": "W1", "signature": "s"}, 409
    )


async def test_confirmations_at_the_same_moment_are_one(world: World, desk: Desk) -> None:
    await prepared(world, desk)
    decision = await desk.decide(ME, "c-1", "FUND", channel="counter")
    assert decision["needs"] == ["confirmation", "recording"]
    path = f"/decisions/{decision['decision_id']}/confirmation"
    wrong = await desk.post(ME, path, {"warning_version": "W0", "recording": "r"}, 409)
    assert wrong["type"].endswith("warning-not-shown")
    body = {"warning_version": "W1", "recording": "rec-1"}
    answers = await asyncio.gather(*(desk.call(ME, "POST", path, body) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
    assert await world.value("suitability", "SELECT count(*) FROM confirmations") == 1


async def test_a_confirmation_is_void_once_its_ground_has_changed(world: World, desk: Desk) -> None:
    day = await prepared(world, desk)
    decision = await desk.decide(ME, "c-1", "FUND")
    path, body = f"/decisions/{decision['decision_id']}/confirmation", {"warning_version": "W1", "signature": "s"}
    change = {"effective_on": str(day), "level": "HIGH", "reason": "leverage"}
    await desk.approve(HQ, await desk.post(COMPLIANCE, "/products/FUND/classes", change, 202))
    changed = await desk.post(ME, path, body, 409)
    assert changed["type"].endswith("nothing-to-confirm")
    again = await desk.decide(ME, "c-1", "FUND")
    assert again["level_needed"] == "HIGH"
    await world.close(day + DAY * 300)
    ended = await desk.post(ME, path, body, 409)
    assert ended["type"].endswith("nothing-to-confirm")
    await desk.post(ME, "/decisions/none/confirmation", body, 404)


async def test_a_confirmation_lapses(world: World, desk: Desk) -> None:
    await prepared(world, desk)
    decision = await desk.decide(ME, "c-1", "FUND")
    async with superuser(world, "suitability") as sql:
        await sql.execute("UPDATE decisions SET confirm_by = decided_at - interval '1 second'")
    body = {"warning_version": "W1", "signature": "s"}
    late = await desk.post(ME, f"/decisions/{decision['decision_id']}/confirmation", body, 409)
    assert late["type"].endswith("confirmation-lapsed")


async def test_q4_a_confirmation_holds_thirty_days_for_its_product(world: World, desk: Desk) -> None:
    day = await prepared(world, desk)
    decision = await desk.decide(ME, "c-1", "FUND")
    body = {"warning_version": "W1", "signature": "s"}
    made = await desk.post(ME, f"/decisions/{decision['decision_id']}/confirmation", body)
    assert made["valid_until"] == str(day + DAY * 30)
    await world.close(day + DAY * 29)
    assert (await desk.decide(ME, "c-1", "FUND"))["outcome"] == "PASS"
    assert (await desk.decide(DESK, "c-1", "FUND", initiator="staff"))["outcome"] == "BLOCK"
    await world.close(day + DAY * 30)
    assert (await desk.decide(ME, "c-1", "FUND"))["outcome"] == "CONFIRM"


async def test_professional_investors_pass_with_a_record_both_ways(world: World, desk: Desk) -> None:
    day = await prepared(world, desk, "VERY_LOW")
    body = {"professional_class": "B", "items": PROVEN, "proof": "assets-2026"}
    asked = await desk.post(DESK, "/clients/c-1/professional", body)
    await desk.post(DESK, "/clients/c-1/professional", body, 409)
    path = f"/professionals/{asked['request_id']}"
    await desk.post(DESK, f"{path}/decision", {"approve": True}, 403)
    await desk.post(MANAGER, f"{path}/decision", {"approve": True}, 200)
    passed = await desk.decide(ME, "c-1", "FUND")
    assert (passed["outcome"], codes(passed)) == ("PASS", "professional")
    assert codes(await desk.decide(ME, "c-1", "OPTION")) == "permission_missing"
    await world.publish(bought("c-1", "t-1", day, "FUND", "fund:equity"))
    await world.close(day)
    assert await world.value("suitability", "SELECT count(*) FROM mismatches") == 0
    await desk.post(ME, f"{path}/end", {"reason": "ordinary again"}, 200)
    assert codes(await desk.decide(ME, "c-1", "FUND")) == "above_level lowest_level"


async def test_a_life_change_blocks_once_overdue(world: World, desk: Desk) -> None:
    day = await prepared(world, desk)
    stated = await desk.post(ME, "/clients/c-1/life-changes", {"change": "income"})
    assert stated["due_on"] == str(day + DAY * 30)
    assert codes(await desk.decide(ME, "c-1", "STOCK")) == "suitable"
    await world.close(day + DAY * 30)
    assert codes(await desk.decide(ME, "c-1", "STOCK")) == "reassessment_overdue"
    await desk.submit("c-1", LOW)
    assert codes(await desk.decide(ME, "c-1", "STOCK")) == "suitable"
    [placed] = await events(world, "hold.placed")
    [lifted] = await events(world, "hold.lifted")
    assert (placed["client_id"], placed["scope"], lifted["hold_id"]) == ("c-1", "ALL", placed["hold_id"])
    assert datetime.fromisoformat(placed["at"]) == end_of(day + DAY * 30)
    assert datetime.fromisoformat(lifted["at"]) == end_of(day + DAY * 30), "on the first day it is over again"


async def test_a_professional_investor_is_not_held_back(world: World, desk: Desk) -> None:
    day = await prepared(world, desk)
    await desk.post(ME, "/clients/c-1/life-changes", {"change": "income"})
    await world.close(day + DAY * 31)
    assert await events(world, "hold.lifted") == []
    request = await professional(desk, "c-1")
    assert len(await events(world, "hold.lifted")) == 1
    await desk.post(ME, f"/professionals/{request}/end", {"reason": "ordinary again"}, 200)
    await world.close(day + DAY * 32)
    placed = await events(world, "hold.placed")
    assert len({one["hold_id"] for one in placed}) == len(placed) == 2
    # What was answered elsewhere meanwhile and is heard late ends it too.
    await world.publish(assessed("c-1", "LOW", day + DAY * 20))
    await world.settle()
    assert len(await events(world, "hold.lifted")) == 2
    await world.close(day + DAY * 35)
    assert len(await events(world, "hold.placed")) == 2


async def test_a_class_raised_matches_every_holder_again(world: World, desk: Desk) -> None:
    day = await today(world)
    await world.publish(opened("c-1"), opened("c-2"), opened("c-3"))
    for number in (1, 2, 3):
        await world.publish(assessed(f"c-{number}", "LOW", day - DAY * 100), bought(f"c-{number}", "t", day, "S1"))
    await world.publish(bought("c-3", "back", day, "S1", side="sell"))
    bond = broker.ProductPurchased(
        client_id="c-1", purchase_id="p", product_code="P1", amount=Amount("5"), at=utc_now()
    )
    await world.publish(bond)
    await world.settle()
    await desk.keep("P1", kind="bond")
    change = {"effective_on": str(day), "level": "MEDIUM", "reason": "delisting risk"}
    asked = await desk.post(COMPLIANCE, "/products/S1/classes", change, 202)
    assert (await desk.get(HQ, "/products/S1"))["level_needed"] == "LOW"
    assert (await desk.get(COMPLIANCE, "/drifts"))["items"] == []
    await desk.approve(HQ, asked)
    assert (await desk.get(HQ, "/products/S1"))["level_needed"] == "MEDIUM"
    await desk.keep("P1", kind="bond", issuer_class="R4")
    drifts = (await desk.get(COMPLIANCE, "/drifts"))["items"]
    assert sorted((d["client_id"], d["product"]) for d in drifts) == [("c-1", "P1"), ("c-1", "S1"), ("c-2", "S1")]
    await desk.post(MANAGER, f"/drifts/{drifts[0]['drift_id']}/handled", {"note": "called"}, 200)
    progress = await desk.get(MANAGER, "/drifts/progress")
    assert [(p["cause"], p["open"], p["handled"]) for p in progress] == [("class_raised", 2, 1)]


async def test_screening_answers_as_single_decisions_do(world: World, desk: Desk) -> None:
    day = await today(world)
    levels = ["VERY_LOW", "LOW", "MEDIUM", "HIGH"]
    for number in range(12):
        name = f"c-{number}"
        await world.publish(opened(name, branch=f"B{number % 2 + 1}"))
        if number % 5:
            await world.publish(assessed(name, levels[number % 4], day - DAY * (500 if number % 5 == 4 else 10)))
    await world.settle()
    for code, kind in (("STOCK", "stock"), ("FUND", "fund:equity"), ("ODD", "x")):
        await desk.keep(code, kind=kind)
    body = {"products": ["STOCK", "FUND", "ODD", "NONE"], "initiator": "client"}
    screened = await desk.post(SYSTEM, "/screenings", body, 200)
    assert len(screened["answers"]) == 48
    for name, product, outcome, reasons in screened["answers"]:
        single = await desk.decide(SYSTEM, name, product)
        assert (single["outcome"], codes(single)) == (outcome, " ".join(reasons))
    mine = await desk.post(DESK, "/screenings", {"clients": ["c-0", "c-1", "zz"], "products": ["STOCK"]}, 200)
    assert [answer[0] for answer in mine["answers"]] == ["c-0"]
    assert mine["unknown_clients"] == ["c-1", "zz"]
    assert (await desk.post(COMPLIANCE, "/screenings", {"branch": "B2", "products": ["ODD"]}, 200))["counts"] == {
        "BLOCK": 6
    }


@pytest.mark.parametrize("as_of", ["0001-01-01", "9999-12-31", "x"])
async def test_absurd_days_are_refused(world: World, desk: Desk, as_of: str) -> None:
    await world.publish(opened("c-1"))
    await world.settle()
    assert (await desk.call(ME, "GET", f"/clients/c-1/explain?as_of={as_of}")).status_code == 422


async def test_holds_and_retention_refuse_deletion(world: World, desk: Desk) -> None:
    day = await prepared(world, desk)
    kept = await desk.call(COMPLIANCE, "DELETE", "/clients/c-1/records")
    assert kept.json()["type"].endswith("account-open")
    await world.publish(broker.ClientClosed(client_id="c-1", closed_on=day))
    await world.settle()
    kept = await desk.call(COMPLIANCE, "DELETE", "/clients/c-1/records")
    assert kept.json()["type"].endswith("retention-running")
    hold = await desk.post(COMPLIANCE, "/clients/c-1/holds", {"reason": "court case 7"})
    held = await desk.call(COMPLIANCE, "DELETE", "/clients/c-1/records")
    assert (held.status_code, held.json()["type"].split("/")[-1]) == (409, "under-legal-hold")
    lifted = await desk.call(COMPLIANCE, "DELETE", f"/holds/{hold['hold_id']}")
    assert lifted.status_code == 202
    still = await desk.call(COMPLIANCE, "DELETE", "/clients/c-1/records")
    assert still.json()["type"].endswith("under-legal-hold")
    await desk.approve(HQ, lifted.json(), 404)
    await desk.approve(SECOND_COMPLIANCE, lifted.json())
    assert (await desk.call(COMPLIANCE, "DELETE", f"/holds/{hold['hold_id']}")).status_code == 404
    async with world.database("suitability").unit_of_work() as uow:
        await uow.sql.execute("UPDATE closed_days SET first = $1, through = $1", day + timedelta(days=366 * 22))
    gone = await desk.call(COMPLIANCE, "DELETE", "/clients/c-1/records")
    assert gone.json() == {"client_id": "c-1", "erased": True}
