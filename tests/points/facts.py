"""Facts as the broker and classification say them, short to write."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import astuple

from chassis.clock import at
from contracts.base import Quantity
from contracts.broker import BrokerDayClosed, Instrument, TradeCancelled, TradeSettled
from contracts.classification import DayCompleted, TierChanged, TierStretch
from services.points import balances, tiers
from services.points.ledger import Posting
from services.points.tables import HoldRow
from services.points.trades import Cause
from tests.world import World

DAY = date(2022, 7, 1)


def trade(trade_id: str, commission: str, client: str = "c-1", day: date = DAY, **others: Any) -> TradeSettled:
    """A settled trade at 15:00 of its date."""
    return TradeSettled(
        trade_id=trade_id,
        client_id=client,
        account_id=client,
        branch_id="B1",
        trade_date=day,
        settled_at=at(day, 15),
        instrument=Instrument(symbol="SH600000", kind="stock"),
        side="buy",
        quantity=Quantity("100"),
        amount=Quantity("10000"),
        commission=Quantity(commission),
        currency="CNY",
        **others,
    )


def cancelled(
    trade_id: str, remaining: str = "0", client: str = "c-1", when: datetime = datetime(2022, 7, 5, 3, tzinfo=UTC)
) -> TradeCancelled:
    """A cancellation that leaves `remaining` of the commission."""
    return TradeCancelled(
        trade_id=trade_id, client_id=client, cancelled_at=when, remaining_commission=Quantity(remaining)
    )


def tier(revision: int, since: date, *stretches: tuple[date, str], client: str = "c-1") -> TierChanged:
    """From `since` on the tiers are these."""
    return TierChanged(
        client_id=client,
        branch_id="B1",
        revision=revision,
        changed_from=since,
        previous="NORMAL",
        stretches=[TierStretch(since=day, tier=code) for day, code in stretches],  # type: ignore[arg-type]
        reason="upgrade",
    )


async def close(world: World, day: date) -> None:
    """Close a day: the broker's word, then classification's."""
    await world.publish(BrokerDayClosed(business_date=day), DayCompleted(business_date=day))
    await world.settle()


async def spend(world: World, client: str, points: int, on: date = DAY) -> None:
    """Hold points (hundredths) for a reward and spend them a moment later."""
    async with world.database("points").unit_of_work() as uow:
        locked = await balances.lock(uow.sql, [client])
        assert locked[client].available >= points
        given = HoldRow(client, f"test/{on} {points}", "sms", points, at(on, 16), "spent", at(on, 16, 1))
        await uow.sql.execute(f"INSERT INTO holds VALUES ({', '.join(f'${n}' for n in range(1, 8))})", *astuple(given))
        posting = Posting(uow, locked, await tiers.of(uow, [client]))
        posting.again(client, Cause("test", on))
        await posting.write(folded=[client])


async def balance(world: World, client: str = "c-1") -> tuple[Decimal, Decimal]:
    """Available and owed."""
    rows = await world.rows("points", "SELECT available, debt FROM balances WHERE client_id = $1", client)
    return (Decimal(rows[0]["available"]) / 100, Decimal(rows[0]["debt"]) / 100) if rows else (Decimal(0), Decimal(0))


async def entries(world: World, client: str = "c-1") -> list[tuple[str, str | None, Decimal]]:
    """Kind, trade and signed points of a client's entries, in the order of recording."""
    rows = await world.rows(
        "points",
        """SELECT kind, trade_id, points * (starts_with(credit_account, 'cust:')::int
                                      - starts_with(debit_account, 'cust:')::int) AS points
           FROM entries WHERE client_id = $1 AND kind <> 'held' ORDER BY number""",
        client,
    )
    return [(row["kind"], row["trade_id"], Decimal(row["points"]) / 100) for row in rows]
