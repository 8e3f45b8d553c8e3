"""Referrals [P3, 4.7a]: 500 points on the first trade of who was referred, not within a household, back where the account
was closed within 30 days; in any order of facts."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from chassis.actor import Actor, Role
from contracts.base import Event
from contracts.broker import ClientClosed, ClientOpened, ClientUpdated
from tests.points.facts import DAY, balance, cancelled, close, trade
from tests.points.test_bonuses import bonuses
from tests.world import World

EVE, NEXT = DAY - timedelta(days=1), DAY + timedelta(days=1)
MONTH_BEFORE = date(2022, 6, 10)
REFERRAL = ("referral/c-2", DAY, DAY, 50_000)


def referrer(client: str = "c-1", **profile: str) -> ClientOpened:
    return ClientOpened(client_id=client, branch_id="B1", opened_on=date(2022, 1, 3), **profile)


def referred(by: str = "c-1", client: str = "c-2", on: date = MONTH_BEFORE, **profile: str) -> ClientOpened:
    return ClientOpened(client_id=client, branch_id="B1", opened_on=on, referrer_client_id=by, **profile)


def closed(on: date, client: str = "c-2") -> ClientClosed:
    return ClientClosed(client_id=client, closed_on=on)


async def test_the_first_trade_of_who_was_referred_earns_500_once_p3(ledger: World) -> None:
    await ledger.publish(referrer(), referred())
    await close(ledger, EVE)
    assert await bonuses(ledger) == []
    await ledger.publish(trade("t-1", "5.00", "c-2"))
    await close(ledger, DAY)
    assert await bonuses(ledger) == [REFERRAL]
    await ledger.publish(trade("t-2", "5.00", "c-2", NEXT))
    await close(ledger, NEXT)
    assert await bonuses(ledger) == [REFERRAL]
    assert await balance(ledger) == (500, 0)
    (row,) = await ledger.rows("points", "SELECT debit_account, expires_on FROM entries WHERE kind = 'bonus'")
    assert tuple(row.values()) == ("sys:issued:referral", date(2024, 7, 31))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"phone": "+86 138-0013-8000"}, {"phone": "13800138000"}),
        ({"id_number": "11010519491231002X"}, {"id_number": "11010519491231002x"}),
        ({"address": "上海市浦东新区 世纪大道1号"}, {"address": "上海市浦东新区世纪大道１号"}),
    ],
)
async def test_nothing_within_a_household_p3(ledger: World, one: dict[str, str], other: dict[str, str]) -> None:
    await ledger.publish(referrer(**one), referred(**other), trade("t-1", "5.00", "c-2"))
    await close(ledger, DAY)
    assert await bonuses(ledger) == []
    # What each is later changes nothing: the profiles in force on the day of the first trade count.
    await ledger.publish(
        ClientUpdated(client_id="c-2", phone="13900139000", id_number="310104199001010017", address="北京")
    )
    await close(ledger, NEXT)
    assert await bonuses(ledger) == []


async def test_other_phones_and_addresses_are_other_households_p3(ledger: World) -> None:
    await ledger.publish(
        referrer(phone="13800138000", address="上海"),
        referred(phone="13900139000", address="北京"),
        trade("t-1", "5.00", "c-2"),
    )
    await close(ledger, DAY)
    assert await bonuses(ledger) == [REFERRAL]


async def test_nobody_refers_themself_or_anybody_while_closed_p3(ledger: World) -> None:
    await ledger.publish(referrer(), closed(DAY, "c-1"), referred(), referred("c-3", "c-3"))
    await ledger.publish(trade("t-1", "5.00", "c-2"), trade("t-2", "5.00", "c-3"))
    await close(ledger, DAY)
    assert await bonuses(ledger) == await bonuses(ledger, "c-3") == []


async def test_an_account_closed_within_30_days_takes_it_back_p3(ledger: World) -> None:
    await ledger.publish(
        referrer(), referred(), trade("t-1", "5.00", "c-2"), referred(client="c-4", on=date(2022, 6, 3))
    )
    await ledger.publish(trade("t-4", "5.00", "c-4"))
    await close(ledger, DAY)
    assert await balance(ledger) == (1000, 0)
    await ledger.publish(closed(NEXT), closed(date(2022, 7, 3), "c-4"))  # after 22 and after 30 days
    await close(ledger, NEXT)
    await close(ledger, date(2022, 7, 3))
    assert await balance(ledger) == (500, 0)
    [back] = await ledger.rows(
        "points", "SELECT item, value_on, points FROM entries WHERE client_id = 'c-1' AND kind = 'reversed'"
    )
    assert tuple(back.values()) == ("referral/c-2", NEXT, 50_000)


async def test_a_first_trade_cancelled_in_full_counts_for_nothing_p3(ledger: World) -> None:
    await ledger.publish(referrer(), referred(), trade("t-1", "5.00", "c-2"), trade("t-2", "5.00", "c-2", NEXT))
    await close(ledger, DAY)
    assert await bonuses(ledger) == [REFERRAL]
    await ledger.publish(cancelled("t-1", client="c-2", when=datetime(2022, 7, 2, 3, tzinfo=UTC)))
    await close(ledger, NEXT)
    assert await balance(ledger) == (500, 0)
    assert await ledger.value("points", "SELECT value_on FROM bonuses WHERE client_id = 'c-1'") == NEXT
    await ledger.publish(cancelled("t-2", client="c-2", when=datetime(2022, 7, 2, 4, tzinfo=UTC)))
    await close(ledger, date(2022, 7, 3))
    assert await balance(ledger) == (0, 0)


async def test_the_policy_of_2023_rewards_no_soliciting_p3(ledger: World) -> None:
    day = date(2023, 2, 28)
    await ledger.publish(referrer(), referred(on=date(2023, 2, 1)), referred(client="c-3", on=date(2023, 2, 1)))
    await ledger.publish(trade("t-1", "5.00", "c-2", date(2023, 2, 27)), trade("t-2", "5.00", "c-3", day))
    await close(ledger, date(2023, 2, 27))
    await close(ledger, day)
    assert [item for item, *_ in await bonuses(ledger) if item.startswith("referral")] == ["referral/c-2"]


@pytest.mark.parametrize("late", range(5))
async def test_whatever_comes_late_the_same_is_owned_p3(ledger: World, late: int) -> None:
    """Each fact in turn comes two days after the day it counts for was closed; two clients refer, one within the household."""
    facts: list[Event] = [
        referrer(phone="13800138000"), referred(phone="13900139000"), trade("t-1", "5.00", "c-2"),
        referred(client="c-3", phone="13800138000"), trade("t-3", "5.00", "c-3"),
    ]  # fmt: skip
    await ledger.publish(*(fact for place, fact in enumerate(facts) if place != late))
    await close(ledger, DAY)
    await close(ledger, NEXT)
    await ledger.publish(facts[late])
    await close(ledger, NEXT + timedelta(days=1))
    assert [(item, day, points) for item, day, _, points in await bonuses(ledger)] == [("referral/c-2", DAY, 50_000)]
    await ledger.publish(closed(NEXT))
    await close(ledger, NEXT + timedelta(days=2))
    assert await balance(ledger) == (0, 0)


async def test_a_shadow_run_says_whom_a_version_would_reward_and_what_it_costs_p3(ledger: World) -> None:
    hq = Actor("hanna", Role.HQ, purpose="test")
    await ledger.publish(
        referrer(phone="13800138000"), referred(), trade("t-1", "5.00", "c-2"), referred(client="c-3", phone="13800138000"),
        trade("t-3", "5.00", "c-3"),
    )  # fmt: skip
    await close(ledger, DAY)
    found = []
    for points in (0, 700):
        body = {"loyalty": 200, "suggestion": 300, "referral": points, "referral_days": 30, "opinion": "CO-2026-17"}
        async with ledger.client("points", hq) as http:
            answer = await http.post("/v1/points/policies/bonuses/shadow", json={"body": body})
        assert answer.status_code == 200, answer.text
        run = answer.json()
        found.append({one["name"]: (Decimal(one["before"]), Decimal(one["after"])) for one in run["sums"]}["referral"])
        assert [one["aspect"] for one in run["moves"]] == ["referral"], run["moves"]
    assert found == [(Decimal(500), Decimal(0)), (Decimal(500), Decimal(700))]
    assert await balance(ledger) == (500, 0)
