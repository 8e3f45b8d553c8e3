"""What two persons decide: class, kind, shelf state and issuer's class of a product [Q6]."""

from typing import Any

import pytest

from chassis.actor import Actor, Role
from services.suitability.app import service
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    DESK,
    HQ,
    MANAGER,
    PROVEN,
    SECOND_COMPLIANCE,
    SECOND_HQ,
    Desk,
    assessed,
    bought,
    opened,
    today,
)
from tests.world import World


def again(actor: Actor, role: Role) -> Actor:
    """The same person under another sign-in name."""
    return Actor("oidc:other@example", role, purpose="check", person=actor.person)


async def classed(desk: Desk, actor: Actor, code: str, level: str | None, status: int = 202, **more: Any) -> Any:
    body = {"effective_on": str(await today(desk.world)), "level": level, "reason": "committee"} | more
    return await desk.post(actor, f"/products/{code}/classes", body, status)


async def asked_of_every_kind(desk: Desk) -> dict[str, tuple[Actor, Any]]:
    """One waiting approval of every kind, with who asked for it."""
    await desk.keep("W1", kind="warrant")
    await desk.keep("FUND", kind="fund:equity")
    product = await desk.call(HQ, "PUT", "/products/W2", {"kind": "warrant"})
    assert product.status_code == 202
    hold = await desk.post(COMPLIANCE, "/clients/c-1/holds", {"reason": "court case 7"})
    lifted = await desk.call(COMPLIANCE, "DELETE", f"/holds/{hold['hold_id']}")
    assert lifted.status_code == 202
    template = await desk.get(HQ, "/templates/SEED-2010-12Q/1")
    await desk.post(
        HQ, "/templates", {k: v for k, v in template.items() if k not in {"version", "state", "effective_on"}}
    )
    [draft] = (await desk.get(HQ, "/approvals?show=asked&kind=template"))["items"]
    proven = {"professional_class": "B", "items": PROVEN}
    status = await desk.post(MANAGER, "/clients/c-1/professional", proven)
    status = await desk.get(MANAGER, f"/approvals/{status['approval_id']}")
    decision = await desk.decide(DESK, "c-1", "FUND", channel="counter")
    given = {"warning_version": "W1", "recording": "r-1"}
    confirmed = await desk.post(DESK, f"/decisions/{decision['decision_id']}/confirmation", given, 202)
    await desk.post(DESK, "/clients/c-1/vulnerability", {"cause": "illness"})
    over = await desk.post(MANAGER, "/clients/c-1/vulnerability/end", {"reason": "well again"}, 202)
    return {
        "vulnerability-end": (MANAGER, over),
        "confirmation": (DESK, confirmed),
        "professional": (MANAGER, status),
        "template": (HQ, draft),
        "hold-release": (COMPLIANCE, lifted.json()),
        "product": (HQ, product.json()),
        "product-below-floor": (COMPLIANCE, await classed(desk, COMPLIANCE, "W1", "LOW")),
    }


async def test_nobody_decides_what_they_asked_for_under_any_name(world: World, desk: Desk) -> None:
    await world.publish(opened("c-1"), assessed("c-1", "LOW", await today(world) - DAY * 60))
    await world.settle()
    waiting = await asked_of_every_kind(desk)
    # Every service has the kind "policy"; it is tried where it is made.
    assert {*waiting, "policy"} == {kind.name for kind in service.approvals}
    for name, (asker, asked) in waiting.items():
        assert (asked["kind"], asked["state"]) == (name, "waiting")
        for person in (asker, again(asker, Role.HQ), again(asker, Role.COMPLIANCE)):
            for way in ("approve", "refuse"):
                path = f"/approvals/{asked['approval_id']}/{way}"
                refused = await desk.post(person, path, {"because": "mine"}, 403)
                assert refused["type"].endswith("second-person-needed")
        assert (await desk.get(asker, f"/approvals/{asked['approval_id']}"))["state"] == "waiting"


@pytest.mark.parametrize("level", ["LOW", "MEDIUM", "VERY_LOW"])
async def test_below_its_kinds_level_only_with_compliance(world: World, desk: Desk, level: str) -> None:
    await desk.keep("W1", kind="warrant")
    asked = await classed(desk, HQ, "W1", level)
    assert asked["kind"] == "product-below-floor"
    await desk.approve(SECOND_HQ, asked, 404)
    assert (await desk.get(HQ, "/products/W1"))["level_needed"] == "HIGH"
    await desk.approve(COMPLIANCE, asked)
    assert (await desk.get(HQ, "/products/W1"))["level_needed"] == level
    await desk.approve(SECOND_COMPLIANCE, asked, 409)


async def test_another_scheme_or_kind_is_no_way_round_compliance(world: World, desk: Desk) -> None:
    await desk.keep("W1", kind="warrant")
    refused = await classed(desk, HQ, "W1", "C3", 422, scheme="C5R5")
    assert refused["errors"][0]["pointer"] == "/level"
    for kind in ("bond", "no-such-kind"):
        asked = await desk.call(HQ, "PUT", "/products/W1", {"kind": kind})
        assert (asked.status_code, asked.json()["kind"]) == (202, "product-below-floor")
    for same in (await classed(desk, HQ, "W1", "HIGH"), await classed(desk, HQ, "W1", None)):
        assert same["kind"] == "product"


@pytest.mark.parametrize("change", [{"state": "off_shelf"}, {"issuer_class": "R5"}, {"kind": "warrant"}])
async def test_shelf_kind_and_issuers_class_wait_for_another(world: World, desk: Desk, change: dict[str, str]) -> None:
    await desk.keep("S1", kind="stock")
    asked = await desk.call(HQ, "PUT", "/products/S1", {"kind": "stock", "reason": "notice 3"} | change)
    assert (asked.status_code, asked.json()["why"]) == (202, "notice 3")
    ((name, value),) = change.items()
    assert (await desk.get(HQ, "/products/S1"))[name] != value
    await desk.approve(SECOND_HQ, asked.json())
    assert (await desk.get(HQ, "/products/S1"))[name] == value


async def test_names_change_at_once_and_nothing_else_does(world: World, desk: Desk) -> None:
    await desk.keep("S1", kind="stock")
    named = await desk.call(HQ, "PUT", "/products/S1", {"kind": "stock", "name_en": "Steel"})
    assert (named.status_code, named.json()["name_en"], named.json()["state"]) == (200, "Steel", "on_shelf")


async def test_what_has_changed_since_is_asked_again(world: World, desk: Desk) -> None:
    await desk.keep("S1", kind="stock")
    first, second = await classed(desk, HQ, "S1", "MEDIUM"), await classed(desk, HQ, "S1", "HIGH")
    await desk.approve(COMPLIANCE, first)
    stale = await desk.approve(COMPLIANCE, second, 409)
    assert stale["type"].endswith("changed-since-asked")
    assert (await desk.get(HQ, "/products/S1"))["level_needed"] == "MEDIUM"


async def test_a_class_approved_late_counts_from_then(world: World, desk: Desk) -> None:
    day = await today(world) - DAY * 10
    await world.close(day - DAY)
    await desk.keep("S1", kind="stock")
    asked = await classed(desk, HQ, "S1", "MEDIUM")
    await world.close(day + DAY * 2)
    await desk.approve(COMPLIANCE, asked)
    since = await world.value("suitability", "SELECT effective_on FROM product_classes")
    assert since > day
    assert (await desk.get(HQ, f"/products/S1?as_of={day}"))["level_needed"] == "LOW"


async def test_a_class_never_counts_below_a_kind_that_compliance_did_not_waive(world: World, desk: Desk) -> None:
    """Whatever changes the kind afterwards: staff, or a trade."""
    await desk.keep("X", kind="bond")
    await desk.approve(SECOND_HQ, await classed(desk, HQ, "X", "VERY_LOW"))
    changed = await desk.call(HQ, "PUT", "/products/X", {"kind": "warrant"})
    await desk.approve(SECOND_HQ, changed.json())
    assert (await desk.get(HQ, "/products/X"))["level_needed"] == "HIGH"
    await desk.approve(COMPLIANCE, await classed(desk, HQ, "X", "MEDIUM"))
    assert (await desk.get(HQ, "/products/X"))["level_needed"] == "MEDIUM"


async def test_a_class_waived_for_one_kind_is_not_for_a_riskier_one(world: World, desk: Desk) -> None:
    day = await today(world)
    await world.publish(opened("c-1"), bought("c-1", "t-1", day - DAY, "Y"))
    await world.close(day - DAY)
    await desk.approve(COMPLIANCE, await classed(desk, HQ, "Y", "VERY_LOW"))
    assert (await desk.get(HQ, "/products/Y"))["level_needed"] == "VERY_LOW"
    await world.publish(bought("c-1", "t-2", day, "Y", "warrant"))
    await world.settle()
    assert (await desk.get(HQ, "/products/Y"))["level_needed"] == "HIGH"


async def test_a_class_set_again_leaves_the_one_before_it(world: World, desk: Desk) -> None:
    await desk.keep("F", kind="fund:equity")
    for level in ("HIGH", "MEDIUM"):
        await desk.approve(COMPLIANCE, await classed(desk, HQ, "F", level))
    assert (await desk.get(HQ, "/products/F"))["level_needed"] == "MEDIUM"
    kept = await world.rows("suitability", "SELECT level, made_by FROM product_classes ORDER BY id")
    assert [row["level"] for row in kept] == ["HIGH", "MEDIUM"]
