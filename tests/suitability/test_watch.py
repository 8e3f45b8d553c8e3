"""What is covered may have changed, whatever changed it; and what was so on an earlier day stays so."""

from datetime import date, timedelta
from typing import Any

import pytest

from chassis.actor import Actor, Role
from chassis.clock import at
from contracts import broker
from contracts.base import Amount, Quantity
from contracts.products import ProductChanged, ProductStretch
from services.suitability import retention
from services.suitability.gaming import chance
from tests.suitability.conftest import (
    COMPLIANCE,
    DAY,
    DESK,
    HIGH,
    HQ,
    LOW,
    MANAGER,
    MEDIUM,
    PROVEN,
    Desk,
    assessed,
    bought,
    client,
    in_scheme,
    opened,
    professional,
    sheet,
    today,
)
from tests.suitability.test_days import events
from tests.suitability.test_reports import rows_of
from tests.world import World

ME = client("c-1")


async def begun(world: World, *facts: Any) -> date:
    """A home whose today lies behind us, with a client of a low level."""
    day = await today(world) - DAY * 60
    await world.publish(opened("c-1"), assessed("c-1", "LOW", day - DAY * 60), *facts)
    await world.close(day - DAY)
    return day


def cancelled(trade_id: str, day: date, remaining: str = "0") -> broker.TradeCancelled:
    return broker.TradeCancelled(
        trade_id=trade_id, client_id="c-1", cancelled_at=at(day, 16), remaining_commission=Quantity(remaining)
    )


async def drifts(world: World) -> list[tuple[Any, list[str]]]:
    return [
        (e["cause"], [product["product"] for product in e["products"]])  # type: ignore[attr-defined]
        for e in await events(world, "match.drifted")
    ]


async def test_an_issuers_class_in_a_later_trade_matches_every_holder_again(world: World, desk: Desk) -> None:
    day = await begun(world, opened("c-2"))
    await world.publish(assessed("c-2", "HIGH", day - DAY * 60), bought("c-1", "t-1", day))
    await world.close(day)
    await world.publish(bought("c-2", "t-2", day + DAY, risk_class="R3"))
    await world.close(day + DAY)
    assert await drifts(world) == [("class_raised", ["S1"])]
    [drift] = (await desk.get(COMPLIANCE, "/drifts"))["items"]
    assert (drift["client_id"], drift["needed"], drift["held"]) == ("c-1", "MEDIUM", "LOW")
    await world.publish(bought("c-2", "t-3", day + DAY * 2, risk_class="R2"))
    await world.close(day + DAY * 2)
    assert len(await drifts(world)) == 1  # it asks for less: nobody is matched again


async def test_the_trade_that_settled_last_says_what_a_product_is_in_whatever_order_they_are_heard(
    world: World, desk: Desk
) -> None:
    """Also when it says what was known already."""
    day = await begun(world)
    for number, back, kind in ((1, 9, "warrant"), (2, 2, "warrant"), (3, 5, "stock")):
        await world.publish(bought("c-1", f"t-{number}", day - DAY * back, "X", kind))
        await world.settle()
    assert (await desk.get(HQ, "/products/X"))["kind"] == "warrant"


@pytest.mark.parametrize(("remaining", "found"), [("0", []), ("0.5", ["F"])])
async def test_a_cancelled_buy_is_held_as_far_as_it_stays(
    world: World, desk: Desk, remaining: str, found: list[str]
) -> None:
    day = await begun(world)
    await world.publish(assessed("c-1", "HIGH", day), bought("c-1", "t-1", day, "F", "fund:equity"))
    await world.publish(cancelled("t-1", day, remaining))
    await world.close(day)
    await world.publish(assessed("c-1", "LOW", day + DAY))
    await world.close(day + DAY)
    assert [product for _, products in await drifts(world) for product in products] == found


async def test_a_cancelled_sale_is_held_again(world: World, desk: Desk) -> None:
    day = await begun(world)
    await world.publish(bought("c-1", "t-1", day, "F", "fund:equity"), bought("c-1", "t-0", day, "G", "fund:equity"))
    await world.publish(bought("c-1", "t-2", day, "F", "fund:equity", side="sell"))
    await world.close(day)
    await world.publish(cancelled("t-2", day + DAY))
    await world.close(day + DAY)
    assert await drifts(world) == [("trade_cancelled", ["F"])]


async def test_what_is_no_more_permitted_or_on_the_shelf_is_listed_of_who_holds_it(world: World, desk: Desk) -> None:
    """Ours, the library's, told ahead and late; of professional investors too. What is permitted again is nothing new."""
    day = await begun(world, opened("c-2"))
    on_shelf = [ProductStretch(since=day - DAY * 9, shelf="on_shelf", floor=None)]
    granted = [
        broker.PermissionGranted(client_id=f"c-{n}", permission="options", at=at(day - DAY * 3, 9)) for n in (1, 2)
    ]
    told = ProductChanged(product="E1", revision=1, changed_from=day - DAY * 9, stretches=on_shelf)
    await world.publish(assessed("c-1", "HIGH", day - DAY), told, *granted)
    await world.settle()
    await professional(desk, "c-2")
    await desk.keep("OFF", kind="stock")
    taken = broker.ProductPurchased(
        client_id="c-1", purchase_id="p", product_code="E1", amount=Amount("1"), at=at(day, 10)
    )
    options = [bought(f"c-{n}", f"o-{n}", day, "O", "option") for n in (1, 2)]
    await world.publish(*options, bought("c-1", "s", day, "OFF"), taken)
    await world.close(day)
    assert await drifts(world) == []
    suspended = [*on_shelf, ProductStretch(since=day + DAY * 3, shelf="suspended", floor=None)]
    await world.publish(
        broker.PermissionEnded(client_id="c-2", permission="options", at=at(day + DAY, 9)),
        ProductChanged(product="E1", revision=2, changed_from=day + DAY * 3, stretches=suspended[1:]),
    )
    await world.close(day + DAY)
    assert await drifts(world) == [("permission_ended", ["O"])]
    await world.publish(broker.PermissionGranted(client_id="c-2", permission="options", at=at(day + DAY * 2, 9)))
    await world.close(day + DAY * 2)
    await desk.keep("OFF", kind="stock", state="off_shelf")
    await desk.keep("OFF", kind="stock", state="suspended")  # it was off the shelf already
    await world.publish(broker.PermissionEnded(client_id="c-1", permission="options", at=at(day, 9)))
    await world.close(day + DAY * 3)
    listed = {(one["cause"], one["client_id"], one["product"]) for one in await desk.listed(HQ, "/drifts")}
    assert listed == {
        ("permission_ended", "c-2", "O"),
        ("permission_ended", "c-1", "O"),
        ("off_shelf", "c-1", "OFF"),
        ("off_shelf", "c-1", "E1"),
    }


async def test_explained_as_of_before_a_permission(world: World, desk: Desk) -> None:
    day = await begun(world)
    await world.publish(assessed("c-1", "HIGH", day - DAY))
    await world.settle()
    await desk.keep("OPTION", kind="option")
    await world.close(day + DAY * 5)
    granted = at(day + DAY * 4, 9)
    await world.publish(broker.PermissionGranted(client_id="c-1", permission="options", at=granted))
    await world.settle()
    for on, said in ((day, "permission_missing"), (day + DAY * 3, "permission_missing"), (day + DAY * 4, "suitable")):
        why = await desk.get(ME, f"/clients/c-1/products/OPTION/explain?as_of={on}")
        assert [reason["code"] for reason in why["reasons"]] == [said]


async def test_kind_shelf_and_issuers_class_are_dated(world: World, desk: Desk) -> None:
    day = await begun(world)
    await desk.keep("F", kind="stock")
    for number, change in enumerate(({"state": "suspended"}, {"issuer_class": "R5"}, {"kind": "fund:bond"}), 1):
        await world.close(day + DAY * (2 * number - 1))
        await desk.keep("F", **({"kind": "stock"} | change))
    said = {}
    for number in range(8):
        product = await desk.call(HQ, "GET", f"/products/F?as_of={day - DAY + DAY * number}")
        if product.status_code == 200:
            one = product.json()
            said[number - 1] = (one["kind"], one["state"], one["level_needed"])
    assert said == {
        0: ("stock", "on_shelf", "LOW"),
        1: ("stock", "on_shelf", "LOW"),
        2: ("stock", "suspended", "LOW"),
        3: ("stock", "suspended", "LOW"),
        4: ("stock", "on_shelf", "HIGH"),
        5: ("stock", "on_shelf", "HIGH"),
        6: ("fund:bond", "on_shelf", "LOW"),
    }
    why = await desk.get(ME, f"/clients/c-1/products/F/explain?as_of={day + DAY * 2}")
    assert [reason["code"] for reason in why["reasons"]] == ["off_shelf"]
    before = await desk.get(ME, f"/clients/c-1/products/F/explain?as_of={day - DAY}")
    assert [reason["code"] for reason in before["reasons"]] == ["unknown_product"]


async def test_a_large_branch_is_compared_with_the_others_and_does_not_read_it(world: World, desk: Desk) -> None:
    """Nearly all of the firm's sheets come from it."""
    await world.publish(*(opened(f"c-{n}") for n in range(20)), *(opened(f"d-{n}", branch="B2") for n in range(10)))
    day = await today(world) - DAY * 10
    await world.close(day - DAY)
    for number in range(20):
        await desk.post(MANAGER, f"/clients/c-{number}/submissions", sheet(HIGH, seconds=200))
    for number in range(10):
        await desk.submit(f"d-{number}", LOW, seconds=200)
    await world.close(day)
    [finding] = [f for f in await desk.listed(COMPLIANCE, "/findings") if f["pattern"] == "branch_pattern"]
    assert finding["subject"] == "branch/B1"
    assert finding["detail"] | {"by_chance": 0} == {
        "sheets": 20, "highest": 20, "others": 10, "others_highest": 0, "by_chance": 0,
    }  # fmt: skip
    assert finding["detail"]["by_chance"] < 0.001
    assert [f for f in await desk.listed(MANAGER, "/findings") if f["pattern"] == "branch_pattern"] == []


def test_the_strength_of_evidence_is_an_exact_test() -> None:
    assert chance(0, 5, 3, 5) == 1.0
    assert chance(2, 2, 0, 2) == pytest.approx(1 / 6, abs=1e-3)
    assert chance(20, 20, 0, 100) < chance(3, 20, 0, 100) < chance(1, 20, 1, 100)


async def test_annex_4_of_a_past_day_shows_that_day(world: World, desk: Desk) -> None:
    day = await begun(world)
    await world.publish(
        broker.ClientOpened(client_id="c-9", branch_id="B1", opened_on=day + DAY * 3),
        broker.AssetsValued(client_id="c-1", as_of=day, total_assets=Amount("10000")),
        broker.AssetsValued(client_id="c-1", as_of=day + DAY * 4, total_assets=Amount("50000")),
        bought("c-1", "t-1", day, "F", "stock"),
        bought("c-1", "t-2", day, "F", "stock"),
        cancelled("t-1", day + DAY),
    )
    await world.close(day + DAY * 5)

    async def shown(on: date) -> list[tuple[Any, ...]]:
        file = await desk.call(COMPLIANCE, "GET", f"/registers/annex-4.xlsx?on={on}")
        return [(row[0], row[4], row[5]) for row in rows_of(file.content)[3:]]

    assert await shown(day) == [("c-1", 1, 0.0002)]
    assert await shown(day + DAY * 2) == [("c-1", 1, 0.0001)]
    assert await shown(day + DAY * 5) == [("c-1", 5, 0.0001), ("c-9", None, None)]


async def test_the_daily_register_is_in_the_firms_scheme(world: World, desk: Desk) -> None:
    day = await begun(world)
    await world.publish(assessed("c-1", "C4", day, "C5R5"))
    await world.settle()
    file = await desk.call(COMPLIANCE, "GET", f"/registers/risk-levels.xlsx?on={day}")
    assert [(row[4], row[8]) for row in rows_of(file.content)[3:]] == [("中", "C4")]


async def test_what_was_off_the_shelf_or_not_permitted_is_a_mismatch_however_it_is_told(
    world: World, desk: Desk
) -> None:
    """A permission that was not there or had ended, a shelf that the library set back, each before and after its day closed; of
    a professional investor too. What was taken is judged by the minute."""
    day = await begun(world, opened("c-2"), opened("c-3"))
    stretches = [ProductStretch(since=day - DAY * 9, shelf="on_shelf", floor=None)]
    await world.publish(
        *(assessed(f"c-{n}", "HIGH", day - DAY) for n in (1, 2, 3)),
        broker.PermissionGranted(client_id="c-1", permission="options", at=at(day - DAY * 3, 9)),
        broker.PermissionGranted(client_id="c-3", permission="options", at=at(day - DAY * 3, 9)),
        *(
            ProductChanged(product=code, revision=1, changed_from=day - DAY * 9, stretches=stretches)
            for code in ("E1", "E2")
        ),
        at=at(day - DAY * 9, 9),
    )
    await world.settle()
    await desk.keep("OFF", kind="stock")
    await desk.keep("OFF", kind="stock", state="suspended")
    await professional(desk, "c-2")
    for n in range(4):
        await world.publish(
            *(bought(f"c-{who}", f"t-{who}-{n}", day + DAY * n, "O", "option") for who in (1, 2, 3)),
            bought("c-1", f"s-{n}", day + DAY * n, "OFF"),
            broker.ProductPurchased(
                client_id="c-1", purchase_id=str(n), product_code="E1", amount=Amount("1"), at=at(day + DAY * n, 10)
            ),
        )
        await world.close(day + DAY * n)

    async def found() -> dict[str, str]:
        listed = await desk.listed(HQ, "/mismatches")
        assert {one["confirmation"] for one in listed} == {None}
        return {one["trade_id"]: one["reason"] for one in listed}

    await world.publish(
        *(
            broker.ProductPurchased(
                client_id="c-2", purchase_id=str(hour), product_code="E2", amount=Amount("1"), at=at(day + DAY, hour)
            )
            for hour in (10, 14)
        )
    )
    off = {f"s-{n}": "off_shelf" for n in (1, 2, 3)}  # suspended on day 0, which its first state still covers
    never = {f"t-2-{n}": "permission_missing" for n in range(4)}
    assert await found() == off | never
    stretches = [
        ProductStretch(since=day + DAY * 2, shelf="suspended", floor=None),
        ProductStretch(since=day + DAY * 3, shelf="on_shelf", floor=None),
    ]
    await world.publish(
        broker.PermissionEnded(client_id="c-1", permission="options", at=at(day + DAY, 9)),
        broker.PermissionEnded(client_id="c-3", permission="options", at=at(day, 9)),
        broker.PermissionGranted(client_id="c-3", permission="options", at=at(day + DAY * 3, 9)),
        broker.PermissionGranted(client_id="c-2", permission="options", at=at(day + DAY * 2, 9)),
    )
    await world.publish(
        ProductChanged(product="E1", revision=2, changed_from=day + DAY * 2, stretches=stretches), at=at(day + DAY, 9)
    )
    noon = [ProductStretch(since=day + DAY, shelf="suspended", floor=None)]
    await world.publish(
        ProductChanged(product="E2", revision=2, changed_from=day + DAY, stretches=noon), at=at(day + DAY, 12)
    )
    await world.settle()
    late = dict.fromkeys(("t-1-2", "t-1-3", "t-3-1", "t-3-2", "t-2-0", "t-2-1"), "permission_missing")
    assert await found() == off | late | {"purchase:2": "off_shelf", "purchase:14": "off_shelf"}
    report = await desk.call(COMPLIANCE, "GET", f"/reports/self-check.xlsx?year={day.year}&half={1 + day.month // 7}")
    assert report.status_code == 200
    heads, total = rows_of(report.content)[2], rows_of(report.content)[-1]
    figures = {
        head: figure
        for head, figure in zip(heads, total, strict=True)
        if head.split()[0] in ("未上架产品成交", "无交易权限成交")
    }
    assert sum(figures.values()) == len(await found())
    for on, said in ((day, "permission_missing"), (day + DAY * 2, "permission_missing"), (day + DAY * 3, "suitable")):
        why = await desk.get(client("c-3"), f"/clients/c-3/products/O/explain?as_of={on}")
        assert [reason["code"] for reason in why["reasons"]] == [said]


async def test_every_table_says_what_becomes_of_it_and_an_erasure_does_just_that(world: World, desk: Desk) -> None:
    """Anything a proof rests on keeps its client, for 20 years from the last day it speaks of; what an erasure would remove and
    keep is listed before, and nothing else happens."""
    rows = await world.rows(
        "suitability",
        """SELECT c.relname AS name, bool_or(a.attname = 'client_id') AS of_clients FROM pg_class c
           JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relnamespace = 'suitability'::regnamespace AND c.relkind = 'r'
           GROUP BY 1""",
    )
    assert {row["name"] for row in rows} == set(retention.RETENTION)
    of_clients = {row["name"] for row in rows if row["of_clients"]}
    assert of_clients | {"act_steps", "audit", "dead_letters"} == set(retention.OF_CLIENTS)
    no_decision_rests_on = {"drafts", "openings", "due", "conflicts", "client_intervals", "client_objections"}
    assert {name for name in of_clients if not retention.RETENTION[name].last} == no_decision_rests_on

    day = await begun(world, opened("c-2"), opened("c-3"), opened("c-4"))
    bought_one = broker.ProductPurchased(
        client_id="c-3", purchase_id="p-1", product_code="P", amount=Amount("1"), at=at(day, 9)
    )
    granted = broker.PermissionGranted(client_id="c-4", permission="options", at=at(day, 9))
    await world.publish(bought_one, granted)
    await world.settle()
    await desk.post(client("c-2"), "/clients/c-2/life-changes", {"change": "income"})
    await professional(desk, "c-1")
    await desk.submit("c-1", HIGH)
    await world.settle()
    [review] = await desk.listed(MANAGER, "/reviews")
    await desk.post(MANAGER, f"/reviews/{review['review_id']}/decision", {"approve": True, "note": "n"}, 200)
    expected = {
        "c-1": ({"clients": 1}, {"professionals": 1, "professional_status": 1, "approvals": 1, "act_steps": 2, "reviews": 1,
                                 "submissions": 1, "assessments": 2}),
        "c-2": ({"clients": 1}, {"life_changes": 1}),
        "c-3": ({"clients": 1, "purchases": 1}, {}),
        "c-4": ({"clients": 1, "permissions": 1}, {}),
    }  # fmt: skip
    for name in expected:
        refused = await desk.call(COMPLIANCE, "DELETE", f"/clients/{name}/records")
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/account-open")
        assert (await desk.get(COMPLIANCE, f"/clients/{name}/records"))["account_open"]
    async with world.database("suitability").unit_of_work() as uow:
        assert {one.reason for one in (await retention.judge_erasure(uow, list(expected))).values()} == {"account open"}
    await world.publish(*(broker.ClientClosed(client_id=name, closed_on=day) for name in expected))
    await world.settle()
    for name, (removes, keeps) in expected.items():
        refused = await desk.call(COMPLIANCE, "DELETE", f"/clients/{name}/records")
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/retention-running")
        listed = await desk.get(COMPLIANCE, f"/clients/{name}/records")
        assert date.fromisoformat(listed["keep_until"]) >= day.replace(year=day.year + 20, day=1)
        assert {table: n for table, n in listed["removes"].items() if table != "due"} == removes
        assert {table: n for table, n in listed["keeps"].items() if table != "audit"} == keeps
    async with world.database("suitability").unit_of_work() as uow:
        await uow.sql.execute("UPDATE closed_days SET through = $1", day + timedelta(days=366 * 24))
    listed = await desk.get(COMPLIANCE, "/clients/c-1/records")
    assert (await desk.call(COMPLIANCE, "DELETE", "/clients/c-1/records")).status_code == 200
    async with world.database("suitability").unit_of_work() as uow:
        after = await retention.inventory(uow.sql, "c-1")
    assert after["removes"] == {}
    assert after["keeps"] == {**listed["keeps"], "audit": after["keeps"]["audit"]}


async def test_a_policy_that_asks_for_more_matches_every_holder_again(world: World, desk: Desk) -> None:
    day = await begun(world)
    await world.publish(bought("c-1", "t-1", day), bought("c-1", "t-2", day, "B1", "bond"))
    await world.close(day)
    kinds = (await desk.get(HQ, "/policies/suitability/in-force"))["body"]["kinds"]
    kinds["stock"]["needs"] = {"SEED-2010-12Q": "HIGH", "C5R5": "C4"}
    first = await in_scheme(world, desk, kinds=kinds)
    [drift] = await desk.listed(HQ, "/drifts")
    assert (drift["cause"], drift["product"], drift["needed"], drift["found_on"]) == (
        "class_raised", "S1", "HIGH", str(first),
    )  # fmt: skip


async def test_what_is_settled_is_judged_by_what_staff_had_entered_too(world: World, desk: Desk) -> None:
    """As a decision would have been: the issuer's class of two persons, in trades and in purchases of products."""
    day = await today(world)
    await world.publish(opened("c-1"), assessed("c-1", "MEDIUM", day - DAY * 60))
    await world.close(day - DAY)
    await desk.keep("F", kind="fund:equity", issuer_class="R5")
    assert (await desk.decide(ME, "c-1", "F"))["outcome"] == "CONFIRM"
    taken = broker.ProductPurchased(
        client_id="c-1", purchase_id="p-1", product_code="F", amount=Quantity("1000"), at=at(day, 10)
    )
    longest = broker.ProductPurchased(
        client_id="c-1", purchase_id="p" * 64, product_code="F", amount=Quantity("1000"), at=at(day, 10)
    )
    await world.publish(bought("c-1", "t-1", day, "F", "fund:equity"), taken, longest)
    await world.close(day)
    found = {one["trade_id"]: one["needed"] for one in await desk.listed(HQ, "/mismatches")}
    assert set(found.values()) == {"HIGH"}
    assert len(found) == 3
    assert {"purchase:p-1", "t-1"} < found.keys()
    assert max(map(len, found)) <= 64


async def test_what_was_taken_is_judged_by_the_kind_the_product_was_of_then(world: World, desk: Desk) -> None:
    """Another kind entered since changes nothing of what was taken before, whenever that is heard."""
    day = await begun(world)
    await desk.keep("F", kind="stock")
    await world.close(day + DAY)
    await desk.keep("F", kind="warrant")
    await world.publish(
        *(
            broker.ProductPurchased(
                client_id="c-1", purchase_id=f"p-{n}", product_code="F", amount=Quantity("1"), at=at(day + DAY * n, 10)
            )
            for n in (1, 3)
        )
    )
    await world.close(day + DAY * 3)
    found = {one["trade_id"]: (one["reason"], one["needed"]) for one in await desk.listed(HQ, "/mismatches")}
    assert found == {"purchase:p-3": ("above_level", "HIGH")}


async def test_a_confirmation_of_a_lower_class_explains_nothing(world: World, desk: Desk) -> None:
    day = await today(world)
    await world.publish(opened("c-1"), assessed("c-1", "LOW", day - DAY * 60))
    await world.close(day - DAY)
    await desk.keep("F", kind="fund:equity")
    decision = await desk.decide(ME, "c-1", "F")
    confirmed = {"warning_version": decision["warning"]["version"], "signature": "s-1"}
    await desk.post(ME, f"/decisions/{decision['decision_id']}/confirmation", confirmed)
    asked = await desk.post(
        HQ, "/products/F/classes", {"effective_on": str(day), "level": "HIGH", "reason": "risk"}, 202
    )
    await desk.approve(COMPLIANCE, asked)
    await world.publish(bought("c-1", "t-1", day, "F", "fund:equity", settled_at=at(day, 23)))
    await world.close(day)
    [found] = await desk.listed(HQ, "/mismatches")
    assert (found["needed"], found["confirmation"]) == ("HIGH", None)


@pytest.mark.parametrize("together", [False, True])
async def test_a_floor_of_the_library_counts_from_its_day_however_it_is_told(
    world: World, desk: Desk, together: bool
) -> None:
    day = await begun(world)
    taken = broker.ProductPurchased(
        client_id="c-1", purchase_id="p-1", product_code="E1", amount=Quantity("1000"), at=at(day, 10)
    )
    stretches = [
        ProductStretch(since=day, shelf="on_shelf", floor="LOW"),
        ProductStretch(since=day + DAY * 3, shelf="on_shelf", floor="HIGH"),
    ]
    if together:
        await world.publish(ProductChanged(product="E1", revision=1, changed_from=day, stretches=stretches), taken)
    else:
        first = ProductChanged(product="E1", revision=1, changed_from=day, stretches=stretches[:1])
        second = ProductChanged(product="E1", revision=2, changed_from=day + DAY * 3, stretches=stretches[1:])
        await world.publish(first, second, taken)
    for later in range(5):
        await world.close(day + DAY * later)
    found = [(one["product"], one["needed"], one["found_on"]) for one in await desk.listed(HQ, "/drifts")]
    assert found == [("E1", "HIGH", str(day + DAY * 3))]


async def test_open_work_and_records_go_with_a_client_to_another_branch(world: World, desk: Desk) -> None:
    """Who has the client decides; who had them sees nothing of it any more."""
    day = await begun(world)
    await desk.keep("FUND", kind="fund:equity")
    await world.publish(assessed("c-1", "VERY_LOW", day - DAY))
    await world.settle()
    await desk.submit("c-1", HIGH)
    [review] = await desk.listed(MANAGER, "/reviews")
    decision = await desk.decide(ME, "c-1", "FUND")
    body = {"professional_class": "B", "items": PROVEN}
    asked = await desk.post(DESK, "/clients/c-1/professional", body)
    await world.publish(broker.ClientUpdated(client_id="c-1", branch_id="B9"), at=at(day, 10))
    await world.settle()
    there = Actor("manager-9", Role.BRANCH_MANAGER, branch_id="B9", purpose="service")
    path, found = f"/reviews/{review['review_id']}", {"approve": True, "note": "asked the client"}
    for actor, status in ((MANAGER, 404), (there, 200)):
        seen = [
            (await desk.call(actor, "GET", path)).status_code,
            (await desk.call(actor, "GET", f"/decisions/{decision['decision_id']}")).status_code,
            (await desk.call(actor, "POST", f"{path}/decision", found)).status_code,
        ]
        assert seen == [status] * 3
    assert await world.value("suitability", "SELECT branch_id FROM approvals WHERE kind = 'professional'") == "B9"
    await desk.approve(COMPLIANCE, asked)
    ending = {"reason": "asked to be ordinary again"}
    for actor, status in ((MANAGER, 404), (there, 200)):
        ended = await desk.call(actor, "POST", f"/professionals/{asked['request_id']}/end", ending)
        assert ended.status_code == status, ended.text


@pytest.mark.parametrize("reviewed", [False, True])
async def test_answers_from_before_a_change_of_life_are_no_answer_to_it(
    world: World, desk: Desk, reviewed: bool
) -> None:
    """Whether they counted at once, or were approved only after it."""
    day, letters = await begun(world), HIGH if reviewed else MEDIUM  # of one who was LOW
    await desk.submit("c-1", letters)
    await desk.post(ME, "/clients/c-1/life-changes", {"change": "income"})
    if reviewed:
        [review] = await desk.listed(MANAGER, "/reviews")
        await desk.post(MANAGER, f"/reviews/{review['review_id']}/decision", {"approve": True, "note": "n"}, 200)
    assert (await desk.get(ME, "/clients/c-1/questionnaire"))["why"] == "life_change"
    due = await world.value("suitability", "SELECT due_on FROM life_changes")
    await world.publish(bought("c-1", "t-1", day))
    await world.close(due + DAY)
    decision = await desk.decide(ME, "c-1", "S1")
    assert (decision["outcome"], [one["code"] for one in decision["reasons"]]) == ("BLOCK", ["reassessment_overdue"])
    await desk.submit("c-1", letters)
    assert (await desk.get(ME, "/clients/c-1/questionnaire"))["why"] == "renewal"
    assert (await desk.decide(ME, "c-1", "S1"))["outcome"] == "PASS"
