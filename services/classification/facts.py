"""The facts classification keeps: clients, trades summed by day, valuations. Set-based, and safe to hear twice.

Amounts go to the database as texts: the driver takes four times as long to make a numeric of a decimal.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

import asyncpg

from chassis import conflicts
from chassis.bus.record import Record
from chassis.rows import R, columns, fetch
from chassis.uow import UnitOfWork
from contracts.broker import (
    AssetsValued,
    ClientOpened,
    ClientUpdated,
    FundsMoved,
    ProductPurchased,
    TradeCancelled,
    TradeSettled,
)
from services.classification.tables import CLIENTS, Trade

Late = Iterable[tuple[str, date]]
Repeatable = ClientOpened | TradeSettled | FundsMoved | ProductPurchased


async def open_clients(uow: UnitOfWork, opened: Sequence[ClientOpened]) -> list[str]:
    """Open clients; one that is open stays as it is, and another opening date under its id is a conflict.

    Returns the new ones.
    """
    await CLIENTS.keep(uow, ClientOpened, opened)
    first: dict[str, date] = {}
    for event in opened:
        first.setdefault(event.client_id, event.opened_on)
    rows = await uow.sql.fetch(
        """UPDATE clients c SET opened_on = n.opened_on, heard_at = $3 FROM unnest($1::text[], $2::date[]) AS n(client_id, opened_on)
           WHERE c.client_id = n.client_id AND c.opened_on IS NULL RETURNING c.client_id""",
        list(first),
        list(first.values()),
        uow.now,
    )
    new = [client_id for (client_id,) in rows]
    await _note_reopenings(uow, opened, set(new))
    return new


async def _note_reopenings(uow: UnitOfWork, opened: Sequence[ClientOpened], new: set[str]) -> None:
    """Openings that contradict what is known. A client heard first in this very batch is compared as well."""
    if len(opened) == len(new):
        return
    rows = await uow.sql.fetch(
        "SELECT client_id, opened_on FROM clients WHERE client_id = ANY($1::text[])", [e.client_id for e in opened]
    )
    known = {client_id: opened_on for client_id, opened_on in rows}  # noqa: C416 - rows are records, not pairs
    await note_conflicts(
        uow,
        [(e, {"opened_on": known[e.client_id]}) for e in opened if known[e.client_id] != e.opened_on],
    )


async def note_conflicts(uow: UnitOfWork, found: Sequence[tuple[Repeatable, dict[str, object]]]) -> None:
    """Keep facts that came again with other content, each beside what is known."""
    await conflicts.note(uow, [conflicts.Conflict.of(event, event.client_id, known) for event, known in found])


async def update_profiles(uow: UnitOfWork, updated: Sequence[ClientUpdated]) -> Late:
    """Take over profiles; those whose branch, manager or kind is another on a day that may be closed, from that day."""
    changed = await CLIENTS.keep(uow, ClientUpdated, updated)
    passed = max((day for day in uow.passed(ClientUpdated) if day), default=date.min)
    opened = await uow.sql.fetch(
        "SELECT client_id, opened_on FROM clients WHERE client_id = ANY($1::text[]) AND opened_on IS NOT NULL",
        list(changed),
    )
    return [(c, max(changed[c], opened_on)) for c, opened_on in opened if max(changed[c], opened_on) <= passed]


async def end_clients(uow: UnitOfWork, column: str, ends: Sequence[tuple[str, date]]) -> None:
    """Set `closed_on` or `closing_requested_on`: the earliest word counts, also when it comes before the opening."""
    earliest: dict[str, date] = {}
    for client_id, day in ends:
        earliest[client_id] = min(day, earliest.get(client_id, day))
    clients = sorted(earliest)
    await CLIENTS.make(uow, clients)
    await uow.sql.execute(
        f"""UPDATE clients c SET {column} = least(c.{column}, n.day)
            FROM unnest($1::text[], $2::date[]) AS n(client_id, day) WHERE c.client_id = n.client_id""",
        clients,
        [earliest[client_id] for client_id in clients],
    )


async def keep_trades(uow: UnitOfWork, trades: Sequence[TradeSettled]) -> list[bool]:
    """Keep trades and add them to their days. Returns for each whether it was new."""
    first: dict[tuple[str, str], TradeSettled] = {}
    fresh = []
    for trade in trades:
        fresh.append(first.setdefault((trade.client_id, trade.trade_id), trade) is trade)
    kept = sorted(first.items())
    rows = await uow.sql.fetch(
        """INSERT INTO trades (client_id, trade_id, trade_date, symbol, kind, side, quantity, amount, commission)
           SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::text[], $5::text[], $6::text[],
                                $7::text[]::numeric[], $8::text[]::numeric[], $9::text[]::numeric[])
           ON CONFLICT DO NOTHING RETURNING client_id, trade_id""",
        [c for (c, _), _ in kept],
        [t for (_, t), _ in kept],
        [e.trade_date for _, e in kept],
        [e.instrument.symbol for _, e in kept],
        [e.instrument.kind for _, e in kept],
        [e.side for _, e in kept],
        [str(e.quantity) for _, e in kept],
        [str(e.amount) for _, e in kept],
        [str(e.commission) for _, e in kept],
    )
    new = {(client_id, trade_id) for client_id, trade_id in rows}
    if len(new) < len(trades):
        await _note_trade_conflicts(
            uow, [t for t in trades if first[t.client_id, t.trade_id] is not t or (t.client_id, t.trade_id) not in new]
        )
    await add_to_days(uow, [(e.client_id, e.trade_date, e.commission, e.amount, 1) for key, e in kept if key in new])
    await cancel_known(uow, sorted(new))
    return [is_first and (t.client_id, t.trade_id) in new for is_first, t in zip(fresh, trades, strict=True)]


def trade_content(trade: TradeSettled) -> dict[str, object]:
    """What of a trade classification keeps; other content under the same identity is a conflict."""
    return {
        "trade_date": trade.trade_date.isoformat(),
        "symbol": trade.instrument.symbol,
        "kind": trade.instrument.kind,
        "side": trade.side,
        "quantity": plain(trade.quantity),
        "amount": plain(trade.amount),
        "commission": plain(trade.commission),
    }


def _kept(trade: Trade) -> dict[str, object]:
    return {
        "trade_date": trade.trade_date.isoformat(),
        "symbol": trade.symbol,
        "kind": trade.kind,
        "side": trade.side,
        "quantity": plain(trade.quantity),
        "amount": plain(trade.amount),
        "commission": plain(trade.commission),
    }


def plain(amount: Decimal) -> str:
    """An amount without an exponent and without zeros at its end, as it stands in a conflict."""
    return f"{amount.normalize() + 0:f}"


async def known_facts(
    sql: asyncpg.Connection, row: type[R], table: str, id: str, keys: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], R]:
    """The facts of a table by client and the id their system gave them, which stands in the column `id`."""
    rows = await fetch(
        sql,
        row,
        f"""SELECT {columns(row)} FROM {table}
            JOIN unnest($1::text[], $2::text[]) AS n(client_id, {id}) USING (client_id, {id})""",
        [client_id for client_id, _ in keys],
        [named for _, named in keys],
    )
    return {(one.client_id, getattr(one, id)): one for one in rows}  # type: ignore[attr-defined]


async def _note_trade_conflicts(uow: UnitOfWork, repeated: Sequence[TradeSettled]) -> None:
    known = await known_facts(uow.sql, Trade, "trades", "trade_id", [(t.client_id, t.trade_id) for t in repeated])
    found: list[tuple[Repeatable, dict[str, object]]] = []
    for trade in repeated:
        held, offered = _kept(known[trade.client_id, trade.trade_id]), trade_content(trade)
        if held["kind"] is None:  # heard before kinds were kept
            held["kind"] = offered["kind"]
        if held != offered:
            found.append((trade, held))
    await note_conflicts(uow, found)


async def add_to_days(uow: UnitOfWork, changes: Iterable[tuple[str, date, Decimal, Decimal, int]]) -> None:
    """Add (client, day, commission, amount, trades) to the sums of their days."""
    sums: defaultdict[tuple[str, date], list[Decimal | int]] = defaultdict(lambda: [Decimal(0), Decimal(0), 0])
    for client_id, day, commission, amount, count in changes:
        held = sums[client_id, day]
        held[0] += commission
        held[1] += amount
        held[2] += count
    ordered = sorted(sums)
    if ordered:
        await uow.sql.execute(
            """INSERT INTO trade_days AS d
               SELECT * FROM unnest($1::text[], $2::date[], $3::text[]::numeric[], $4::text[]::numeric[], $5::int[])
               ON CONFLICT (client_id, day) DO UPDATE SET commission = d.commission + excluded.commission,
                   amount = d.amount + excluded.amount, trades = d.trades + excluded.trades""",
            [c for c, _ in ordered],
            [d for _, d in ordered],
            *([str(sums[key][column]) for key in ordered] for column in range(2)),
            [sums[key][2] for key in ordered],
        )


async def cancel_trades(uow: UnitOfWork, cancelled: Sequence[TradeCancelled]) -> list[tuple[str, date]]:
    """Take cancellations off their days; the lowest remaining commission wins, the amount goes pro rata [P1].

    A trade that is cancelled in full does not count as an order either [T6].

    A cancellation of a trade that has not come yet waits for it. Returns (client, trade date) of what changed.
    """
    lowest: dict[tuple[str, str], Decimal] = {}
    for event in cancelled:
        key = (event.client_id, event.trade_id)
        lowest[key] = min(lowest.get(key, event.remaining_commission), event.remaining_commission)
    keys = sorted(lowest)
    await uow.sql.execute(
        """INSERT INTO cancellations AS c SELECT * FROM unnest($1::text[], $2::text[], $3::numeric[])
           ON CONFLICT (client_id, trade_id) DO UPDATE
           SET remaining_commission = least(c.remaining_commission, excluded.remaining_commission)""",
        [c for c, _ in keys],
        [t for _, t in keys],
        [lowest[key] for key in keys],
    )
    return await cancel_known(uow, keys)


async def cancel_known(uow: UnitOfWork, keys: Sequence[tuple[str, str]]) -> list[tuple[str, date]]:
    """Apply the lowest word on each of these trades that is known; (client, trade date) of what changed."""
    rows = await uow.sql.fetch(
        """WITH wanted AS (SELECT * FROM unnest($1::text[], $2::text[]) AS w(client_id, trade_id)),
                word AS (SELECT t.client_id, t.trade_id, t.trade_date, t.commission, t.amount,
                                coalesce(t.remaining_commission, t.commission) AS before,
                                t.remaining_commission IS NULL AS untouched,
                                least(c.remaining_commission, t.remaining_commission, t.commission) AS after
                         FROM wanted JOIN cancellations c USING (client_id, trade_id) JOIN trades t USING (client_id, trade_id)),
                changed AS (UPDATE trades t SET remaining_commission = w.after FROM word w
                            WHERE t.client_id = w.client_id AND t.trade_id = w.trade_id
                            AND t.remaining_commission IS DISTINCT FROM w.after
                            RETURNING w.*)
           SELECT client_id, trade_date, commission, amount, before, after, untouched FROM changed""",
        [c for c, _ in keys],
        [t for _, t in keys],
    )
    await add_to_days(
        uow,
        [
            (client, day, after - before, share_of(amount, commission, after) - held, orders_left(after) - filled)
            for client, day, commission, amount, before, after, untouched in rows
            for held, filled in [
                (amount, 1) if untouched else (share_of(amount, commission, before), orders_left(before))
            ]
        ],
    )
    return [(client, day) for client, day, *_ in rows]


def share_of(amount: Decimal, commission: Decimal, remaining: Decimal) -> Decimal:
    """The part of a trade's amount that its remaining commission stands for.

    Where nothing was charged there is no share to take: a cancellation then leaves nothing of the amount.
    """
    return amount * remaining / commission if commission else Decimal(0)


def orders_left(remaining: Decimal) -> int:
    """How many filled orders a cancelled trade still counts as: none once nothing remains of it [T6]."""
    return 1 if remaining else 0


async def keep_valuations(uow: UnitOfWork, valued: Sequence[AssetsValued], records: Sequence[Record]) -> None:
    """Keep the last word on each client and date: the one with the highest (ce_time, ce_id)."""
    newest: dict[tuple[str, date], tuple[Record, AssetsValued]] = {}
    for event, record in zip(valued, records, strict=True):
        held = newest.get((event.client_id, event.as_of))
        if held is None or (record.time, record.id) > (held[0].time, held[0].id):
            newest[event.client_id, event.as_of] = (record, event)
    keys = sorted(newest)
    await uow.sql.execute(
        """INSERT INTO valuations AS v
           SELECT * FROM unnest($1::text[], $2::date[], $3::text[]::numeric[], $4::timestamptz[], $5::text[])
           ON CONFLICT (client_id, as_of) DO UPDATE SET total = excluded.total, time = excluded.time, event = excluded.event
           WHERE (excluded.time, excluded.event) > (v.time, v.event)""",
        [c for c, _ in keys],
        [d for _, d in keys],
        [str(newest[key][1].total_assets) for key in keys],
        [newest[key][0].time for key in keys],
        [newest[key][0].id for key in keys],
    )
