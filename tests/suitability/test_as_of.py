"""What is said of a past day rests on that day: later facts of any kind leave it as it was."""

from datetime import date
from typing import Any

from chassis.clock import at, utc_now
from chassis.timeline import Timeline, announce
from contracts import broker
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    HIGH,
    HQ,
    LOW,
    MEDIUM,
    SECOND_COMPLIANCE,
    Desk,
    assessed,
    bought,
    client,
    opened,
    professional,
    today,
)
from tests.world import World

BEGIN = date(2022, 3, 1)
ME = client("c-1")
CLASH = "ADAAAAAAAAAA"
"""Never invested, and everything in it: the lowest level, which counts while somebody looks."""


async def explained(desk: Desk, product: str, day: date) -> tuple[str, list[str]]:
    said = await desk.get(COMPLIANCE, f"/clients/c-1/products/{product}/explain?as_of={day}")
    return said["outcome"], [reason["code"] for reason in said["reasons"]]


async def test_answers_given_later_do_not_end_what_was_overdue(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"), assessed("c-1", "HIGH", BEGIN), bought("c-1", "t-1", BEGIN))
    await world.close(BEGIN)
    stated = await desk.post(ME, "/clients/c-1/life-changes", {"change": "income"})
    due = date.fromisoformat(stated["due_on"])
    await world.close(due + DAY)
    assert await explained(desk, "S1", due) == ("PASS", ["suitable"])
    assert await explained(desk, "S1", due + DAY) == ("BLOCK", ["reassessment_overdue"])
    await world.publish(assessed("c-1", "HIGH", due + DAY * 3))
    await world.close(due + DAY * 3)
    assert await explained(desk, "S1", due + DAY) == ("BLOCK", ["reassessment_overdue"])
    assert await explained(desk, "S1", due + DAY * 2) == ("BLOCK", ["reassessment_overdue"])
    assert await explained(desk, "S1", due + DAY * 3) == ("PASS", ["suitable"])


async def test_a_rise_is_approved_from_the_day_somebody_approved_it(world: World, desk: Desk) -> None:
    async with world.database("gateway").unit_of_work() as uow:
        announce(uow, Timeline.REAL, utc_now() - DAY)
    await world.settle()
    day = await today(world)
    await world.publish(opened("c-1"), assessed("c-1", "LOW", day - DAY * 9))
    await world.close(day - DAY)
    await desk.keep("F", kind="fund:equity")
    await desk.submit("c-1", MEDIUM)
    assert (await desk.decide(ME, "c-1", "F"))["outcome"] == "BLOCK"
    waits = await explained(desk, "F", day)
    assert waits == ("BLOCK", ["rise_under_review"])
    await world.close(day)
    [review] = await desk.listed(HQ, "/reviews")
    await desk.post(COMPLIANCE, f"/reviews/{review['review_id']}/decision", {"approve": True, "note": "looked"}, 200)
    assert await explained(desk, "F", day) == waits
    assert await explained(desk, "F", day + DAY) == ("PASS", ["suitable"])


async def test_no_later_fact_changes_what_is_explained_of_a_day(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"), assessed("c-1", "LOW", BEGIN), bought("c-1", "t-1", BEGIN))
    await world.close(BEGIN)
    for code, kind in (("F", "fund:equity"), ("OPTION", "option"), ("W", "warrant")):
        await desk.keep(code, kind=kind)
    await desk.post(ME, "/clients/c-1/life-changes", {"change": "income"})
    await world.close(last := BEGIN + DAY * 40)
    days = [BEGIN + DAY, BEGIN + DAY * 20, last]

    async def said() -> list[Any]:
        paths = [f"/clients/c-1/products/{code}/explain" for code in ("S1", "F", "OPTION", "W")]
        return [
            await desk.get(COMPLIANCE, f"{path}?as_of={day}")
            for path in (*paths, "/clients/c-1/explain")
            for day in days
        ]

    before = await said()
    await desk.submit("c-1", LOW)
    decision = await desk.decide(ME, "c-1", "F")
    confirmation = {"warning_version": decision["warning"]["version"], "signature": "s"}
    await desk.post(ME, f"/decisions/{decision['decision_id']}/confirmation", confirmation)
    await desk.post(ME, "/clients/c-1/vulnerability", {"cause": "illness"})
    await desk.keep("W", kind="warrant", state="suspended")
    raised = {"effective_on": str(last + DAY), "level": "HIGH", "reason": "delisting risk"}
    await desk.approve(COMPLIANCE, await desk.post(HQ, "/products/S1/classes", raised, 202))
    await professional(desk, "c-1")
    await world.publish(
        broker.PermissionGranted(client_id="c-1", permission="options", at=at(last + DAY, 10)),
        bought("c-1", "t-2", last + DAY, symbol="F", kind="fund:equity", risk_class="R5"),
        assessed("c-1", "HIGH", last + DAY * 2),
    )
    await world.close(last + DAY * 2)
    await desk.submit("c-1", HIGH)
    for review in await desk.listed(HQ, "/reviews"):
        path = f"/reviews/{review['review_id']}/decision"
        await desk.post(SECOND_COMPLIANCE, path, {"approve": True, "note": "looked", "second_contact": "call-1"}, 200)
    await world.publish(broker.ClientClosed(client_id="c-1", closed_on=last + DAY * 3))
    await world.close(last + DAY * 3)
    assert await said() == before
    assert {one["outcome"] for one in before if "outcome" in one} == {"PASS", "CONFIRM", "BLOCK"}


async def test_a_rejected_assessment_answers_no_change_of_life(world: World, desk: Desk) -> None:
    """Whoever had only that one is told that they were never assessed, and asked for the same reason as before."""
    await world.publish(opened("c-1"), assessed("c-1", "HIGH", BEGIN - DAY * 60))
    await world.close(BEGIN)
    await desk.post(ME, "/clients/c-1/life-changes", {"change": "income"})
    await world.close(BEGIN + DAY * 3)
    await desk.submit("c-1", CLASH)
    assert (await desk.get(ME, "/clients/c-1/questionnaire"))["why"] == "renewal"
    [review] = await desk.listed(HQ, "/reviews")
    await desk.post(COMPLIANCE, f"/reviews/{review['review_id']}/decision", {"approve": False, "note": "no"}, 200)
    assert (await desk.get(ME, "/clients/c-1/questionnaire"))["why"] == "life_change"
