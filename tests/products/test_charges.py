"""Charges: by the month, by the day, credits; sums tie out, nothing is posted twice."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from careline.export import EXPORTS
from chassis.clock import at
from contracts.base import Quantity
from contracts.broker import AgreementSigned, EntrustedValued, PaymentRecorded
from services.products import rules
from services.products.charge_rules import Valued, asset_fee, entrusted_on, fen, months_between
from services.products.policy import Policies
from tests.products.facts import DAY, OPENED, close, get, hear, post, told
from tests.products.test_entitlements import codes
from tests.products.test_subscriptions import NEXT, buy, gold
from tests.world import World

BANDS = Policies().catalogue.all[0].body.prices.bands["D"]


def day_after(days: int) -> date:
    return NEXT + timedelta(days=days)


async def statement(world: World, month: str) -> dict[str, Any]:
    answer = await get(world, "/clients/c-1/charges", month=month)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert Decimal(found["total"]) == sum(Decimal(one["amount"]) for one in found["items"])
    return found


async def test_a_month_is_charged_when_it_begins_and_once(shop: World) -> None:
    await gold(shop)
    made = await buy(shop, "SMS3")
    await close(shop, NEXT)
    await close(shop, date(2024, 3, 31))
    february, march = await statement(shop, "2024-02"), await statement(shop, "2024-03")
    assert [(one["kind"], one["code"], one["amount"], one["begins"]) for one in february["items"]] == [
        ("subscription", "SMS3", "15.00", "2024-02-01")
    ]
    assert [(one["begins"], one["until"]) for one in march["items"]] == [("2024-03-01", "2024-04-01")]
    await post(shop, f"/subscriptions/{made['subscription_id']}/end", {"reason": "enough"})  # with the month of April
    await close(shop, date(2024, 6, 1))
    assert (await statement(shop, "2024-04"))["total"] == "15.00"
    assert (await statement(shop, "2024-05"))["items"] == []
    said = await told(shop, "products.charge.posted", "c-1")
    assert [(one["month"], one["kind"], one["amount"]) for one in said] == [
        (month, "subscription", "15.00") for month in ("2024-02", "2024-03", "2024-04")
    ]
    assert len({one["charge_id"] for one in said}) == 3


async def test_unused_days_are_credited_when_it_comes_free_as_the_preview_said_s4(shop: World) -> None:
    await gold(shop)
    await buy(shop, "SMS3")
    await close(shop, date(2024, 2, 10))
    await buy(shop, "A", date(2024, 2, 11))
    await close(shop, date(2024, 3, 5))
    found = await statement(shop, "2024-02")
    assert [(one["kind"], one["amount"]) for one in found["items"]] == [
        ("subscription", "15.00"),
        ("day_credit", "-9.83"),
    ]
    assert found["items"][1]["original"] == found["items"][0]["charge_id"]
    assert (await statement(shop, "2024-03"))["items"] == []


async def test_what_is_withdrawn_is_credited_in_full(shop: World) -> None:
    await gold(shop)
    made = await buy(shop, "SMS1")
    await close(shop, NEXT)
    done = await post(shop, f"/subscriptions/{made['subscription_id']}/withdraw", {"reason": "thought it over"})
    assert done.status_code == 200, done.text
    await close(shop, day_after(5))
    assert (await statement(shop, "2024-02"))["total"] == "0.00"


def valued(value: str, on: date, agreement: str = "ag-d") -> EntrustedValued:
    return EntrustedValued(client_id="c-1", agreement_id=agreement, as_of=on, value=Quantity(value))


async def with_d(world: World) -> None:
    """D is on the shelf by a licence, and held from 1 February on."""
    await gold(world)
    await hear(world, AgreementSigned(client_id="c-1", agreement_id="ag-d", kind="entrustment", ref="doc-9", on=OPENED))
    async with world.database("products").unit_of_work() as uow:
        await uow.sql.execute("INSERT INTO product_states VALUES ('D', $1, 9, 'on_shelf', now())", DAY)
    await buy(world, "D")


async def test_the_fee_on_assets_is_charged_by_day_and_late_valuations_by_difference_s3(shop: World) -> None:
    await with_d(shop)
    await hear(shop, valued("1000000", DAY), valued("2000000", day_after(2)))
    await close(shop, day_after(2))
    found = (await statement(shop, "2024-02"))["items"]
    assert [(one["kind"], one["amount"]) for one in found] == [
        ("asset_fee", "41.10"), ("asset_fee", "41.09"), ("asset_fee", "73.97")
    ]  # fmt: skip
    assert (await statement(shop, "2024-02"))["total"] == "156.16", "41.0958... twice and 73.9726..., rounded once"
    await close(shop, date(2024, 3, 1))
    before = Decimal((await statement(shop, "2024-02"))["total"])
    await hear(shop, valued("1500000", day_after(2)), at=at(date(2024, 3, 2), 9))
    after = Decimal((await statement(shop, "2024-02"))["total"])
    by_now = [Valued("ag-d", DAY, Decimal(1_000_000)), Valued("ag-d", day_after(2), Decimal(1_500_000))]
    assert int(after * 100) == asset_fee(by_now, BANDS, NEXT, date(2024, 2, 29))
    assert after < before
    await close(shop, date(2024, 3, 2))
    assert Decimal((await statement(shop, "2024-02"))["total"]) == after, "posted once"
    exported = await rows_of(shop, "charges", date(2024, 2, 5))
    assert sum(Decimal(row[4]) for row in exported) == after


async def rows_of(world: World, name: str, day: date | None) -> list[tuple[str, ...]]:
    return [row async for row in EXPORTS[name].rows(world.platform, day)]


async def test_what_is_not_paid_is_kept_back_until_it_is(shop: World) -> None:
    await gold(shop)
    await buy(shop, "SMS2")
    await close(shop, NEXT)
    [line] = (await statement(shop, "2024-02"))["items"]
    payment: dict[str, Any] = {"client_id": "c-1", "charge_id": UUID(line["charge_id"])}
    await hear(shop, PaymentRecorded(**payment, state="failed", at=at(day_after(3), 9)))
    assert "SMS2" in await codes(shop, as_of=str(day_after(2)))
    assert "SMS2" not in await codes(shop, as_of=str(day_after(4)))
    await hear(shop, PaymentRecorded(**payment, state="paid", at=at(day_after(6), 9)))
    assert "SMS2" not in await codes(shop, as_of=str(day_after(5)))
    assert "SMS2" in await codes(shop, as_of=str(day_after(6)))
    have = await rows_of(shop, "entitlements", day_after(5))
    assert ("c-1", "QUOTES") in {row[:2] for row in have}
    assert ("c-1", "SMS2") not in {row[:2] for row in have}
    assert [row[:2] for row in await rows_of(shop, "subscriptions", None)] == [("c-1", "SMS2")]


@given(
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 10_000_000)), max_size=6),
    st.integers(0, 90),
    st.integers(0, 90),
)
def test_days_add_up_to_their_month(said: list[tuple[int, int]], first: int, length: int) -> None:
    """Posted day by day, each day what its month costs by then less what was posted, the sum is the month's."""
    known = [Valued("a", NEXT + timedelta(days=day), Decimal(value)) for day, value in said]
    for begins, ends in months_between(day_after(first), day_after(first + length)):
        posted, day = 0, begins
        while day <= ends:
            step = asset_fee(known, BANDS, begins, day) - posted
            exact = rules.year_fee(entrusted_on(known, day), BANDS) / 365 * 100
            assert abs(step - exact) <= 1
            posted += step
            day += timedelta(days=1)
        assert posted == asset_fee(known, BANDS, begins, ends)


def test_fen_are_rounded_half_up() -> None:
    assert [fen(Decimal(one)) for one in ("0.005", "0.0049", "-0.005", "12.345")] == [1, 0, -1, 1235]
