"""What trades cost by rates told later: charged or credited by the month, whatever comes in which order [S1]."""

from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import at, utc_now
from chassis.timeline import Timeline, announce
from contracts.base import Quantity
from contracts.broker import Instrument, TradeSettled
from contracts.products import RateStretch
from services.messaging.messages import wrong_fields
from services.messaging.policy import Policies as Messages
from services.products.charge_rules import Applied, Turnover, difference
from services.products.clients import ClientRow
from services.products.entitlement_rules import Dated, InForce, Known, entitled
from services.products.policy import Policies, parse
from services.products.rules import PRICE_TEXT_LONGEST, price_text
from services.products.situations import Situation, obstacles
from services.products.tables import SubscriptionRow
from services.products.told import on
from tests.classification.facts import cancelled
from tests.products.facts import AGENT, CHECKER, DAY, DESK, OPENED, agreed, close, get, hear, opened, post, told
from tests.products.test_charges import statement
from tests.products.test_subscriptions import NEXT, buy, gold
from tests.world import World

Templates = Messages.tables["templates"]
SHIPPED = Policies.tables["catalogue"].shipped[0]


def trade(name: str, day: date, amount: str = "100000", **others: Any) -> TradeSettled:
    return TradeSettled(
        trade_id=name, client_id="c-1", account_id=others.pop("account", "a-1"), branch_id="B1", trade_date=day,
        settled_at=at(day, 15), instrument=Instrument(symbol="600519", kind=others.pop("kind", "stock")), side="buy",
        quantity=Quantity("100"), amount=Quantity(amount), commission=Quantity("100"), currency=others.pop("currency", "CNY"),
    )  # fmt: skip


def days(count: int) -> date:
    return NEXT + timedelta(days=count)


async def begun(world: World) -> None:
    """A client of GOLD whose commission was told, and applied, before the first of February."""
    await close(world, DAY - timedelta(days=1))
    await gold(world)


async def differences(world: World, month: str = "2024-02") -> list[str]:
    return [one["amount"] for one in (await statement(world, month))["items"] if one["kind"] == "rate_difference"]


async def test_a_product_of_today_is_charged_for_today_and_what_is_withdrawn_is_returned(shop: World) -> None:
    await begun(shop)
    made = await buy(shop, "A")  # signed on 1 February: 1.5 instead of 0.5, applied from the 2nd on
    await hear(
        shop,
        trade("t-1", NEXT),
        trade("t-2", NEXT, kind="bond"),
        trade("t-3", NEXT, currency="HKD"),
        trade("t-1", NEXT),
    )
    await close(shop, NEXT)
    assert await differences(shop) == ["100.00"], "1 per mille of 100,000; bonds and B-shares are not of the rate"
    await hear(shop, trade("t-4", days(1), "50000"))
    await close(shop, days(1))
    assert await differences(shop) == ["100.00"], "what is applied already makes no difference"
    done = await post(shop, f"/subscriptions/{made['subscription_id']}/withdraw", {"reason": "thought it over"})
    assert done.status_code == 200, done.text
    await close(shop, days(4))
    assert await differences(shop) == ["100.00", "-150.00"], "the uplift of both days is returned"
    await close(shop, days(5))
    assert await differences(shop) == ["100.00", "-150.00"]
    said = [one for one in await told(shop, "products.charge.posted", "c-1") if one["kind"] == "rate_difference"]
    assert [(one["month"], one["amount"]) for one in said] == [("2024-02", "100.00"), ("2024-02", "-150.00")]


async def test_an_agreement_heard_late_counts_from_its_day_for_its_account(shop: World) -> None:
    await begun(shop)
    await close(shop, NEXT)
    await hear(
        shop, trade("t-1", days(1)), trade("t-2", days(1), account="a-2"), cancelled("t-3", "25", days(2), "c-1")
    )
    await close(shop, days(1))
    await close(shop, days(2))
    assert await differences(shop) == []
    await hear(shop, agreed("0.8", days(1), "x-9", account_id="a-2"), at=at(days(3), 9))
    await close(shop, days(3))
    assert await differences(shop) == ["30.00"], "0.3 per mille more on that account alone"
    await hear(shop, trade("t-3", days(1), "40000", account="a-2"))  # late, and three quarters of it cancelled before
    await close(shop, days(4))
    assert await differences(shop) == ["30.00", "3.00"], "a quarter of it, by the rate that counts now"
    await hear(shop, cancelled("t-2", "50", days(5), "c-1"))
    await close(shop, days(5))
    assert await differences(shop) == ["30.00", "3.00", "-15.00"], "half of t-2 remains"


Rates = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 30)), min_size=1, max_size=5
)  # changed from, told on, rate


@given(Rates, st.lists(st.tuples(st.integers(0, 25), st.integers(1, 10**6)), max_size=8))
def test_what_differs_is_by_day_what_counts_now_less_what_was_applied(
    changes: list[tuple[int, int, int]], trades: list[tuple[int, int]]
) -> None:
    told_, clock = [], 0
    for begins, later, rate in changes:
        clock += later
        told_.append((begins, max(begins, clock + 1), Decimal(rate) / 10))
    applied = [
        Applied(
            days(begins), days(applies),
            [RateStretch(since=days(begins), rate=Quantity(str(rate)), x=Quantity(str(rate)))],
        )
        for begins, applies, rate in told_
    ]  # fmt: skip
    turnovers = [Turnover("a-1", days(day), Decimal(amount)) for day, amount in trades]
    expected = Decimal(0)
    for day, amount in trades:
        last = max((n for n, (_, applies, _) in enumerate(told_, 1) if applies <= day), default=0)
        was = [rate for begins, _, rate in told_[:last] if begins <= day]
        now = [rate for begins, _, rate in told_ if begins <= day]
        if was:
            expected += amount * (now[-1] - was[-1]) / 1000
    assert difference(turnovers, applied) == expected


def body(**changes: Any) -> dict[str, Any]:
    return deepcopy(dict(SHIPPED.written)) | changes


def with_product(code: str, **changes: Any) -> list[Any]:
    return [one | changes if one["code"] == code else one for one in SHIPPED.written["products"]]


@pytest.mark.parametrize(("code", "against"), [("A+", []), ("B", ["not-open-to-class"]), (None, ["not-open-to-class"])])
def test_a_product_is_open_to_its_classes(code: str | None, against: list[str]) -> None:
    product = parse(body(products=with_product("FREE", classes=["A+", "A"]))).products["FREE"]
    found = obstacles(product, "on_shelf", Situation(ClientRow("c-1", "B1", OPENED, None), code=code), NEXT)
    assert [one.name() for one in found] == against


def test_what_a_product_asks_for_is_that_of_each_day() -> None:
    stricter = replace(
        SHIPPED, effective_on=days(10), body=parse(body(products=with_product("E", floor="HIGH"))), name="catalogue/1"
    )
    known = Known(OPENED, products=[Dated("E", OPENED, None)], levels=[Dated("LOW", OPENED, None)])
    services = Policies().services.all
    stretches = [one for one in entitled(known, InForce.of(services, [SHIPPED, stricter])) if one.code == "BOND_INFO"]
    assert [bool(on(stretches, days(count))) for count in (0, 9, 10)] == [True, True, False]


async def publication(world: World, day: date, key: str, **changes: Any) -> httpx.Response:
    """What the second person is answered, who publishes the newest draft."""
    async with world.client("products", DESK, idempotency_key=key) as http:
        draft = {"effective_on": str(day), "body": body(**changes), "reason": "another price"}
        made = await http.post("/v1/products/policies/catalogue", json=draft)
        assert made.status_code == 201, made.text
    waiting = (await get(world, "/approvals", CHECKER)).json()["items"][-1]
    return await post(world, f"/approvals/{waiting['approval_id']}/approve", {"because": "so"}, CHECKER)


async def published(world: World, day: date, **changes: Any) -> None:
    done = await publication(world, day, "p-1", **changes)
    assert done.status_code == 200, done.text


DEARER = [row | {"add": "1.2"} if row["product"] == "A" else row for row in SHIPPED.written["rates"]]


async def test_other_prices_are_told_before_their_day_and_a_lower_ceiling_is_reported(shop: World) -> None:
    await gold(shop)
    await hear(shop, opened("c-2"), agreed("2.9", agreement="x-2", client="c-2"), at=at(NEXT, 8))
    await buy(shop, "A")
    start = date(2024, 2, 6)
    lower = [row | {"cap": str(min(Decimal(row["cap"]), Decimal("2.8")))} for row in DEARER]
    await published(shop, start, rates=lower, holders_from=str(start), ceiling="2.8")
    await close(shop, NEXT)
    await close(shop, date(2024, 2, 4))
    await close(shop, start)
    changes = [one for one in await told(shop, "products.fee_rate.changed") if one["changed_from"] == str(start)]
    assert sorted((one["client_id"], one["apply_from"], one["stretches"][0]["rate"]) for one in changes) == [
        ("c-1", str(start), "1.7"), ("c-2", str(start), "2.9"),
    ], "once each, applied from its first day on"  # fmt: skip
    for day, found in ((start, ["c-2"]), (NEXT, [])):
        answer = await get(shop, "/reports/over-ceiling", DESK, on=str(day))
        assert [one["client_id"] for one in answer.json()["items"]] == found, answer.text
    assert (await get(shop, "/reports/over-ceiling", AGENT)).status_code == 403


async def signed(world: World, client: str, day: date) -> None:
    """Another client signs on a day for what c-1 has: a real home's now is none of the days of a test."""
    async with world.database("products").unit_of_work() as uow:
        names = [
            name
            for name in SubscriptionRow.__struct_fields__
            if name not in ("subscription_id", "client_id", "signed_on")
        ]
        await uow.sql.execute(
            f"""INSERT INTO subscriptions (subscription_id, client_id, signed_on, {", ".join(names)})
                SELECT gen_random_uuid(), $1, $2, {", ".join(names)} FROM subscriptions WHERE client_id = 'c-1' AND code = 'A'""",
            client,
            day,
        )


async def test_who_signed_before_is_told_of_both_prices_ahead_and_once_also_who_signs_meanwhile(shop: World) -> None:
    """Who holds what costs the same then, and a home that replays its past, are not."""
    for client in ("c-2", "c-3", "c-1"):
        await gold(shop, client)
    await buy(shop, "A")
    ahead = date(2024, 3, 1)
    await published(shop, date(2024, 2, 6), rates=DEARER, holders_from=str(ahead))
    await close(shop, NEXT)
    assert await told(shop, "products.message.requested") == []
    async with shop.database("gateway").unit_of_work() as uow:
        announce(uow, Timeline.REAL, utc_now())
    await shop.settle()
    await close(shop, date(2024, 2, 4))
    prices = {"before": "X+1.0‰ (≤2.0‰)", "after": "X+1.2‰ (≤2.0‰)"}
    said = [{"product": "A", "on": str(ahead)} | prices]
    assert [
        (one["client_id"], one["kind"], one["fields"]) for one in await told(shop, "products.message.requested")
    ] == [("c-1", "new_price", said[0])]
    assert await shop.value("products", "SELECT told_on FROM price_notices") == NEXT + timedelta(days=1)
    await signed(shop, "c-2", date(2024, 2, 5))  # between the first telling and the day the version begins
    await close(shop, date(2024, 2, 5))
    await signed(shop, "c-3", date(2024, 2, 6))  # at the new price already
    await close(shop, date(2024, 2, 8))
    asked = await told(shop, "products.message.requested")
    assert {one["client_id"]: one["fields"] for one in asked} == {"c-1": said[0], "c-2": said[0]}
    assert len(asked) == 2, "once each"
    for one in asked:
        assert wrong_fields(Templates.shipped[0].body.kinds[one["kind"]], one["fields"]) == []


@pytest.mark.parametrize(
    ("code", "said"),
    [("A", "X+1.0‰ (≤2.0‰)"), ("C", "3.0‰"), ("SMS1", "¥30.00"), ("D", "1.5/1.2/0.8%"), ("FREE", "¥0.00")],
)
def test_a_price_is_said_in_a_few_signs_in_either_language(code: str, said: str) -> None:
    prices = Policies().catalogue.all[0].body.prices
    assert price_text(prices, code) == said
    rows = [replace(prices.rates["A"][0], add=n * 1000) for n in range(9)]
    assert len("; ".join(f"X+{n}.0‰ (≤2.0‰)" for n in range(9))) > PRICE_TEXT_LONGEST
    assert price_text(replace(prices, rates={"A": rows}), "A") is None, "it is not told half"


async def test_a_version_is_tried_on_everybody_before_it_is_published_and_more_never_costs_less(shop: World) -> None:
    """A holder keeps the price of before: B for less than that is refused with who it is, unless it counts for holders too."""
    await gold(shop)
    await hear(shop, opened("c-2"), agreed("2.9", agreement="x-2", client="c-2"), at=at(NEXT, 8))
    await buy(shop, "A")
    await buy(shop, "E")
    await close(shop, NEXT)
    add = {"A": "0.3", "B": "0.8"}
    cheaper = [row | {"add": add.get(row["product"], row["add"])} for row in SHIPPED.written["rates"]]
    start = date(2024, 2, 6)
    refused = await publication(shop, start, "p-1", rates=cheaper)
    assert refused.status_code == 422, refused.text
    [error] = refused.json()["errors"]
    assert error["detail"].startswith("X = 0.5: 2.0 with A at the price of 1990-01-01, but only 1.8 with B"), error
    assert "c-1" in refused.json()["detail"]
    assert (await publication(shop, start, "p-2", rates=cheaper, holders_from=str(start))).status_code == 200
    [proved] = await shop.rows("products", "SELECT inputs FROM audit WHERE action = 'policy.proved'")
    assert {name: proved["inputs"][name] for name in ("clients", "no_uplift", "over_ceiling")} == {
        "clients": 2, "no_uplift": 0, "over_ceiling": 0
    }  # fmt: skip


async def test_days_close_also_where_the_calendar_ends(shop: World) -> None:
    before_it = date(2008, 12, 1)
    await hear(shop, opened(), agreed("0.7", before_it, "x-7"), at=at(before_it, 8))
    await close(shop, before_it)
    assert await shop.value("products", "SELECT through FROM closed_days") == before_it


async def test_a_draft_is_tried_on_every_client(shop: World) -> None:
    await gold(shop)
    await hear(shop, opened("c-2"), agreed("2.0", agreement="x-2", client="c-2"), at=at(NEXT, 8))
    await buy(shop, "A")
    await close(shop, NEXT)
    for given_, moves in (
        ({}, []),
        ({"rates": DEARER, "holders_from": str(NEXT)}, [("rate", "1.5", "1.7", 1)]),
        ({"rates": DEARER}, []),  # who signed before keeps the price
    ):
        run = await post(shop, "/policies/catalogue/shadow", {"body": body(**given_)}, DESK)
        assert run.status_code == 200, run.text
        found = [(one["aspect"], one["from"], one["to"], one["clients"]) for one in run.json()["moves"]]
        assert found == moves, given_
        assert run.json()["evaluated"] == 2
