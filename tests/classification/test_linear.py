"""Month statements touch rows in proportion to the clients: counted by the database, not timed."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from services.classification import evaluations, groups, months, value
from services.classification.policy import Policies
from tests.classification.conftest import Fresh
from tests.rows_touched import Counting
from tests.world import World

FIRST, LAST, BEFORE, CLIENTS = date(2024, 5, 1), date(2024, 5, 31), date(2024, 4, 30), 300
GROWTH = 2.2
"""At most so many times the rows for twice the clients."""

HISTORY = """
    INSERT INTO clients (client_id, partition, branch_id, opened_on)
        SELECT 'c-' || n, 0, 'B' || n % 7, '2020-01-01' FROM generate_series(1, $1) n;
    INSERT INTO valuations SELECT 'c-' || n, day::date, 1000 + n, now(), ''
        FROM generate_series(1, $1) n, generate_series('2023-05-01', '2024-05-28', interval '9 days') day;
    INSERT INTO trade_days SELECT 'c-' || n, day::date, 5, 1000, 1
        FROM generate_series(1, $1) n, generate_series('2023-05-01', '2024-05-28', interval '11 days') day;
    INSERT INTO tiers (client_id, since, tier, reason) SELECT 'c-' || n, '2024-01-01', n % 5, 'entitled' FROM generate_series(1, $1) n"""


async def rows_of_a_close(world: World, clients: int, named: Sequence[str] | None) -> int:
    """The rows touched by the close of a month with one behind it, for all or again for some."""
    async with world.database("classification").unit_of_work() as uow:
        for statement in HISTORY.split(";"):
            await uow.sql.execute(statement, clients)
        policies = Policies()
        for last in (BEFORE, *((LAST,) if named else ())):
            await months.close_month(uow.sql, last, policies.classes, None)
            await value.close_month(uow.sql, policies, last, None)
            await value.rank_branches(uow.sql, policies, last, None)
        counting: Any = Counting(uow.sql)
        some = None if named is None else list(named)
        if some:
            await uow.sql.execute("DELETE FROM months WHERE month_end = $1 AND client_id = ANY($2)", LAST, some)
        await months.close_month(counting, LAST, policies.classes, some)
        if some:
            await evaluations.take_back(counting, "month_values", dict.fromkeys(some, LAST))
            await value.close_month(counting, policies, LAST, some)
        else:
            await value.close_month(counting, policies, LAST, None)
        await value.rank_branches(counting, policies, LAST, await value.branches_of(counting, some) if some else None)
        await value.core_changes(counting, policies, [LAST])
        await groups.find_occurrences(counting, policies.groups, FIRST, LAST, some)
    assert counting.statements >= 6
    return int(counting.rows)


@pytest.mark.parametrize("all_of_them", [True, False], ids=["all", "named"])
async def test_twice_the_clients_touch_at_most_twice_the_rows(fresh_world: Fresh, all_of_them: bool) -> None:
    rows = []
    for clients in (CLIENTS, 2 * CLIENTS):
        async with fresh_world() as world:
            named = None if all_of_them else [f"c-{n}" for n in range(1, clients // 2 + 1)]
            rows.append(await rows_of_a_close(world, clients, named))
    assert rows[0] > CLIENTS
    assert rows[1] <= GROWTH * rows[0], rows


async def test_few_named_among_twice_the_clients_touch_no_more_of_their_facts(fresh_world: Fresh) -> None:
    """A late fact of one client reads that client's facts, whoever else there is."""
    rows = []
    for clients in (CLIENTS, 2 * CLIENTS):
        async with fresh_world() as world, world.database("classification").unit_of_work() as uow:
            for statement in HISTORY.split(";"):
                await uow.sql.execute(statement, clients)
            await months.close_month(uow.sql, BEFORE, Policies().classes, None)
            await uow.sql.execute("ANALYZE")
            counting: Any = Counting(uow.sql)
            await months.close_month(counting, LAST, Policies().classes, ["c-7"])
            await groups.find_occurrences(counting, Policies().groups, FIRST, LAST, ["c-7"])
            rows.append(counting.rows)
    assert rows[1] <= 1.2 * rows[0], rows
