"""Confirmations above the level: given in the client's own channel, or entered by staff and checked by another [Q4]."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from chassis.actor import Actor
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    DESK,
    MANAGER,
    SYSTEM,
    Desk,
    assessed,
    client,
    opened,
    today,
)
from tests.world import World

ME = client("c-1")
GIVEN = {"warning_version": "W1", "signature": "s-1", "recording": "r-1"}


async def begun(world: World, desk: Desk, level: str = "LOW", **more: Any) -> None:
    day = await today(world) - DAY * 50
    await world.publish(opened("c-1", **more), assessed("c-1", level, day - DAY * 60))
    await world.close(day)
    await desk.keep("FUND", kind="fund:equity")
    await desk.keep("WARRANT", kind="warrant")


@pytest.mark.parametrize("who", [DESK, MANAGER, SYSTEM], ids=lambda actor: str(actor.role))
@pytest.mark.parametrize("channel", ["mobile", "web", "terminal"])
async def test_q4_nobody_confirms_for_a_client_in_their_own_channel(
    world: World, desk: Desk, who: Actor, channel: str
) -> None:
    await begun(world, desk)
    asked = await desk.decide(who, "c-1", "FUND", channel=channel)
    path = f"/decisions/{asked['decision_id']}/confirmation"
    refused = await desk.post(who, path, GIVEN, 403)
    assert refused["type"].endswith("own-channel-needed")
    assert (await desk.decide(ME, "c-1", "FUND"))["outcome"] == "CONFIRM"
    await desk.post(ME, path, GIVEN)
    assert (await desk.decide(ME, "c-1", "FUND"))["outcome"] == "PASS"


async def test_q4_what_staff_enter_at_the_counter_another_person_checks(world: World, desk: Desk) -> None:
    await begun(world, desk)
    asked = await desk.decide(DESK, "c-1", "FUND", channel="counter")
    path = f"/decisions/{asked['decision_id']}/confirmation"
    waiting = await desk.post(DESK, path, GIVEN, 202)
    assert (waiting["kind"], waiting["after"]["recording"]) == ("confirmation", "r-1")
    assert (await desk.decide(ME, "c-1", "FUND"))["outcome"] == "CONFIRM"
    await desk.post(MANAGER, path, GIVEN, 409)  # it waits already
    await desk.approve(MANAGER, waiting)
    assert (await desk.decide(ME, "c-1", "FUND"))["outcome"] == "PASS"
    kept = await world.rows("suitability", "SELECT actor, recording FROM confirmations")
    assert [(row["actor"], row["recording"]) for row in kept] == [("desk-1", "r-1")]
    await desk.post(DESK, path, GIVEN, 409)


async def test_q4_a_refused_recording_confirms_nothing(world: World, desk: Desk) -> None:
    await begun(world, desk)
    asked = await desk.decide(DESK, "c-1", "FUND", channel="phone")
    waiting = await desk.post(DESK, f"/decisions/{asked['decision_id']}/confirmation", GIVEN, 202)
    await desk.post(COMPLIANCE, f"/approvals/{waiting['approval_id']}/refuse", {"because": "not the client"}, 200)
    assert (await desk.decide(ME, "c-1", "FUND"))["outcome"] == "CONFIRM"


@pytest.mark.parametrize(
    ("level", "product", "born", "hours"),
    [
        ("MEDIUM", "WARRANT", 40, 24),
        ("LOW", "FUND", 40, 0),
        ("LOW", "WARRANT", 40, 24),
        ("MEDIUM", "WARRANT", 66, 24),
        ("LOW", "FUND", 66, 24),
    ],
)
async def test_q4_cooling_by_levels_above_and_age(
    world: World, desk: Desk, level: str, product: str, born: int, hours: int
) -> None:
    year = (await today(world)).year - born
    await begun(world, desk, level, birth_date=date(year, 1, 1))
    asked = await desk.decide(ME, "c-1", product)
    waits = datetime.fromisoformat(asked["not_before"]) - datetime.fromisoformat(asked["decided_at"])
    assert (asked["outcome"], waits) == ("CONFIRM", timedelta(hours=hours))
    status = 409 if hours else 201
    await desk.post(ME, f"/decisions/{asked['decision_id']}/confirmation", GIVEN, status)
