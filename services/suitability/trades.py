"""Settled trades: each kept once; other content under a known (client, trade) is a conflict."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from chassis import conflicts
from chassis.clock import business_date
from chassis.conflicts import Conflict
from chassis.uow import UnitOfWork
from contracts.broker import TradeCancelled, TradeSettled
from services.suitability import due, products
from services.suitability.situations import cancelled

COLUMNS = (
    "client_id",
    "trade_id",
    "branch_id",
    "trade_date",
    "settled_at",
    "symbol",
    "kind",
    "issuer_class",
    "side",
    "quantity",
    "amount",
    "commission",
)


async def keep(uow: UnitOfWork, events: Sequence[TradeSettled]) -> None:
    """Keep new trades, know their instruments, and note whose buys are to be judged."""
    first: dict[tuple[str, str], TradeSettled] = {}
    repeated = []
    for event in events:
        if first.setdefault((event.client_id, event.trade_id), event) is not event:
            repeated.append(event)
    known = await _known(uow, list(first))
    repeated += [trade for key, trade in first.items() if key in known]
    kept = [first[key] for key in sorted(first.keys() - known)]
    # A client's trades come through one partition and its position is fenced: nobody else can insert these meanwhile.
    await uow.sql.copy_records_to_table("trades", records=map(row_of, kept), columns=COLUMNS)
    if repeated:
        await _note_conflicts(uow, repeated)
    if not kept:
        return
    await products.hear_instruments(uow, kept)
    await due.note(uow, [due.Changed(t.trade_date, t.client_id) for t in kept if t.side == "buy"])
    accounts = {trade.client_id: trade.account_id for trade in kept}
    await uow.sql.execute(
        """UPDATE clients c SET account_id = n.account FROM unnest($1::text[], $2::text[]) AS n(client, account)
           WHERE c.client_id = n.client AND c.account_id IS NULL""",
        sorted(accounts),
        [accounts[client] for client in sorted(accounts)],
    )


async def cancel(uow: UnitOfWork, events: Sequence[TradeCancelled]) -> None:
    """Keep what stays of cancelled trades, by day; whoever holds again what they had sold is matched again.

    A cancelled buy was made all the same: a mismatch found of it stays.
    """
    lowest: dict[tuple[str, str, date], Decimal] = {}
    for event in events:
        key = (event.client_id, event.trade_id, business_date(event.cancelled_at))
        lowest[key] = min(event.remaining_commission, lowest.get(key, event.remaining_commission))
    ordered = sorted(lowest)
    kept = await uow.sql.fetch(
        """INSERT INTO cancellations AS k (client_id, trade_id, cancelled_on, remaining)
           SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::numeric[])
           ON CONFLICT (client_id, trade_id, cancelled_on) DO UPDATE SET remaining = excluded.remaining
           WHERE k.remaining > excluded.remaining RETURNING client_id, trade_id, cancelled_on""",
        *(list(column) for column in zip(*ordered, strict=True)),
        [lowest[key] for key in ordered],
    )
    sold = await uow.sql.fetch(
        f"""SELECT t.client_id, t.symbol, x.cancelled_on
            FROM unnest($1::text[], $2::text[], $3::date[]) AS n(client_id, trade_id, day)
            JOIN trades t ON t.client_id = n.client_id AND t.trade_id = n.trade_id AND t.side = 'sell'
            {cancelled("t", "n.day")} WHERE x.cancelled_on = n.day""",
        *([row[name] for row in kept] for name in ("client_id", "trade_id", "cancelled_on")),
    )
    await due.note(uow, [due.Changed(day, client, symbol, "trade_cancelled") for client, symbol, day in sold])


async def accept(offered: Sequence[TradeSettled], uow: UnitOfWork) -> None:
    """An operator accepted the other content of known trades: it takes the known one's place and is judged anew."""
    for trade in offered:
        before = await uow.sql.fetchval(
            "SELECT trade_date FROM trades WHERE client_id = $1 AND trade_id = $2 FOR UPDATE",
            trade.client_id,
            trade.trade_id,
        )
        places = ", ".join(f"{name} = ${number}" for number, name in enumerate(COLUMNS, 1))
        await uow.sql.execute(f"UPDATE trades SET {places} WHERE client_id = $1 AND trade_id = $2", *row_of(trade))
        await uow.sql.execute(
            "DELETE FROM mismatches WHERE client_id = $1 AND trade_id = $2", trade.client_id, trade.trade_id
        )
        await products.hear_instruments(uow, [trade])
        await due.note(uow, [due.Changed(min(before, trade.trade_date), trade.client_id)])


def row_of(trade: TradeSettled) -> tuple[Any, ...]:
    """What is kept of a trade, in the order of `COLUMNS`."""
    return (
        trade.client_id,
        trade.trade_id,
        trade.branch_id,
        trade.trade_date,
        trade.settled_at,
        trade.instrument.symbol,
        trade.instrument.kind,
        trade.instrument.risk_class,
        trade.side,
        trade.quantity,
        trade.amount,
        trade.commission,
    )


async def _known(uow: UnitOfWork, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    rows = await uow.sql.fetch(
        """SELECT client_id, trade_id FROM trades
           JOIN unnest($1::text[], $2::text[]) AS n(client_id, trade_id) USING (client_id, trade_id)""",
        [client for client, _ in keys],
        [trade for _, trade in keys],
    )
    return {(row["client_id"], row["trade_id"]) for row in rows}


async def _note_conflicts(uow: UnitOfWork, repeated: Sequence[TradeSettled]) -> None:
    rows = await uow.sql.fetch(
        f"""SELECT {", ".join(f"t.{name}" for name in COLUMNS)} FROM trades t
            JOIN unnest($1::text[], $2::text[]) AS n(client_id, trade_id) USING (client_id, trade_id)""",
        [trade.client_id for trade in repeated],
        [trade.trade_id for trade in repeated],
    )
    kept = {(row["client_id"], row["trade_id"]): row for row in rows}
    found = []
    for trade in repeated:
        known = kept[trade.client_id, trade.trade_id]
        if tuple(known.values()) != row_of(trade):
            said = {name: None if value is None else str(value) for name, value in known.items()}
            found.append(Conflict.of(trade, trade.client_id, said, trade.trade_id))
    await conflicts.note(uow, found)
