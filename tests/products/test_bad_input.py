"""What makes no sense, line by line: which test holds each; and the tests of those lines that have no file of their own."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

from contracts.points import RedemptionCancelled
from tests.products.facts import close, get, hear, opened, told
from tests.products.test_subscriptions import NEXT, buy, gold, held, redemption, tier
from tests.world import World

LINES: Mapping[str, str] = {
    "X above 3 per mille": "test_fees_are_simulated_and_what_makes_no_sense_is_refused "
        "test_a_commission_above_three_per_mille_is_a_dead_letter",
    "rates with five decimals": "test_fees_are_simulated_and_what_makes_no_sense_is_refused",
    "a subscription on the day the account closes": "test_what_stands_against_it_is_shown_and_refused "
        "test_an_account_that_closes_takes_its_subscriptions_along",
    "two confirmations of one preview": "test_what_was_shown_is_repeated_or_refused",
    "a preview older than the price": "test_a_preview_older_than_x_or_than_the_shelf_is_refused",
    "the product withdrawn between": "test_a_preview_older_than_x_or_than_the_shelf_is_refused",
    "a downgrade and a purchase in one second": "test_two_purchases_in_one_second_end_as_one_after_the_other",
    "a month end on 29 February": "test_months_run_by_the_calendar "
        "test_what_begins_on_29_february_and_tiers_and_cancellations_nobody_can_use",
    "points refused after products confirmed": "test_what_begins_on_29_february_and_tiers_and_cancellations_nobody_can_use "
        "test_sms1_is_paid_by_points_once_however_often_it_is_asked_p5",
    "an unknown tier from the future": "test_what_begins_on_29_february_and_tiers_and_cancellations_nobody_can_use",
    "an override without end": "test_what_is_granted_by_hand_takes_two_persons_and_always_ends",
}  # fmt: skip


def test_every_line_has_its_test() -> None:
    sources = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    missing = [name for names in LINES.values() for name in names.split() if f"def {name}(" not in sources]
    assert missing == []


async def test_what_begins_on_29_february_and_tiers_and_cancellations_nobody_can_use(shop: World) -> None:
    await gold(shop)
    # What products confirmed is delivered, whatever comes afterwards, however often.
    await hear(shop, redemption("SMS2"))
    refused_late = redemption("SMS2", kind=RedemptionCancelled)
    await hear(shop, refused_late, refused_late)
    assert await held(shop) == {"SMS2": "active points"}
    assert await told(shop, "products.redemption.refused", "c-1") == []
    # A tier of a later version of the platform is for people to look at: the one before stays.
    await hear(shop, tier(2, (NEXT, "RUBY")), opened("c-2"))
    assert await shop.value("products", "SELECT count(*) FROM dead_letters") == 1
    tiers = {one["source"] for one in (await get(shop, "/clients/c-1/entitlements")).json()["items"]}
    assert "TIER:GOLD" in tiers
    assert (await get(shop, "/clients/c-2/entitlements")).status_code == 404, "another client's, heard all the same"
    # The month of 29 February ends on 29 March, that of 31 January on 29 February.
    leap = date(2024, 2, 29)
    await close(shop, date(2024, 2, 28))
    await buy(shop, "SMS3", leap)
    await close(shop, date(2024, 3, 29))
    lines = await shop.rows(
        "products", "SELECT month, begins, ends, fen FROM charges WHERE code = 'SMS3' ORDER BY begins"
    )
    assert [tuple(row.values()) for row in lines] == [
        ("2024-02", leap, date(2024, 3, 29), 1500), ("2024-03", date(2024, 3, 29), date(2024, 4, 29), 1500)
    ]  # fmt: skip
