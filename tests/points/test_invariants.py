"""`careline verify` finds a ledger that does not hold together [P8]."""

from typing import Any

import asyncpg
import pytest

from tests.points.facts import cancelled, trade
from tests.world import World

BALANCE = "a balance is what the entries of its accounts say"
EARNED = "what was earned is what was spent, expired, reversed, adjusted out and what is left"
LOTS = "what remains of lots is what is available and held"
HELD = "what is held is what holds that have not ended keep"


@pytest.mark.every_postgres
@pytest.mark.parametrize(
    ("table", "changes", "back", "holds"),
    [
        ("balances", "available = available + 1", "available = available - 1", {BALANCE, EARNED, LOTS}),
        ("balances", "held = 1, available = available - 1", "held = 0, available = available + 1", {BALANCE, LOTS, HELD}),
        ("lots", "free = free + 1", "free = free - 1", {LOTS}),
    ],
)  # fmt: skip
async def test_verify_names_what_does_not_hold_p8(
    ledger: World, table: str, changes: str, back: str, holds: set[str]
) -> None:
    await ledger.publish(trade("t-1", "10"), cancelled("t-1", "4"))
    await ledger.settle()
    await ledger.seal()
    assert await ledger.findings(full=True) == []
    await change(ledger, table, changes)
    found = await ledger.findings(full=True)
    assert said(found) == holds
    assert all((one.table, one.partition) == ("entries", -1) and "c-1" in one.detail for one in found)
    assert await ledger.findings() == [], "without --full of clients with new entries alone"
    await ledger.publish(trade("t-2", "5"))
    await ledger.settle()
    assert said(await ledger.findings()) == holds
    await change(ledger, table, back)


async def test_verify_names_what_was_posted_in_a_closed_month(ledger: World) -> None:
    await ledger.publish(trade("t-1", "10"))
    await ledger.settle()
    async with ledger.database("points").unit_of_work() as uow:
        await uow.sql.execute("INSERT INTO frozen_months VALUES ('2022-07-31', '2022-08-01')")
    await ledger.seal()
    assert said(await ledger.findings()) == {"nothing was posted in a month after it was closed for good"}
    async with ledger.database("points").unit_of_work() as uow:
        await uow.sql.execute("DELETE FROM frozen_months")


@pytest.mark.every_postgres
async def test_the_database_refuses_what_breaks_the_ledger_p8(ledger: World) -> None:
    """An entry moves points between two accounts of its client and the firm's; nothing is below zero; and an act (a hold, its
    end, an adjustment) cannot be committed unless lots, holds and the balance are the same afterwards."""
    await ledger.publish(trade("t-1", "10"))
    await ledger.settle()
    entry = """INSERT INTO entries SELECT (e).* FROM (SELECT jsonb_populate_record(e, '{}') AS e FROM entries e) x"""
    for statement, constraint in (
        (entry.replace("{}", '{"number": 9, "step": 9, "credit_account": "cust:c-2:available"}'), "ck_entries_whose"),
        (entry.replace("{}", '{"number": 9, "step": 9, "debit_account": "cust:c-1:available"}'), "ck_entries_accounts"),
        (entry.replace("{}", '{"number": 9, "step": 9, "points": -1}'), "ck_entries_points"),
        ("UPDATE balances SET available = -1", "ck_balances_points"),
        ("INSERT INTO lots VALUES ('c-1', 'x', '2022-07-01', '2024-07-31', -1, 0, 0, false)", "ck_lots_points"),
        ("INSERT INTO holds (client_id, hold, reward, points, held_at) VALUES ('c-1', 'h', 'SMS1', 100, now())",
         "holds_are_the_balance"),
        ("""WITH held AS (UPDATE balances SET held = 100, available = available - 100)
            INSERT INTO holds (client_id, hold, reward, points, held_at) VALUES ('c-1', 'h', 'SMS1', 100, now())""",
         "lots_are_the_balance"),
        ("""WITH more AS (UPDATE balances SET available = available + 100)
            INSERT INTO adjustments VALUES ('c-1', 'adjustment/1', NULL, 'OTHER', 100, 100, now(), '2024-07-31', 'd', 'a', 'b')""",
         "lots_are_the_balance"),
    ):  # fmt: skip
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            await at_once(ledger, statement)
        assert refused.value.constraint_name == constraint, statement


async def at_once(world: World, statement: str) -> None:
    """Execute it, and look at once at what a commit looks at."""
    async with world.database("points").unit_of_work() as uow:
        await uow.sql.execute(statement)
        await uow.sql.execute("SET CONSTRAINTS ALL IMMEDIATE")


async def change(world: World, table: str, what: str) -> None:
    """What no handler does."""
    async with world.database("points").unit_of_work() as uow:
        await uow.sql.execute(f"UPDATE {table} SET {what}")


def said(found: list[Any]) -> set[str]:
    """The invariants that findings name."""
    return {one.detail.partition("): ")[2] for one in found}
