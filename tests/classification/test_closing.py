"""Days close, tiers and classes follow: on time, late, in any order, twice."""

import random
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import NAMESPACE_URL, uuid5

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.base import Event, Registry, encode
from contracts.broker import ClientClosed, ClientUpdated
from contracts.classification import MonthEvaluated
from services.classification import exports
from tests.classification.facts import CLIENT, FIRST, cancelled, day, opened, trade, valued
from tests.world import World


async def tiers_of(world: World, client: str = CLIENT) -> list[tuple[str, date]]:
    rows = await world.rows(
        "classification", "SELECT tier, since FROM tiers WHERE client_id = $1 ORDER BY since", client
    )
    return [(("NORMAL", "SILVER", "GOLD", "PLATINUM", "DIAMOND")[row["tier"]], row["since"]) for row in rows]


async def history_of(world: World, client: str) -> tuple[Any, ...]:
    """Everything decided about a client and still so, without its name."""
    tiers = await tiers_of(world, client)
    standing = await world.rows(
        "classification", "SELECT retained, grace_from, next_check FROM standings WHERE client_id = $1", client
    )
    months = await world.rows(
        "classification",
        """SELECT month_end, trim_scale(day_sum) AS day_sum, known_days, trim_scale(mean) AS mean,
                  trim_scale(turnover) AS turnover, code, provisional, trader
           FROM months WHERE client_id = $1 AND code IS NOT NULL ORDER BY month_end""",
        client,
    )
    live = {}
    for kind, columns in (
        ("tier_decisions", "effective_on, retained, grace_from, entitled, trim_scale(assets) AS assets, commission"),
        ("class_decisions", "effective_on, code, trim_scale(mean) AS mean, trim_scale(turnover) AS turnover"),
    ):
        live[kind] = await world.rows(
            "classification",
            f"""SELECT {columns} FROM {kind} d WHERE client_id = $1 AND NOT EXISTS (
                    SELECT FROM superseded x WHERE x.kind = '{kind}' AND x.partition = d.partition AND x.number = d.number)
                ORDER BY effective_on""",
            client,
        )
    return tiers, standing, months, live


async def test_commission_raises_the_tier_from_the_next_day_on_and_a_grace_ends_it(world: World) -> None:
    """T7: the day's own trades never raise that day; after 12 months the part is gone, 90 days later the tier."""
    await world.publish(opened(), trade("t-1", day(3), "1000"))
    await world.close(FIRST)
    await world.close(day(3))
    assert await tiers_of(world) == [("NORMAL", FIRST), ("SILVER", day(4))]
    leaves = date(2025, 1, 4)  # the same date a year on: the window is (D - 12 months, D]
    await world.close(leaves + timedelta(days=89))
    assert (await tiers_of(world))[-1] == ("SILVER", day(4))
    await world.close(leaves + timedelta(days=90))
    assert (await tiers_of(world))[-1] == ("NORMAL", leaves + timedelta(days=91))


async def test_notices_of_a_grace_come_at_its_start_and_thirty_and_seven_days_before_its_end(world: World) -> None:
    """T4."""
    await world.publish(opened(), trade("t-1", FIRST, "1000"))
    await world.close(FIRST)
    await world.close(date(2025, 5, 1))
    notices = await world.rows(
        "gateway",
        "SELECT convert_from(value, 'UTF8')::json AS said FROM bus.log WHERE type LIKE '%warned' ORDER BY time",
    )
    assert [(n["said"]["days_left"], n["said"]["steps_down_on"]) for n in notices] == [
        (90, "2025-04-02"), (30, "2025-04-02"), (7, "2025-04-02"),
    ]  # fmt: skip


async def test_assets_count_by_the_mean_of_the_closed_month(world: World) -> None:
    """K2a, T3: known from the 16th on, the mean is over those days; the class is provisional until a year is known."""
    await world.publish(opened(), valued(day(15), "500000"), valued(day(40), "0"))
    await world.close(FIRST)
    await world.close(day(30))
    assert await tiers_of(world) == [("NORMAL", FIRST), ("GOLD", date(2024, 2, 1))]
    row = (await world.rows("classification", "SELECT * FROM months WHERE month_end = '2024-01-31'"))[0]
    assert (row["known_days"], row["mean"], row["code"], row["provisional"]) == (16, Decimal("500000"), "C", True)


async def test_the_first_close_ever_closes_that_date_only(world: World) -> None:
    """T7: history begins there; what was traded before counts in the window, days before it are not evaluated."""
    await world.publish(opened(on=date(2023, 3, 1)), trade("t-1", date(2023, 6, 1), "5000"))
    await world.close(FIRST)
    assert await tiers_of(world) == [("NORMAL", date(2023, 3, 1)), ("GOLD", day(1))]


async def test_months_before_the_first_close_count_when_their_facts_are_known(world: World) -> None:
    """K2a: the window is the twelve calendar months, whatever was closed by us."""
    await world.publish(
        opened(on=date(2023, 1, 1)), valued(date(2022, 12, 1), "10"), trade("t", date(2023, 6, 1), "0", amount="30")
    )
    await world.close(FIRST)
    await world.close(day(30))
    row = (await world.rows("classification", "SELECT * FROM months WHERE month_end = '2024-01-31'"))[0]
    assert (row["turnover"], row["provisional"], row["code"]) == (Decimal("3.0000"), False, "G")


@pytest.mark.parametrize("heard_late", ["nothing", "opening", "facts", "trades", "valuations", "all"])
async def test_months_before_an_opening_count_whichever_is_heard_first(world: World, heard_late: str) -> None:
    """K2a: facts dated before the opening, and before the first close, count like all others."""
    opening = [opened(on=day(40))]
    trades = [trade("t-1", day(-50), "0", amount="900000"), trade("t-2", day(20), "0", amount="600000")]
    valuations = [valued(day(-60), "100000"), valued(day(35), "200000")]
    late = {"nothing": [], "opening": opening, "facts": trades + valuations, "trades": trades}
    late |= {"valuations": valuations, "all": opening + trades + valuations}
    said: list[Event] = [*opening, *trades, *valuations]
    await world.publish(*(fact for fact in said if fact not in late[heard_late]))
    await world.close(FIRST)
    await world.close(day(70))
    await world.publish(*late[heard_late])
    await world.settle()
    rows = await world.rows("classification", "SELECT * FROM months WHERE code IS NOT NULL ORDER BY month_end")
    # From 2 November (day -60) on: 95 days of 100,000, then 25 of 200,000.
    assert [(r["month_end"], r["mean"], r["turnover"], r["code"], r["known_days"]) for r in rows] == [
        (date(2024, 2, 29), Decimal("186206.90"), Decimal("12.4138"), "D-", 29)
    ]
    _, _, _, live = await history_of(world, CLIENT)
    assert [decision["code"] for decision in live["class_decisions"]] == ["D-"]


async def test_an_order_cancelled_in_full_does_not_count(world: World) -> None:
    """T6: thirty filled orders in three months make a trader, unless one of them was cancelled in full."""
    for client in ("c-1", "c-2", "c-3"):
        await world.publish(opened(client), *(trade(f"t-{n}", day(n % 25), "5", client, "0") for n in range(30)))
    await world.publish(cancelled("t-7", "1", day(9), "c-2"), cancelled("t-7", "0", day(9), "c-3"))
    await world.close(FIRST)
    await world.close(day(30))
    rows = await world.rows("classification", "SELECT client_id, trader FROM months ORDER BY client_id")
    assert [row["trader"] for row in rows] == [True, True, False]
    await world.publish(cancelled("t-8", "0", day(9), "c-2"))  # late: the month is closed
    await world.settle()
    rows = await world.rows("classification", "SELECT client_id, trader FROM months ORDER BY client_id")
    assert [row["trader"] for row in rows] == [True, False, False]


async def test_a_closed_account_is_not_evaluated_any_more(world: World) -> None:
    await world.publish(opened(), ClientClosed(client_id=CLIENT, closed_on=day(5)), trade("t-1", day(6), "1000"))
    await world.close(FIRST)
    await world.close(day(40))
    assert await tiers_of(world) == [("NORMAL", FIRST)]
    assert await world.rows("classification", "SELECT FROM months WHERE code IS NOT NULL") == []


async def test_the_newest_profile_is_in_force_even_when_it_comes_before_the_opening(world: World) -> None:
    early, late = ClientUpdated(client_id=CLIENT, branch_id="B7"), ClientUpdated(client_id=CLIENT, branch_id="B8")
    from chassis.clock import at

    await world.publish(late, at=at(day(9), 9))
    await world.publish(early, at=at(day(8), 9))
    await world.settle()
    await world.publish(opened())
    await world.settle()
    assert await world.value("classification", "SELECT branch_id FROM clients") == "B8"


def scenario(seed: int, client: str) -> list[Event]:
    """A client's facts over two years, around the bounds that matter; the same seed gives the same facts.

    Some are of days before the opening, or before the first close.
    """
    pick = random.Random(seed)
    span = pick.choice([(0, 300), (-400, 300)])
    facts: list[Event] = [opened(client, day(pick.choice([-200, 0, 5, 40, 70])))]
    for number in range(pick.randint(1, 6)):
        name, on = f"t-{number}", day(pick.randint(*span))
        facts.append(
            trade(
                name,
                on,
                pick.choice(["400", "600", "1000", "5000", "0"]),
                client,
                pick.choice(["0", "30000", "400000"]),
            )
        )
        if pick.random() < 0.3:
            facts.append(cancelled(name, pick.choice(["0", "300"]), on + timedelta(days=pick.randint(0, 20)), client))
    for _ in range(pick.randint(0, 5)):
        facts.append(
            valued(day(pick.randint(*span)), pick.choice(["0", "9999.99", "100000", "700000", "6000000.005"]), client)
        )
    return facts


def when(event: Event) -> date:
    said = event.happened_at
    return said.date() if hasattr(said, "date") else said  # type: ignore[union-attr, return-value]


async def say(world: World, facts: Sequence[Event]) -> None:
    for event in facts:  # one id for one fact, told of whichever client: the last word on a valuation is the same
        content = uuid5(NAMESPACE_URL, encode(msgspec.structs.replace(event, client_id="")).decode())
        await world.publish(event, id=f"{event.type}-{content}")


Found = dict[tuple[str, date], tuple[Any, ...]]


async def evaluations_told(world: World) -> list[MonthEvaluated]:
    rows = await world.rows("classification", "SELECT value FROM bus.log WHERE type = $1", MonthEvaluated.type)
    return [cast(MonthEvaluated, Registry([MonthEvaluated]).decode(MonthEvaluated.type, row["value"])) for row in rows]


async def months_told(world: World) -> Found:
    """What was told of each client's months at last, where anything is found; no revision is told of two things."""
    said: dict[tuple[str, date, int], MonthEvaluated] = {}
    for one in await evaluations_told(world):
        assert said.setdefault((one.client_id, one.month_end, one.revision), one) == one
    last = {(client, month): one for (client, month, _), one in sorted(said.items(), key=lambda item: item[0])}
    return {
        of: (one.mean_assets, one.commission, one.value, one.value_type, one.rank, one.turnover, one.investor_type)
        for of, one in last.items()
        if one.mean_assets is not None
    }


async def months_kept(world: World) -> Found:
    """What is kept of each client's months."""
    rows = await world.rows(
        "classification",
        """SELECT client_id, month_end, v.assets, v.commission, v.value, v.value_type, r.rank, m.turnover,
                  CASE WHEN m.trader THEN 'TRADER' WHEN NOT m.trader THEN 'INVESTOR' END AS investor
           FROM month_values v LEFT JOIN months m USING (client_id, month_end)
               LEFT JOIN month_cores r USING (client_id, month_end)""",
    )
    return {(row.pop("client_id"), row.pop("month_end")): tuple(row.values()) for row in rows}


async def test_who_becomes_core_late_is_told_under_a_higher_revision(world: World) -> None:
    """[V2] The first of a branch falls away with a late fact: who follows has a rank where there was none."""
    await world.publish(opened(), opened("c-2"), trade("t-1", FIRST, "5000"), trade("t-2", FIRST, "400", "c-2"))
    await world.close(day(30))
    await world.publish(cancelled("t-1", "0", FIRST))
    await world.settle()
    said = sorted((one.revision, one.rank) for one in await evaluations_told(world) if one.client_id == "c-2")
    assert said == [(1, None), (2, 1)]
    assert await months_told(world) == await months_kept(world)


@given(
    seeds=st.lists(st.integers(0, 10**6), min_size=8, max_size=8, unique=True), order=st.randoms(use_true_random=False)
)
@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_order_and_repetition_do_not_matter(fresh_world: Any, seeds: list[int], order: random.Random) -> None:
    """The same facts on time, all late, and shuffled over the closes with repeats: one history."""
    async with fresh_world() as world:
        closes = [day(n) for n in (0, 30, 59, 90, 120, 200, 366, 456)]
        ways: dict[str, dict[date | None, list[Event]]] = {"on-time": {}, "late": {}, "shuffled": {}}
        for seed in seeds:
            for way, told in ways.items():
                facts = scenario(seed, f"{way}-{seed}")
                for event in facts:
                    on_time = next(c for c in closes if c >= when(event)) if way == "on-time" else None
                    told.setdefault(order.choice(closes) if way == "shuffled" else on_time, []).append(event)
                if way == "shuffled":
                    told.setdefault(order.choice(closes), []).extend(order.sample(facts, 2))
        for close in closes:
            for way in ("on-time", "shuffled"):
                batch = ways[way].get(close, [])
                order.shuffle(batch)
                await say(world, batch)
            await world.close(close)
        late = ways["late"][None]
        order.shuffle(late)
        await say(world, late)
        await world.settle()
        for seed in seeds:
            expected = await history_of(world, f"on-time-{seed}")
            assert expected[0], "the client is known"
            assert await history_of(world, f"late-{seed}") == expected
            assert await history_of(world, f"shuffled-{seed}") == expected
        assert await months_told(world) == await months_kept(world)
        await world.seal()
        assert await world.findings() == []


@pytest.mark.both_buses
async def test_exports_show_what_is_in_force(world: World) -> None:
    await world.publish(opened(), opened("c-2", on=day(35)), valued(FIRST, "100000"), trade("t-1", day(33), "10000"))
    await world.close(FIRST)
    await world.close(day(40))
    async with world.sql("classification") as sql:
        clients = [row async for row in exports.clients(sql, None)]
        earlier = [row async for row in exports.clients(sql, day(32))]
        tiers = [row async for row in exports.tiers(sql, day(32))]
    assert clients == [
        ("c-1", "B1", "2024-01-01", "C-", "true", "100000.00", "0.0000", "PLATINUM"),
        ("c-2", "B1", "2024-02-05", "", "", "", "", "NORMAL"),
    ]
    assert earlier == [("c-1", "B1", "2024-01-01", "C-", "true", "100000.00", "0.0000", "SILVER")]
    assert tiers == [
        ("c-1", "NORMAL", "2024-01-01", "2024-02-01", "opened"),
        ("c-1", "SILVER", "2024-02-01", "", "upgrade"),
    ]
