"""Bonuses [P3] on a real ledger: anniversaries, adopted suggestions; classification and complaints are played by their events."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from chassis.actor import Actor, Role
from chassis.policy import PolicyInvalid
from contracts.base import Event
from contracts.broker import ClientClosed, ClientOpened
from contracts.classification import LifecycleChanged, LifecycleStretch
from contracts.complaints import SuggestionAdopted
from services.points import rules
from services.points.policy import parse_bonuses
from tests.points.facts import balance, cancelled, close, entries, spend, trade
from tests.world import World

EVE, DAY = date(2022, 6, 30), date(2022, 7, 1)
LOYALTY = Decimal(200)


def opened(on: date, client: str = "c-1") -> ClientOpened:
    return ClientOpened(client_id=client, branch_id="B1", opened_on=on)


def lost(since: date, client: str = "c-1", revision: int = 1) -> LifecycleChanged:
    return LifecycleChanged(
        client_id=client, branch_id="B1", revision=revision, changed_from=since,
        stretches=[LifecycleStretch(since=since, lifecycle="LOST")],
    )  # fmt: skip


def back(since: date, revision: int) -> LifecycleChanged:
    return LifecycleChanged(
        client_id="c-1", branch_id="B1", revision=revision, changed_from=since,
        stretches=[LifecycleStretch(since=since, lifecycle="MATURE")],
    )  # fmt: skip


async def bonuses(world: World, client: str = "c-1") -> list[tuple[str, date, date, int]]:
    """Item, value date, posting date and signed points of bonus entries."""
    rows = await world.rows(
        "points",
        """SELECT item, value_on, posted_on, points * (starts_with(credit_account, 'cust:')::int
                  - starts_with(debit_account, 'cust:')::int) AS points
           FROM entries WHERE kind = 'bonus' AND client_id = $1 ORDER BY number""",
        client,
    )
    return [tuple(row.values()) for row in rows]  # type: ignore[misc]


async def test_each_full_year_of_account_earns_200_on_its_day_p3(ledger: World) -> None:
    await ledger.publish(opened(date(2020, 7, 1)), opened(date(2022, 7, 1), "c-2"), opened(date(2021, 7, 2), "c-3"))
    await close(ledger, EVE)
    assert await balance(ledger) == (0, 0)
    await close(ledger, DAY)
    await close(ledger, date(2022, 7, 2))
    assert await bonuses(ledger) == [("loyalty/2", DAY, DAY, 20_000)]
    assert await bonuses(ledger, "c-2") == []
    assert [item for item, *_ in await bonuses(ledger, "c-3")] == ["loyalty/1"]
    (row,) = await ledger.rows(
        "points", "SELECT debit_account, expires_on, policy, entry_id::text FROM entries WHERE client_id = 'c-1'"
    )
    *said, entry = row.values()
    assert said == ["sys:issued:loyalty", date(2024, 7, 31), "bonuses/shipped-1"]
    async with ledger.client("points", Actor("c-1", Role.CLIENT, client_id="c-1")) as http:
        why = (await http.get(f"/v1/points/clients/c-1/entries/{entry}/explain")).raise_for_status().json()
    assert (why["rule"]["id"], why["policy"], why["inputs"]) == ("P3", "bonuses/shipped-1", None)
    assert why["sentence"]["en"] == "200.00 bonus points were earned on 2022-07-01."


async def test_anniversaries_before_the_first_closed_day_give_nothing_p3(ledger: World) -> None:
    await close(ledger, DAY)
    await ledger.publish(opened(date(2020, 6, 1)))
    await ledger.settle()
    assert await bonuses(ledger) == []


@pytest.mark.parametrize(
    ("facts", "earned"),
    [
        ([lost(DAY)], False),
        ([lost(date(2022, 7, 2))], True),
        ([lost(date(2022, 6, 1)), back(DAY, 2)], True),
        ([ClientClosed(client_id="c-1", closed_on=DAY)], False),
        ([ClientClosed(client_id="c-1", closed_on=date(2022, 7, 2))], True),
    ],
    ids=["lost", "lost after", "back", "closed", "closed after"],
)
@pytest.mark.parametrize("late", [False, True])
async def test_it_is_for_accounts_open_and_not_lost_on_the_day_whenever_that_is_heard_p3(
    ledger: World, facts: list[Event], earned: bool, late: bool
) -> None:
    await ledger.publish(opened(date(2021, 7, 1)))
    await close(ledger, EVE)
    if not late:
        await ledger.publish(*facts)
    await close(ledger, DAY)
    if late:
        await ledger.publish(*facts)
        await ledger.settle()
    assert await balance(ledger) == (LOYALTY * earned, 0)
    assert {value_on for _, value_on, *_ in await bonuses(ledger)} <= {DAY}


async def test_a_late_opening_earns_what_it_would_have_p3(ledger: World) -> None:
    await close(ledger, EVE)
    await close(ledger, DAY)
    await ledger.publish(opened(date(2019, 7, 1)), opened(date(2019, 6, 30), "c-2"))
    await ledger.settle()
    today = date(2022, 7, 2)
    assert await bonuses(ledger) == [("loyalty/3", DAY, today, 20_000)]
    assert await bonuses(ledger, "c-2") == [("loyalty/3", EVE, today, 20_000)]


async def test_debt_is_repaid_by_a_bonus_first_p7(ledger: World) -> None:
    await ledger.publish(opened(date(2021, 7, 1)), trade("t-1", "50", day=date(2022, 6, 1)))
    await close(ledger, EVE)
    await spend(ledger, "c-1", 5000, EVE)
    await ledger.publish(cancelled("t-1", when=datetime(2022, 6, 30, 9, tzinfo=UTC)))
    await close(ledger, DAY)
    assert await balance(ledger) == (Decimal(150), 0)


async def test_an_adopted_suggestion_earns_300_once_c12(ledger: World) -> None:
    adopted: dict[str, Any] = {
        "case_id": "k-1",
        "suggestion_id": UUID(int=1),
        "adopted_at": datetime(2022, 7, 1, 3, tzinfo=UTC),
    }
    told = SuggestionAdopted(client_id="c-1", **adopted)
    await ledger.publish(told, told, SuggestionAdopted(**adopted | {"suggestion_id": UUID(int=2)}))
    await ledger.settle()
    await ledger.publish(told)
    await ledger.settle()
    assert await entries(ledger) == [("bonus", None, Decimal(300))]
    assert await ledger.value("points", "SELECT debit_account FROM entries") == "sys:issued:suggestion"


async def test_two_persons_reward_a_suggestion_and_what_complaints_says_of_it_adds_nothing_p3(ledger: World) -> None:
    await ledger.publish(opened(DAY))
    await close(ledger, DAY)
    maker = Actor("ann", Role.AGENT, branch_id="B1", purpose="test")
    checker = Actor("mia", Role.BRANCH_MANAGER, branch_id="B1", purpose="test")
    body = {"suggestion_id": str(UUID(int=1)), "why": "clearer statements"}
    async with ledger.client("points", maker) as http:
        asked = await http.post("/v1/points/clients/c-1/suggestions", json=body, headers={"idempotency-key": "k"})
        assert (asked.status_code, asked.json()["after"]["points"]) == (202, "300.00")
        path = f"/v1/points/approvals/{asked.json()['approval_id']}/approve"
        assert (await http.post(path, json={})).status_code in (403, 404)
    async with ledger.client("points", checker) as http:
        assert (await http.post(path, json={})).status_code == 200
    await ledger.publish(
        SuggestionAdopted(
            client_id="c-1", case_id="k-1", suggestion_id=UUID(int=1), adopted_at=datetime(2022, 7, 1, 3, tzinfo=UTC)
        )
    )
    await ledger.settle()
    assert await entries(ledger) == [("bonus", None, Decimal(300))]
    async with ledger.client("points", maker) as http:
        again = await http.post("/v1/points/clients/c-1/suggestions", json=body, headers={"idempotency-key": "l"})
    assert (again.status_code, again.json()["type"].rsplit("/", 1)[-1]) == (409, "already-rewarded")


@pytest.mark.parametrize(
    ("day", "openings"),
    [
        (date(2023, 2, 28), {date(2020, 2, 28), date(2020, 2, 29)}),
        (date(2024, 2, 28), {date(2020, 2, 28)}),
        (date(2024, 2, 29), {date(2020, 2, 29)}),
        (date(2024, 3, 1), {date(2020, 3, 1)}),
    ],
)
def test_29_february_is_celebrated_on_the_28th_p3(day: date, openings: set[date]) -> None:
    assert {one for one in rules.openings_celebrated_on(day) if one.year == 2020} == openings


def test_rewarding_referrals_takes_the_opinion_of_compliance_p3() -> None:
    body = {"loyalty": 200, "suggestion": 300, "referral": 500, "referral_days": 30}
    with pytest.raises(PolicyInvalid, match="opinion"):
        parse_bonuses(body)
    assert parse_bonuses(body | {"opinion": "CO-2026-17"}).referral == 50_000
    assert parse_bonuses(body | {"referral": 0}).referral == 0
