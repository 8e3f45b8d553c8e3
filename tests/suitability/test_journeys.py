"""Journeys on both buses: a warrant above the level, a professional by conversion, a rise that is reviewed, a late fact."""

import json
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from chassis.actor import Actor, Role
from chassis.clock import at, utc_now
from chassis.rows import columns, fetch
from chassis.secrets import key_ring
from chassis.timeline import Timeline, announce
from contracts import broker
from contracts.platform import ErasureRequested
from services.suitability.links import token_of
from services.suitability.tables import ConfirmationLink
from tests.chassis.audit.conftest import superuser
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    DESK,
    LOW,
    MANAGER,
    MEDIUM,
    SECOND_COMPLIANCE,
    VERY_LOW,
    Desk,
    assessed,
    bought,
    client,
    opened,
    professional,
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
        "link": token_of(key_ring(world.settings, "field")[0], link),
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


@pytest.mark.services("suitability", "messaging", "callbacks")
async def test_what_the_service_tells_reaches_whom_it_is_for(world: World, desk: Desk) -> None:
    """Today, in a real home: a confirmation by a link and the callback that it owes, the ends of professionals 30, 7 and 1 days
    before, the register of the day, and an erasure that is asked for."""
    async with world.database("gateway").unit_of_work() as uow:
        announce(uow, Timeline.REAL, utc_now() - DAY)
    day = await today(world)
    director = broker.StaffChanged(
        staff_id="dora", branch_id="B1", seats=(broker.Seat(unit="B1", seat="operations_director"),)
    )
    await world.publish(director, at=at(day - DAY, 9))
    ending = {"c-2": 30, "c-3": 7, "c-4": 1}
    await world.publish(*(opened(name, phone=f"1380013800{name[-1]}") for name in ("c-1", *ending)))
    await world.publish(assessed("c-1", "LOW", day - DAY * 20))
    await world.close(day - DAY)
    await desk.keep("FUND", kind="fund:equity")

    asked = await desk.decide(DESK, "c-1", "FUND")
    await desk.post(DESK, f"/decisions/{asked['decision_id']}/link")
    await world.settle()
    async with world.sql("suitability") as sql:
        [link] = await fetch(sql, ConfirmationLink, f"SELECT {columns(ConfirmationLink)} FROM confirmation_links")
    token = token_of(key_ring(world.settings, "field")[0], link)
    given = {"warning_version": "W1", "signature": "s-1", "link": token}
    await desk.post(client("c-1"), f"/decisions/{asked['decision_id']}/confirmation", given)
    for name in ending:
        await professional(desk, name)
    async with superuser(world, "suitability") as sql:  # their two years are nearly over
        for name, left in ending.items():
            for table, column in (("professional_status", "until"), ("professionals", "valid_until")):
                await sql.execute(f"UPDATE {table} SET {column} = $2 WHERE client_id = $1", name, day + DAY * left)
    await desk.submit("c-4", LOW)
    await world.close(day)

    found = await world.rows(
        "messaging", "SELECT kind, client_id, staff_id, cause FROM messages ORDER BY kind, client_id"
    )
    told = [
        (row["kind"], row["client_id"] or row["staff_id"], row["cause"]) for row in found if row["kind"] != "welcome"
    ]
    assert told == [
        *(("professional_reminder", name, f"{day + DAY * left}/{left}") for name, left in ending.items()),
        ("purchase_confirmation", "c-1", link.link_id),
        ("register_made", "dora", f"B1/{day}/1"),
    ]
    [owed] = await world.rows(
        "callbacks", "SELECT rule, client_id, queue, subject FROM tasks WHERE rule = 'risky_purchase'"
    )
    assert owed == {"rule": "risky_purchase", "client_id": "c-1", "queue": "centre", "subject": asked["decision_id"]}
    seat = Actor(
        "dora", Role.AGENT, branch_id="B1", seats=frozenset({("B1", "operations_director")}), purpose="service"
    )
    assert [one["assessed"] for one in (await desk.get(seat, "/registers?unread=true"))["items"]] == [1]

    # One who is ordinary again is not reminded; nobody is erased whose account is open.
    status = await desk.get(client("c-3"), "/clients/c-3/professional")
    await desk.post(client("c-3"), f"/professionals/{status['request_id']}/end", {"reason": "ordinary again"}, 200)
    wanted = ErasureRequested(erasure_id=UUID(int=7), client_id="c-3", requested_at=utc_now())
    async with world.database("gateway").unit_of_work() as uow:
        uow.emit(wanted)
    await world.settle()
    states = await world.rows("messaging", "SELECT client_id, state FROM messages WHERE kind = 'professional_reminder'")
    assert {row["client_id"] for row in states if row["state"] == "cancelled"} == {"c-3"}
    answers = [one for one in await answered(world) if one["client_id"] == "c-3"]
    assert [(one["over"], one["reason"]) for one in answers] == [(False, "account open")]


async def answered(world: World) -> list[dict[str, Any]]:
    """What suitability answered to requests of erasure."""
    log = "bus.log" if world.bus == "log" else "log"
    rows = await world.rows("suitability", f"SELECT value FROM {log} WHERE type = 'suitability.erasure.answered'")
    return [json.loads(row["value"]) for row in rows]
