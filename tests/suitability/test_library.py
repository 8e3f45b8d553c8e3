"""What the product library tells of shelf and floor counts here on top of what is decided here [S6]."""

from datetime import date
from typing import Any

import msgspec
import pytest

from chassis.clock import at
from contracts import broker
from contracts.base import Amount
from contracts.products import ProductChanged, ProductStretch
from services.suitability.policy import Policies
from services.suitability.situations import library_floor
from tests.suitability.conftest import COMPLIANCE, DAY, HQ, Desk, assessed, client, opened, today
from tests.suitability.test_days import events
from tests.world import World

ME = client("c-1")


def told(product: str, revision: int, day: date, floor: str | None, shelf: Any = "on_shelf") -> ProductChanged:
    stretch = ProductStretch(since=day, shelf=shelf, floor=floor, rank=1)
    return ProductChanged(product=product, revision=revision, changed_from=day, stretches=[stretch])


async def said(desk: Desk, product: str, who: str = "c-1") -> tuple[str, list[str]]:
    decision = await desk.decide(client(who), who, product)
    return decision["outcome"], [one["code"] for one in decision["reasons"]]


async def test_floors_and_shelves_of_the_library_count_from_their_day(world: World, desk: Desk) -> None:
    day = await today(world) - DAY * 50
    await world.publish(
        opened("c-1"),
        opened("c-2"),
        assessed("c-1", "LOW", day - DAY * 60),
        assessed("c-2", "VERY_LOW", day - DAY * 60),
    )
    await world.close(day - DAY)
    assert await said(desk, "A") == ("BLOCK", ["unknown_product"])
    await world.publish(told("A", 1, day, "LOW"), told("SMS1", 1, day, "LOW"), told("SMS2", 1, day, None))
    await world.settle()
    assert await said(desk, "A") == ("PASS", ["suitable"])
    # Kinds that the policy does not name have the class that the library asks for; without one any level does.
    assert (await said(desk, "SMS1", "c-2"))[0] == "BLOCK"
    assert await said(desk, "SMS2", "c-2") == ("PASS", ["suitable"])

    await world.publish(
        broker.ProductPurchased(
            client_id="c-1", purchase_id="p-1", product_code="A", amount=Amount("1"), at=at(day, 10)
        )
    )
    await world.close(day)
    raised = told("A", 2, day + DAY, "MEDIUM")
    said_once = await world.publish(raised)
    await world.settle()
    assert await said(desk, "A") == ("CONFIRM", ["above_level"])
    then = await desk.get(ME, f"/clients/c-1/products/A/explain?as_of={day}")
    assert then["outcome"] == "PASS"
    await world.close(day + DAY)
    [drifted] = await events(world, "match.drifted")
    assert (drifted["cause"], drifted["products"][0]["product"]) == ("class_raised", "A")  # type: ignore[index]

    # Told again, or an older word that comes late, changes nothing.
    await world.redeliver(said_once)
    await world.publish(told("A", 1, day, "LOW"))
    await world.settle()
    assert (await said(desk, "A"))[0] == "CONFIRM"
    # A class of our own above the floor counts, the floor above it too.
    body = {"effective_on": str(day + DAY * 2), "level": "HIGH", "reason": "committee"}
    await desk.approve(COMPLIANCE, (await desk.call(HQ, "POST", "/products/A/classes", body)).json())
    assert (await desk.decide(ME, "c-1", "A"))["level_needed"] == "HIGH"

    await world.publish(told("A", 3, day + DAY * 2, "MEDIUM", "suspended"))
    await world.settle()
    assert "off_shelf" in (await said(desk, "A"))[1]
    # Its own shelf state is another matter: the page and the answer say whose word it is.
    page = await desk.get(HQ, "/products/A")
    assert (page["state"], page["library_shelf"], page["library_floor"]) == ("on_shelf", "suspended", "MEDIUM")
    assert page["not_sold_because"] == "library:suspended"
    why = await desk.get(ME, f"/decisions/{(await desk.decide(ME, 'c-1', 'A'))['decision_id']}/explain")
    assert why["inputs"]["not_sold_because"] == "library:suspended"
    before = await desk.get(HQ, f"/products/A?as_of={day}")
    assert (before["library_shelf"], before["not_sold_because"]) == ("on_shelf", None)
    [listed] = [one for one in (await desk.get(HQ, "/products"))["items"] if one["code"] == "A"]
    assert listed["not_sold_because"] == "library:suspended"
    # Taken off by ourselves as well, it is our own word.
    await desk.keep("A", kind="service:A", state="off_shelf")
    assert (await desk.get(HQ, "/products/A"))["not_sold_because"] == "own:off_shelf"


@pytest.mark.parametrize(
    ("scheme", "library", "rank"),
    [
        ("SEED-2010-12Q", None, None),
        ("SEED-2010-12Q", ["on_shelf", None], 1),
        ("SEED-2010-12Q", ["on_shelf", "MEDIUM"], 3),
        ("SEED-2010-12Q", ["on_shelf", "C9"], 4),
        ("C5R5", ["on_shelf", "MEDIUM"], 3),
        ("C5R5", ["on_shelf", "HIGH"], 5),
    ],
)
def test_a_floor_is_never_translated_downward(scheme: str, library: list[str | None] | None, rank: int | None) -> None:
    policy = msgspec.structs.replace(Policies().on(date(2026, 1, 1)), scheme=scheme)
    assert library_floor(library, policy) == rank
