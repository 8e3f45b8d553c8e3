"""Facts as the broker and classification say them, short to write."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from chassis.clock import at
from contracts.base import Quantity
from contracts.broker import Instrument, TradeCancelled, TradeSettled
from contracts.classification import TierChanged, TierStretch
from services.points import balances, ledger, lots
from services.points.ledger import available
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


async def spend(world: World, client: str, points: int, on: date = DAY) -> None:
    """Spend points (hundredths), as redemptions will: nothing else can bring a client into debt later [P7]."""
    async with world.database("points").unit_of_work() as uow:
        locked = await balances.lock(uow.sql, [client])
        taken, owed = locked[client].debit(points)
        assert not owed
        await balances.save(uow.sql, locked)
        made = ledger.entry_id(client, f"spent {on} {points}", 0)
        accounts = (available(client), "sys:redeemed:sms")
        inputs = (None, None, None, None, None)
        [place] = await ledger._places(uow, [client])
        row = (*place, made, client, "spent", None, 0, *accounts, taken, None, *inputs, on, "test", None)
        await uow.sql.copy_records_to_table("entries", records=[row], columns=ledger.COLUMNS)
        await lots.take_oldest(uow.sql, {client: taken})


async def balance(world: World, client: str = "c-1") -> tuple[Decimal, Decimal]:
    """Available and owed."""
    rows = await world.rows("points", "SELECT available, debt FROM balances WHERE client_id = $1", client)
    return (Decimal(rows[0]["available"]) / 100, Decimal(rows[0]["debt"]) / 100) if rows else (Decimal(0), Decimal(0))


async def entries(world: World, client: str = "c-1") -> list[tuple[str, str, Decimal]]:
    """Kind, trade and signed points of a client's entries, in the order of recording."""
    rows = await world.rows(
        "points",
        """SELECT kind, trade_id, CASE WHEN starts_with(credit_account, 'cust:') THEN points ELSE -points END AS points
           FROM entries WHERE client_id = $1 ORDER BY number""",
        client,
    )
    return [(row["kind"], row["trade_id"], Decimal(row["points"]) / 100) for row in rows]
