"""The statements made from the policy decide what the pure rules decide, client by client."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.classification import months, rules, tiers
from services.classification.policy import Policies
from services.classification.rules import TierState
from tests.classification.conftest import Fresh
from tests.reference import decisions
from tests.world import World

DAY = date(2024, 6, 13)
TIERS = Policies().tiers.on(DAY).body
CLASSES = Policies().classes.on(DAY).body
BOUNDS = [0, 10_000, 100_000, 500_000, 1_000_000, 5_000_000]
assets = st.sampled_from(BOUNDS).flatmap(
    lambda bound: st.sampled_from(["0", "0.01", "-0.01", "1"]).map(lambda step: Decimal(bound) + Decimal(step))
)
commissions = st.sampled_from(["0", "999.99", "1000", "4999.999", "5000", "10000", "49999.99", "50000"]).map(Decimal)
graces = st.none() | st.integers(-2, 90).map(lambda ago: DAY - timedelta(days=ago))
standings = st.builds(lambda tier, grace: TierState(tier, grace if tier else None), st.integers(0, 4), graces)
figures = st.lists(st.tuples(assets, commissions, standings), min_size=150, max_size=150)


async def prepare(world: World, found: list[tuple[Decimal, Decimal, TierState]]) -> None:
    ids = [f"c-{n:03}" for n in range(len(found))]
    async with world.database("classification").unit_of_work() as uow:
        await uow.sql.execute(
            """INSERT INTO clients (client_id, partition, branch_id, opened_on)
               SELECT c, 0, 'B1', '2020-01-01' FROM unnest($1::text[]) c""",
            ids,
        )
        await uow.sql.execute(
            """INSERT INTO standings SELECT * FROM unnest($1::text[], $2::smallint[], $3::date[], $4::date[])""",
            ids,
            [standing.retained for _, _, standing in found],
            [standing.grace_from for _, _, standing in found],
            [rules.next_check(standing, DAY - timedelta(days=1), TIERS) for _, _, standing in found],
        )
        await uow.sql.execute(
            """INSERT INTO months (month_end, client_id, day_sum, known_days, traded, orders, day_sum_to, known_days_to,
                                   traded_to, orders_to, mean)
               SELECT '2024-05-31', c, 0, 0, 0, 0, 0, 0, 0, 0, mean FROM unnest($1::text[], $2::numeric[]) AS n(c, mean)""",
            ids,
            [mean for mean, _, _ in found],
        )
        await uow.sql.execute(
            "INSERT INTO trade_days SELECT c, $3, paid, 0, 1 FROM unnest($1::text[], $2::numeric[]) AS n(c, paid)",
            ids,
            [paid for _, paid, _ in found],
            DAY,
        )


@given(found=figures)
@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.large_base_example,
        HealthCheck.data_too_large,
    ],
)
async def test_a_closed_day_decides_as_the_rule_does(
    fresh_world: Fresh, found: list[tuple[Decimal, Decimal, TierState]]
) -> None:
    async with fresh_world() as world:
        await prepare(world, found)
        async with world.database("classification").unit_of_work() as uow:
            evaluated = {e.client_id: e for e in await tiers.evaluate(uow.sql, Policies().tiers, [DAY])}
            kept = {
                row["client_id"]: (TierState(row["retained"], row["grace_from"]), row["next_check"])
                for row in await uow.sql.fetch("SELECT * FROM standings")
            }
        for number, (mean, paid, before) in enumerate(found):
            client = f"c-{number:03}"
            entitled = decisions.entitled_tier(mean, paid, TIERS)
            after = rules.close(before, entitled, DAY, TIERS)
            assert kept[client] == (after, rules.next_check(after, DAY, TIERS)), (mean, paid, before)
            if after != before:
                assert (evaluated[client].before, evaluated[client].after) == (before, after)
                assert evaluated[client].entitled == entitled


async def test_a_closed_month_classifies_as_the_rule_does(world: World) -> None:
    """K1, K2, K2a: every bound, exact ties of rounding, sums that are not positive, and no known day at all."""
    last, first = date(2024, 5, 31), date(2024, 5, 1)
    totals = [Decimal(b) + Decimal(s) for b in BOUNDS for s in ("0", "-0.005", "-0.0051", "0.015")]
    traded = [Decimal(t) for t in ("0", "1", "29999.99", "300000", "2000000.005", "15000000")]
    cases = [(f"c-{n:03}", total, amount) for n, (total, amount) in enumerate((t, a) for t in totals for a in traded)]
    async with world.database("classification").unit_of_work() as uow:
        ids = [client for client, _, _ in cases]
        await uow.sql.execute(
            """INSERT INTO clients (client_id, partition, branch_id, opened_on)
               SELECT c, 0, 'B1', '2020-01-01' FROM unnest($1::text[]) c""",
            [*ids, "c-never"],
        )
        await uow.sql.execute(
            """INSERT INTO valuations SELECT c, $3, total, now(), '' FROM unnest($1::text[], $2::numeric[]) AS n(c, total)""",
            ids,
            [total for _, total, _ in cases],
            first,
        )
        await uow.sql.execute(
            "INSERT INTO trade_days SELECT c, $3, 0, a, 1 FROM unnest($1::text[], $2::numeric[]) AS n(c, a)",
            ids,
            [amount for _, _, amount in cases],
            last,
        )
        await months.close_month(uow.sql, last, Policies().classes, None)
        rows: dict[str, Any] = {
            r["client_id"]: r for r in await uow.sql.fetch("SELECT * FROM months WHERE month_end = $1", last)
        }
    for client, total, amount in cases:
        row, day_sum = rows[client], total * 31
        assert row["mean"] == decisions.month_mean(day_sum, 31)
        assert row["turnover"] == decisions.turnover(amount, day_sum, 31)
        assert row["code"] == rules.class_of(row["mean"], row["turnover"], CLASSES)
        assert row["trader"] == decisions.is_trader(1, amount, row["mean"], CLASSES)
        assert row["provisional"] is True
    never = rows["c-never"]
    assert (never["mean"], never["turnover"], never["code"], never["known_days"]) == (0, 0, "G", 0)
