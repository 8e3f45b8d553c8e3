"""The monthly close of what points the firm owes: figures, frozen, the same to the byte [4.7a, IFRS 15 B39 to B43]."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.clock import at
from chassis.operations import conflicts
from contracts.broker import ClientOpened
from services.points import liability
from services.points.app import service
from services.points.liability import Close
from services.points.liability_files import files_of
from services.points.periods import MonthNotOver
from tests.points.facts import cancelled, close, spend, tier, trade
from tests.points.test_posting import OPERATOR
from tests.world import World

JULY, LAST = date(2022, 7, 1), date(2022, 7, 31)


async def exported(world: World, as_of: date | None = None) -> dict[str, tuple[str, ...]]:
    """The export by month."""
    async with world.sql("points") as sql:
        return {month: tuple(row) async for month, *row in liability.exported(sql, as_of)}


async def closed(world: World, month: date = JULY) -> Close:
    async with world.database("points").unit_of_work() as uow:
        return await liability.close(uow, month)


async def july(world: World) -> None:
    """Two trades, one at GOLD and cancelled by half, an anniversary, 30 points spent."""
    await world.publish(
        ClientOpened(client_id="c-1", branch_id="B1", opened_on=date(2020, 7, 20)),
        tier(1, date(2022, 7, 4), (date(2022, 7, 4), "GOLD"), client="c-2"),
        trade("t-1", "100"),
        trade("t-2", "50", "c-2", date(2022, 7, 4)),
        cancelled("t-2", "25", "c-2", datetime(2022, 7, 5, 3, tzinfo=UTC)),
    )
    await close(world, date(2022, 6, 30))
    await spend(world, "c-1", 3000, date(2022, 7, 6))
    await close(world, date(2022, 7, 20))
    await close(world, LAST)


async def test_a_month_rolls_forward_and_ties_out(ledger: World) -> None:
    await july(ledger)
    assert (await exported(ledger))["2022-07"] == (
        "160.00", "200.00", "-30.00", "0.00", "-30.00", "0.00", "300.00", "0.00"
    )  # fmt: skip
    found = await closed(ledger)
    assert found.row["outstanding"] == "300.00"
    assert [(one.tier, one.expires_on, one.points) for one in found.cohorts] == [
        ("GOLD", date(2024, 7, 31), "30.00"),
        ("NORMAL", date(2024, 7, 31), "270.00"),
    ]
    assert [(one.debit, one.credit, one.amount) for one in found.journal] == [
        ("revenue: services", "contract liability: points", "160.00"),
        ("selling expenses: points", "contract liability: points", "200.00"),
        ("contract liability: points", "revenue: services", "30.00"),
        ("contract liability: points", "revenue: services", "30.00"),
    ]
    assert found.liability == "300.00"
    assert [one.holds for one in found.tie_out] == [True] * 4
    assert await ledger.rows("points", "SELECT action FROM audit WHERE action LIKE '%closed'") == [
        {"action": "points.month.closed"}
    ]


async def test_the_statement_ties_to_trades_also_where_they_were_corrected_or_cancelled_after_the_month(
    ledger: World,
) -> None:
    """In August: another tier for July, a cancellation, another content accepted, a trade."""
    await july(ledger)
    august = at(date(2022, 8, 10), 9)
    await ledger.publish(
        tier(2, date(2022, 7, 1), (date(2022, 7, 1), "GOLD")), cancelled("t-1", "40", when=august),
        trade("t-2", "70", "c-2", date(2022, 7, 4)), trade("t-9", "7", "c-3", date(2022, 8, 9)), at=august,
    )  # fmt: skip
    await ledger.settle()
    offered = await ledger.value("points", "SELECT id FROM conflicts")
    await conflicts.decide(service, ledger.database("points"), OPERATOR, offered, "accepted", "the broker said so")
    await close(ledger, date(2022, 8, 31))
    found = await closed(ledger)
    assert found.row["earned"] == "160.00", "what was posted in July"
    assert [(one.ledger, one.other) for one in found.tie_out] == [
        ("300.00", "300.00"), ("0.00", "0.00"), ("160.00", "160.00"), ("130.00", "130.00")
    ], "as July said, whenever it is closed: 120 + 84 + 7 less the 51 posted since, 48 + 30 + 7 and the 45 taken back since"  # fmt: skip
    async with ledger.database("points").unit_of_work() as uow:
        await uow.sql.execute("UPDATE cancellations SET remaining = 41 WHERE trade_id = 't-1'")
    later = await closed(ledger, date(2022, 8, 1))
    async with ledger.database("points").unit_of_work() as uow:
        await uow.sql.execute("UPDATE cancellations SET remaining = 40 WHERE trade_id = 't-1'")
    assert [one.holds for one in later.tie_out] == [True, True, True, False], (
        "a cancellation that was not posted is found"
    )


async def test_a_closed_month_is_frozen_and_the_same_to_the_byte(ledger: World) -> None:
    await july(ledger)
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    first, before = files_of(await closed(ledger), key), (await exported(ledger))["2022-07"]
    await ledger.publish(trade("t-3", "7", day=date(2022, 7, 7)), cancelled("t-1", "90"))
    await ledger.publish(trade("t-4", "9", "c-3", date(2022, 7, 8)))
    await ledger.settle()
    rows = await ledger.rows(
        "points",
        "SELECT DISTINCT posted_on FROM entries WHERE trade_id IN ('t-3', 't-4') OR step > 0 AND trade_id = 't-1'",
    )
    assert [row["posted_on"] for row in rows] == [LAST + timedelta(days=1)]
    assert (await exported(ledger))["2022-07"] == before
    assert files_of(await closed(ledger), key) == first
    assert sorted(first) == [
        "cohorts.csv", "journal.csv", "liability.csv", "liability.xlsx", "manifest.json", "manifest.sig", "tie-out.csv"
    ]  # fmt: skip
    key.public_key().verify(first["manifest.sig"], first["manifest.json"])


async def test_what_is_expected_to_go_unused_follows_from_the_lots_that_ended(ledger: World) -> None:
    """100 gained in June 2020 of which 60 were spent: 40 % expired, so 40 % of what is left is expected to."""
    await ledger.publish(trade("t-1", "100", day=date(2020, 6, 15)), trade("t-2", "50", day=date(2022, 6, 15)))
    await ledger.settle()
    await spend(ledger, "c-1", 6000, date(2022, 6, 16))
    await close(ledger, date(2022, 6, 30))
    found = await closed(ledger, date(2022, 6, 1))
    assert (found.row["expired"], found.row["outstanding"], found.rate) == ("-40.00", "50.00", "0.400000")
    assert (found.row["expected_breakage"], found.liability) == ("20.00", "30.00")
    assert found.journal[-1].why == "change of expected breakage"
    assert sum(Decimal(one.amount) * (1 if one.credit == liability.OWING else -1) for one in found.journal) == Decimal(
        found.liability
    ) - Decimal(100)


async def test_a_month_that_is_not_over_is_not_closed(ledger: World) -> None:
    await ledger.publish(trade("t-1", "100"))
    await close(ledger, date(2022, 7, 30))
    with pytest.raises(MonthNotOver):
        await closed(ledger)
