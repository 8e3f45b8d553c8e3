"""The fairness guard, and unsubscribing by SMS."""

from datetime import date
from decimal import Decimal
from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import at
from contracts.messaging import ReplyReceived
from services.products import rules
from services.products.fairness import choices
from services.products.policy import Policies
from tests.products.facts import AGENT, DESK, agreed, close, get, hear, opened, post
from tests.products.test_subscriptions import NEXT, buy, gold, held, problem
from tests.world import World

BOOK = Policies()
CATALOGUE, SERVICES = BOOK.catalogue.all[0].body, BOOK.services.all[0].body
SHELF = [code for code in CATALOGUE.products if code not in ("D", "FREE")]
GIVEN = {code: set(SERVICES.gives.get(("PRODUCT", code), ())) for code in SHELF}
OFFERED = sorted(set().union(*GIVEN.values()) - {"VIP_TRADING"})


@given(
    st.integers(0, rules.LEGAL_CEILING), st.integers(0, 10_000_000),
    st.lists(st.sampled_from(OFFERED), min_size=1, max_size=4, unique=True),
)  # fmt: skip
def test_no_set_of_the_shelf_gives_the_same_for_less(x: int, turnover: int, wanted: list[str]) -> None:
    """Every set of products, those too that pay twice, beside the one that was found."""
    first = choices(CATALOGUE, SERVICES, SHELF, x, Decimal(turnover), wanted)[0]
    prices = dict.fromkeys(CATALOGUE.products, CATALOGUE.prices)
    for count in range(len(SHELF) + 1):
        for codes in combinations(SHELF, count):
            own = rules.kept([CATALOGUE.products[code] for code in codes])
            have = {service for one in own for code in (one.code, *one.includes) for service in GIVEN[code]}
            if set(wanted) <= have:
                rate = rules.rate(x, own, prices, rules.LEGAL_CEILING)
                monthly = sum(
                    (rules.price_of(CATALOGUE.prices.monthly.get(code, ())) for code in codes), start=Decimal(0)
                )
                assert first.total <= rules.cents(monthly + Decimal(turnover) * (rate - x) * rules.UNIT / 1000)


async def test_the_cheapest_set_is_found_with_what_it_was_compared_with(shop: World) -> None:
    await gold(shop)
    body: dict[str, Any] = {"services": ["SMS1", "SMS3"], "turnover": "10000"}
    few = (await post(shop, "/clients/c-1/cheapest", body)).json()
    assert few["cheapest"] == {"products": ["E"], "rate": "1.0", "monthly": "0.00", "total": "5.00"}
    many = (await post(shop, "/clients/c-1/cheapest", body | {"turnover": "1000000"})).json()
    assert many["cheapest"] == {"products": ["SMS1", "SMS3"], "rate": "0.5", "monthly": "45.00", "total": "45.00"}
    totals = [Decimal(one["total"]) for one in many["others"]]
    assert totals == sorted(totals)
    assert totals[0] >= Decimal(45)
    assert (
        await problem(await post(shop, "/clients/c-1/cheapest", body | {"services": ["VIP_TRADING", "LEVEL2"]}))
        == "no-set-gives-all"
    )
    wrong = await post(shop, "/clients/c-1/cheapest", body | {"services": ["SMS1", "QUOTES"]})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/services/1")


async def test_who_pays_no_more_for_products_is_reported(shop: World) -> None:
    await gold(shop)
    await hear(shop, opened("c-2", "B2"), agreed("2.5", agreement="x-9"), at=at(NEXT, 8))
    await buy(shop, "A")
    found = await get(shop, "/reports/no-uplift", DESK)
    assert found.json()["items"] == [{"client_id": "c-1", "branch_id": "B1", "rate": "2.5", "x": "2.5"}]
    assert (await get(shop, "/reports/no-uplift", DESK, on="2024-01-31")).json()["items"] == []
    assert (await get(shop, "/reports/no-uplift", AGENT)).status_code == 403


def reply(command: str, name: str, client: str | None = "c-1", on: date = NEXT) -> ReplyReceived:
    return ReplyReceived(
        inbound_id=name, client_id=client, number=None if client else "n-1", command=command, at=at(on, 12)
    )


async def test_a_reply_ends_the_sms_product_of_its_number(shop: World) -> None:
    await gold(shop)
    await buy(shop, "SMS2")
    await buy(shop, "SMS3")
    await hear(shop, reply("T2", "in-1"), reply("T2", "in-1"), reply("T1", "in-2"), reply("STOP", "in-3"),
               reply("T3", "in-4", None))  # fmt: skip
    assert await held(shop) == {"SMS2": "ending fee", "SMS3": "active fee"}
    await close(shop, date(2024, 2, 29))
    assert await held(shop) == {"SMS3": "active fee"}


async def test_what_came_free_ends_at_once_by_a_reply(shop: World) -> None:
    await gold(shop)
    await buy(shop, "A")
    await hear(shop, reply("T1", "in-1"))
    assert await held(shop) == {"A": "active fee", "SMS2": "included bundle", "SMS3": "included bundle"}
