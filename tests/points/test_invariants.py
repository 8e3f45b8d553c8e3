"""`careline verify` finds a ledger that does not hold together [P8]."""

from typing import Any

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


async def change(world: World, table: str, what: str) -> None:
    """What no handler does."""
    async with world.database("points").unit_of_work() as uow:
        await uow.sql.execute(f"UPDATE {table} SET {what}")


def said(found: list[Any]) -> set[str]:
    """The invariants that findings name."""
    return {one.detail.partition("): ")[2] for one in found}
