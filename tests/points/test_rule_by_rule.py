"""Rule 4.7a sentence by sentence: which test holds each; and the tests of those sentences that have no file of their own."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from chassis.actor import Actor, Role
from chassis.clock import end_of
from chassis.policy import PolicyInvalid
from contracts.broker import BrokerDayClosed, ClientOpened
from contracts.classification import TIERS, DayCompleted
from contracts.complaints import SuggestionAdopted
from contracts.products import RedemptionRefused
from services.points import exports, redemptions
from services.points.app import service as points
from services.points.fold import ClawBack, Hold, Item, fold
from services.points.fold import Settlement as Ended
from services.points.policy import Policies, parse_rewards
from tests.points.facts import DAY, balance, close, spend, tier, trade
from tests.points.test_fold import gain, noon, state
from tests.points.test_redemptions import MANAGER, OWN, apply, points_of, redeem, rich
from tests.world import World

SENTENCES: Mapping[str, str] = {
    "the ledger is a fold: any order gives the same balances, lots and debt by value date":
        "test_points_are_a_function_of_the_facts test_the_ledger_equals_the_reference_in_any_order "
        "test_it_equals_the_reference_as_of_every_date_in_any_order",
    "each entry carries value_on and posted_on": "test_a_late_gain_expires_the_same_way",
    "posted_on is never in a frozen month": "test_a_closed_month_is_frozen_and_the_same_to_the_byte",
    "a late fact folds again and posts target less posted": "test_a_late_lot_that_ends_first_is_what_the_spend_took",
    "an accepted act stands; what it lacks becomes debt": "test_what_an_accepted_negative_adjustment_lacks_is_owed",
    "the close and the export go by posted_on": "test_points_and_balances_as_of_a_date test_a_month_rolls_forward_and_ties_out",
    "the fast path stays": "test_holds_and_adjustments_taken_of_lots_as_they_are_are_those_of_the_fold",
    "a lot expires at the end of the month 24 months on": "test_a_lot_expires_24_months_on_at_the_end_of_the_month_p6",
    "what remains and is not held expires at the close, as of its end":
        "test_what_is_left_expires_at_the_close_of_the_month_24_months_on test_of_a_lot_partly_spent_the_rest_expires",
    "late gains expire the same way": "test_a_late_gain_expires_the_same_way",
    "an act uses lots that end on its day or later, closed or not":
        "test_an_act_uses_lots_of_its_own_day_though_the_days_before_are_not_closed "
        "test_points_whose_end_is_over_are_no_points_that_can_be_used_whether_it_is_closed_or_not",
    "spending order": "test_a_reversal_beyond_its_own_lot_takes_the_earliest_to_expire_p6",
    "a hold takes lots in that order and keeps them": "test_holds_and_adjustments_taken_of_lots_as_they_are_are_those_of_the_fold",
    "a release repays debt first": "test_a_release_repays_debt_first",
    "refused or void: one extension of 30 days; withdrawn: expired":
        "test_a_release_after_the_end_gives_thirty_days_unless_the_client_withdrew",
    "extended already: expired at the release": "test_an_extension_is_given_once",
    "held and released tell 0 points and are not exported": "test_held_and_released_tell_nothing_and_are_not_exported",
    "a claw-back takes its own lot, then what of it expired": "test_points_nobody_used_leave_no_debt "
        "test_a_cancellation_after_the_end_takes_back_the_expiry_and_leaves_no_debt_p7",
    "then other lots as of its value date": "test_l1_spent_l2_taken_100_left_whenever_the_cancellation_is_heard",
    "then debt; held points are not touched, spent ones not taken back": "test_held_points_are_not_clawed_back_and_spent_ones_are_owed",
    "the next gains repay debt first": "test_what_is_owed_is_repaid_by_the_next_accruals_first_p7 test_debt_is_repaid_by_a_bonus_first_p7",
    "loyalty: on each anniversary, once": "test_each_full_year_of_account_earns_200_on_its_day_p3",
    "29 February": "test_29_february_is_celebrated_on_the_28th_p3",
    "open and not LOST on the day, whenever heard":
        "test_it_is_for_accounts_open_and_not_lost_on_the_day_whenever_that_is_heard_p3",
    "points waits for classification's day": "test_an_anniversary_waits_for_classifications_day_p3",
    "anniversaries before the first closed day give nothing": "test_anniversaries_before_the_first_closed_day_give_nothing_p3",
    "late openings: the difference, as of the day": "test_a_late_opening_earns_what_it_would_have_p3",
    "referral: on the first trade, once": "test_the_first_trade_of_who_was_referred_earns_500_once_p3",
    "not fully cancelled": "test_a_first_trade_cancelled_in_full_counts_for_nothing_p3",
    "both accounts open": "test_nobody_refers_themself_or_anybody_while_closed_p3",
    "no phone, id number or address in common, as in force on the day": "test_nothing_within_a_household_p3",
    "taken back where closed within 30 days": "test_an_account_closed_within_30_days_takes_it_back_p3",
    "off from 2023-02-28; on again with compliance's opinion":
        "test_the_policy_of_2023_rewards_no_soliciting_p3 test_rewarding_referrals_takes_the_opinion_of_compliance_p3",
    "suggestion: when complaints says so, once": "test_an_adopted_suggestion_earns_300_once_c12",
    "suggestion: or by two persons":
        "test_two_persons_reward_a_suggestion_and_what_complaints_says_of_it_adds_nothing_p3",
    "no multiplier on bonuses": "test_no_multiplier_counts_for_a_bonus_p2",
    "upgrade: the next tier only": "test_only_the_next_tier_can_be_applied_for",
    "held, approved, told, granted for 12 months": "test_the_next_tier_is_applied_for_held_and_granted_for_twelve_months_p4",
    "a second person by policy": "test_an_approval_takes_a_second_person_where_the_policy_says_so_p4",
    "refused, withdrawn, or void after 30 days": "test_refused_withdrawn_or_void_the_points_return_p4",
    "classification grants the tier": "test_a_tier_bought_with_points_raises_what_the_next_trades_earn_p4_t5_p3",
    "mode QUALIFY": "test_in_mode_qualify_what_was_earned_in_twelve_months_counts_and_nothing_is_spent_p4",
    "redemption: hold, request, spent": "test_points_are_held_and_spent_when_products_delivers_p5",
    "refused: released": "test_points_return_when_products_refuses",
    "one without a fulfiller is not offered": "test_what_is_not_offered_or_not_there_is_refused_p9",
    "no answer in 15 minutes: the request again": "test_what_nobody_answers_is_asked_again_after_15_minutes "
        "test_a_long_silence_is_not_filled_with_questions",
    "and alarm": "test_what_nobody_answers_is_an_alarm",
    "a cancellation releases once products has confirmed": "test_taken_back_they_return_only_when_products_has_confirmed",
    "none while in debt": "test_nothing_is_redeemed_while_points_are_owed_p7",
    "at most a fifth of the commission of 12 months": "test_fifty_redemptions_at_once_never_overspend",
    "priced in points: 1 point is 1 CNY, up; each names who delivers it": "test_a_reward_costs_a_point_a_cny_rounded_up_p5",
    "the shipped rewards: SMS, queries, seminars": "test_the_shipped_rewards_are_securities_services_p9",
    "the tier multiplier is all that CORE gets": "test_what_a_client_earns_depends_on_the_tier_alone_h0",
    "only where a late fact precedes a use is folded": "test_a_late_fact_folds_only_clients_who_used_points_since",
    "the adjustment names its document": "test_the_document_it_rests_on_is_a_file_kept_with_the_client_encrypted",
    "cash, gifts and rebates cannot be listed": "test_cash_gifts_and_rebates_cannot_be_listed_p9",
    "adjustment: second person": "test_a_second_person_posts_it_and_nobody_else",
    "limits by role, reason code": "test_limits_are_those_of_the_role",
    "negative ones stop at available": "test_a_negative_one_stops_at_what_is_available",
    "statistics by maker, branch and size": "test_who_agrees_needs_the_limit_too_and_it_is_counted",
    "expiring soon: 60, 30 and 7 days ahead, once, the sum": "test_what_expires_is_told_60_30_and_7_days_ahead_once_a_month_as_a_sum",
}  # fmt: skip
HQ = Actor("hanna", Role.HQ, purpose="test")


def test_every_sentence_of_the_rule_has_its_test() -> None:
    sources = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    missing = [name for names in SENTENCES.values() for name in names.split() if f"def {name}(" not in sources]
    assert missing == []


def test_a_release_repays_debt_first() -> None:
    """Of 70 held, 30 repay what a cancelled trade left owed, 40 return."""
    facts: list[Item] = [
        gain("L1", date(2021, 1, 4), date(2023, 1, 31)),
        Hold("h", date(2021, 2, 1), noon(date(2021, 2, 1)), 70),
        ClawBack("c", date(2021, 2, 2), noon(date(2021, 2, 2)), 60, "L1"),
        Ended("r", date(2021, 2, 3), noon(date(2021, 2, 3)), "h", "refused"),
    ]
    assert state(fold(facts[:3], date(2021, 2, 2))) == (0, 70, 30, {"L1": 70})
    assert state(fold(facts, date(2021, 2, 3))) == (40, 0, 0, {"L1": 40})


async def test_held_and_released_tell_nothing_and_are_not_exported(ledger: World) -> None:
    await rich(ledger)
    made = (await redeem(ledger)).json()
    await ledger.publish(
        RedemptionRefused(
            client_id="c-1", redemption_id=UUID(made["redemption_id"]), reason="off_shelf", at=end_of(DAY)
        )
    )
    await ledger.settle()
    told = await ledger.rows(
        "points",
        """SELECT t->>'kind' AS kind, t->>'points' AS points
           FROM (SELECT convert_from(value, 'UTF8')::jsonb AS t FROM bus.log WHERE type = 'points.entry.posted') l""",
    )
    assert [(row["kind"], Decimal(row["points"])) for row in told][1:] == [("held", 0), ("released", 0)]
    async with ledger.sql("points") as sql:
        assert [row[2] async for row in exports.points(sql, None)] == ["accrued"]


async def test_what_nobody_answers_is_an_alarm(ledger: World) -> None:
    await rich(ledger)
    await redeem(ledger)
    async with ledger.sql("points") as sql:
        assert (await redemptions.check(sql))["status"] == "pass"
    await close(ledger, DAY + timedelta(days=1))
    async with ledger.sql("points") as sql:
        found = await redemptions.check(sql)
    assert (found["status"], found["output"]) == ("warn", "1 redemptions wait for products")


async def test_an_anniversary_waits_for_classifications_day_p3(ledger: World) -> None:
    await ledger.publish(ClientOpened(client_id="c-1", branch_id="B1", opened_on=date(2021, 7, 1)))
    await close(ledger, DAY - timedelta(days=1))
    await ledger.publish(BrokerDayClosed(business_date=DAY))
    await ledger.settle()
    assert await balance(ledger) == (0, 0)
    await ledger.publish(DayCompleted(business_date=DAY))
    await ledger.settle()
    assert await balance(ledger) == (200, 0)


async def test_no_multiplier_counts_for_a_bonus_p2(ledger: World) -> None:
    """A DIAMOND client's year of account and suggestion are the 200 and 300 of everybody; the trade alone is multiplied."""
    await ledger.publish(ClientOpened(client_id="c-1", branch_id="B1", opened_on=date(2021, 7, 1)))
    await ledger.publish(tier(1, date(2022, 1, 3), (date(2022, 1, 3), "DIAMOND")))
    await ledger.settle()
    await close(ledger, DAY - timedelta(days=1))
    await ledger.publish(
        trade("t-1", "100"),
        SuggestionAdopted(client_id="c-1", case_id="k-1", suggestion_id=UUID(int=1), adopted_at=end_of(DAY - timedelta(days=1))),
    )  # fmt: skip
    await close(ledger, DAY)
    assert await balance(ledger) == (130 + 200 + 300, 0)


async def upgrades(world: World, **changes: Any) -> None:
    """Another version of the table, as two persons published it."""
    body = dict(Policies.tables["upgrades"].shipped[-1].written) | changes
    async with world.database("points").unit_of_work() as uow:
        await uow.sql.execute(
            """INSERT INTO policy_versions (name, scope, version, effective_on, body, reason, state, made_by, made_at, checked_by,
                                            checked_at)
               VALUES ('upgrades', '', 1, '2022-01-03', $1, 'test', 'published', 'a', now(), 'b', now())""",
            body,
        )


async def test_in_mode_qualify_what_was_earned_in_twelve_months_counts_and_nothing_is_spent_p4(ledger: World) -> None:
    await upgrades(ledger, mode="QUALIFY")
    await ledger.publish(trade("t-0", "1500", day=date(2021, 6, 30)))  # more than twelve months ago
    await rich(ledger, "1000")
    refused = await apply(ledger)
    assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[-1]) == (409, "insufficient-points")
    await ledger.publish(trade("t-2", "1000", day=DAY))
    await ledger.settle()
    made = (await apply(ledger, "a-2")).json()
    assert (made["mode"], made["state"]) == ("QUALIFY", "applied")
    async with ledger.client("points", MANAGER) as http:
        done = await http.post(f"/v1/points/applications/{made['application_id']}/approve")
    assert (done.status_code, done.json()["state"]) == (200, "approved")
    assert await points_of(ledger) == ("3500.00", "0.00", "0.00")


async def test_an_approval_takes_a_second_person_where_the_policy_says_so_p4(ledger: World) -> None:
    await upgrades(ledger, two_persons=True)
    await rich(ledger, "3000")
    made = (await apply(ledger)).json()
    async with ledger.client("points", MANAGER) as http:
        asked = await http.post(f"/v1/points/applications/{made['application_id']}/approve")
        assert (asked.status_code, asked.json()["state"]) == (202, "applied")
        own = await http.post(asked.headers["location"] + "/approve", json={})
    assert own.status_code == 403, own.text
    assert await points_of(ledger) == ("1000.00", "2000.00", "0.00")
    async with ledger.client("points", HQ) as http:
        (await http.post(asked.headers["location"] + "/approve", json={})).raise_for_status()
    async with ledger.client("points", OWN) as http:
        assert (await http.get(f"/v1/points/applications/{made['application_id']}")).json()["state"] == "approved"
    assert await points_of(ledger) == ("1000.00", "0.00", "0.00")


@pytest.mark.parametrize("kind", ["cash", "gift", "rebate", "shopping"])
def test_cash_gifts_and_rebates_cannot_be_listed_p9(kind: str) -> None:
    item = {"code": "X", "kind": kind, "price": "10", "en": "x", "zh": "x", "fulfiller": "products"}
    body = {"items": [item], "share_percent": 20, "answer_minutes": 15}
    with pytest.raises(PolicyInvalid, match="never cash, gifts or rebates"):
        parse_rewards(body)
    assert list(parse_rewards(body | {"items": [item | {"kind": "sms"}]}).offered) == ["X"]
    for wrong in ({"fulfiller": ""}, {"not_offered": "why"}):
        with pytest.raises(PolicyInvalid, match="either who delivers it or why"):
            parse_rewards(body | {"items": [item | {"kind": "sms"} | wrong]})


def test_a_reward_costs_a_point_a_cny_rounded_up_p5() -> None:
    item = {"code": "X", "kind": "sms", "en": "x", "zh": "x", "fulfiller": "products"}
    for price, costs in (("30", 3000), ("29.01", 3000), ("0.5", 100)):
        found = parse_rewards({"items": [item | {"price": price}], "share_percent": 20, "answer_minutes": 15})
        assert (found.offered["X"].points, found.offered["X"].fulfiller) == (costs, "products")


def test_the_shipped_rewards_are_securities_services_p9() -> None:
    body = Policies.tables["rewards"].shipped[-1].body
    assert {one.code: one.points for one in body.offered.values()} == {
        "SMS1": 3000, "SMS2": 3000, "SMS3": 1500, "QUERY": 2000
    }  # fmt: skip
    assert body.share_percent == 20
    assert body.answer_minutes == 15


def test_what_a_client_earns_depends_on_the_tier_alone_h0() -> None:
    """Points hear of tiers and lifecycles, of no group and no class; a multiplier is found by tier."""
    assert not {event.type for event in points.listens} & {
        "classification.group.changed",
        "classification.class.changed",
    }
    terms = Policies.tables["points"].shipped[-1].body
    assert set(terms.multiplier) == set(TIERS)


async def test_a_late_fact_folds_only_clients_who_used_points_since(ledger: World) -> None:
    """A trade heard late of a client who used nothing since leaves the lots as their entries say; of one who did, every lot is
    looked at again."""
    for client in ("c-1", "c-2"):
        await ledger.publish(trade("t-1", "100", client), trade("t-2", "50", client, DAY + timedelta(days=3)))
    await ledger.settle()
    await spend(ledger, "c-2", 1000, DAY + timedelta(days=1))
    await ledger.publish(*(trade("t-0", "20", client, DAY - timedelta(days=40)) for client in ("c-1", "c-2")))
    await ledger.settle()
    rows = await ledger.rows(
        "points", "SELECT client_id, sum(free)::int AS free, max(value_on) AS day FROM lots GROUP BY 1"
    )
    assert [tuple(row.values()) for row in rows] == [("c-2", 1000, DAY - timedelta(days=40))]
    used = await ledger.rows("points", "SELECT client_id, used_on FROM balances ORDER BY client_id")
    assert [(row["client_id"], row["used_on"] == DAY + timedelta(days=1)) for row in used] == [
        ("c-1", False),
        ("c-2", True),
    ]
