"""Journeys on both buses: a warrant above the level, a professional by conversion, a rise that is reviewed, a late fact."""

from datetime import date

import pytest

from chassis.clock import at
from chassis.rows import columns, fetch
from chassis.secrets import key_ring
from services.suitability.links import token_of
from services.suitability.tables import ConfirmationLink
from tests.chassis.audit.conftest import superuser
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    DESK,
    MANAGER,
    MEDIUM,
    SECOND_COMPLIANCE,
    VERY_LOW,
    Desk,
    assessed,
    bought,
    client,
    opened,
    today,
)
from tests.suitability.test_professionals import CONVERTED
from tests.world import World

pytestmark = pytest.mark.both_buses
ANSWERS = [{"question": code, "answer": said} for code, said in (("loss", "yes"), ("reserve", "yes"), ("urged", "no"))]


async def outcome(desk: Desk, who: str, product: str) -> tuple[str, list[str]]:
    decision = await desk.decide(client(who), who, product)
    return decision["outcome"], [one["code"] for one in decision["reasons"]]


async def test_a_warrant_above_the_level_is_thought_over_and_confirmed_by_a_link(world: World, desk: Desk) -> None:
    day = await today(world) - DAY * 400
    await world.publish(opened("c-1"), assessed("c-1", "MEDIUM", day - DAY * 60))
    await world.close(day)
    await desk.keep("WARRANT", kind="warrant")
    sold = await desk.decide(DESK, "c-1", "WARRANT", initiator="staff")
    assert sold["outcome"] == "BLOCK"
    asked = await desk.decide(DESK, "c-1", "WARRANT")
    assert (asked["outcome"], asked["needs"]) == ("CONFIRM", ["confirmation", "signature", "answers"])
    path = f"/decisions/{asked['decision_id']}"
    await desk.post(DESK, f"{path}/link")
    async with world.sql("suitability") as sql:
        [link] = await fetch(sql, ConfirmationLink, f"SELECT {columns(ConfirmationLink)} FROM confirmation_links")
    given = {
        "warning_version": "W1", "signature": "s-1", "answers": ANSWERS,
        "link": token_of(key_ring(world.settings, "internal")[0], link),
    }  # fmt: skip
    early = await desk.post(client("c-1"), f"{path}/confirmation", given, 409)
    assert early["type"].endswith("cooling-time-running")
    async with superuser(world, "suitability") as sql:  # a day goes by
        await sql.execute("UPDATE decisions SET not_before = not_before - interval '24 hours' WHERE decision_id = $1", asked["decision_id"])  # fmt: skip
    await desk.post(client("c-1"), f"{path}/confirmation", given)
    assert await outcome(desk, "c-1", "WARRANT") == ("PASS", ["above_level", "confirmed"])
    await desk.post(client("c-1"), f"{path}/confirmation", given, 409)
    await world.publish(bought("c-1", "t-1", day + DAY, "WARRANT", "warrant"))
    await world.close(day + DAY)
    found = (await desk.get(COMPLIANCE, "/mismatches"))["items"]
    assert [(one["trade_id"], one["reason"], one["confirmation"]) for one in found] == [
        ("t-1", "above_level", asked["decision_id"])
    ]
    await world.close(day + DAY * 31)
    assert (await outcome(desk, "c-1", "WARRANT"))[0] == "CONFIRM"  # a confirmation holds for thirty days


async def test_a_conversion_with_its_test_waits_is_approved_and_runs_out(world: World, desk: Desk) -> None:
    day = await today(world) - DAY * 800
    await world.publish(opened("c-1"), assessed("c-1", "VERY_LOW", day - DAY * 30))
    await world.close(day - DAY)
    await desk.keep("FUND", kind="fund:equity")
    items = [{"item": item, "value": value, "evidence": f"e-{item}"} for item, value in CONVERTED.items()]
    failed = [one if one["item"] != "knowledge_test" else one | {"value": 79} for one in items]
    me, path = client("c-1"), "/clients/c-1/professional"
    await desk.post(me, path, {"professional_class": "C", "items": failed}, 422)
    asked = await desk.post(me, path, {"professional_class": "C", "items": items})
    await desk.approve(COMPLIANCE, asked, 409)  # it waits a day
    async with world.database("suitability").unit_of_work() as uow:
        await uow.sql.execute("UPDATE professionals SET made_at = made_at - interval '24 hours'")
    await desk.approve(SECOND_COMPLIANCE, asked)
    assert await outcome(desk, "c-1", "FUND") == ("PASS", ["professional"])
    status = await desk.get(me, path)
    assert (status["category"], len(status["items"])) == ("C", len(items))
    await world.close(date.fromisoformat(status["until"]))
    assert (await outcome(desk, "c-1", "FUND"))[0] == "BLOCK"
    assert (await desk.get(me, path))["category"] is None
    assert (await desk.get(me, f"{path}?as_of={day}"))["category"] == "C"


async def test_a_rise_is_reviewed_and_a_late_fact_judged_again(world: World, desk: Desk) -> None:
    day = await today(world) - DAY * 100
    me = client("c-1")
    await world.publish(opened("c-1"))
    await world.close(day - DAY)
    await desk.keep("FUND", kind="fund:equity")
    await desk.submit("c-1", VERY_LOW)
    assert (await desk.submit("c-1", MEDIUM))["state"] == "in_review"
    assert (await outcome(desk, "c-1", "FUND"))[0] == "BLOCK"
    [review] = (await desk.get(MANAGER, "/reviews"))["items"]
    shown = await desk.get(MANAGER, f"/reviews/{review['review_id']}")
    assert {one["act"]: one["can"] for one in shown["acts"]} == {"approve": True, "reject": True, "supersede": False}
    await desk.post(MANAGER, f"/reviews/{review['review_id']}/decision", {"approve": True, "note": "rang"}, 200)
    after = await desk.get(COMPLIANCE, f"/reviews/{review['review_id']}")
    assert [(one["act"], one["after"]) for one in after["history"]] == [("open", "open"), ("approve", "approved")]
    assert (await outcome(desk, "c-1", "FUND"))[0] == "PASS"
    await world.publish(bought("c-1", "t-1", day + DAY, "FUND", "fund:equity", settled_at=at(day + DAY, 15)))
    await world.close(day + DAY * 2)
    assert (await desk.get(COMPLIANCE, "/mismatches"))["items"] == []
    # An assessment made elsewhere on the day after, heard now: what was bought under it is judged by it.
    await world.publish(assessed("c-1", "LOW", day + DAY))
    await world.settle()
    assert [(one["trade_id"], one["reason"]) for one in (await desk.get(COMPLIANCE, "/mismatches"))["items"]] == [
        ("t-1", "above_level")
    ]
    assert (await desk.get(me, "/clients/c-1"))["level"] == "LOW"
