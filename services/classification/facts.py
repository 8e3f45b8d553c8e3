"""The facts classification keeps: clients, trades summed by day, valuations. Set-based, and safe to hear twice.

Amounts go to the database as texts: the driver takes four times as long to make a numeric of a decimal.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

import msgspec

from chassis.bus.record import Record
from chassis.telemetry import CONFLICTS
from chassis.uow import UnitOfWork
from contracts.base import encode_custom
from contracts.broker import (
    AssetsValued,
    ClientOpened,
    FundsMoved,
    ProductPurchased,
    Profile,
    TradeCancelled,
    TradeSettled,
)

Late = Iterable[tuple[str, date]]
Repeatable = ClientOpened | TradeSettled | FundsMoved | ProductPurchased


async def mark_late(uow: UnitOfWork, late: Late) -> None:
    """Put clients on the list of those to evaluate again, each from a day."""
    pairs = sorted(set(late))
    if pairs:
        await uow.sql.execute(
            "INSERT INTO late SELECT * FROM unnest($1::text[], $2::date[]) ON CONFLICT DO NOTHING",
            [client for client, _ in pairs],
            [day for _, day in pairs],
        )


def late_days(
    clients: Iterable[str],
    days: Iterable[date],
    passed: Iterable[date | None],
    only: Iterable[bool] = itertools.repeat(True),
) -> Late:
    """Those whose day their partition had passed when the fact came."""
    facts = zip(clients, days, passed, only, strict=False)
    return [(client, day) for client, day, p, counts in facts if counts and p is not None and day <= p]


async def keep_clients(uow: UnitOfWork, opened: Sequence[ClientOpened], records: Sequence[Record]) -> list[str]:
    """Keep new clients; one that is known stays as it is, and another opening date under its id is a conflict.

    Returns the new ones.
    """
    first: dict[str, tuple[ClientOpened, Record]] = {}
    for event, record in zip(opened, records, strict=True):
        first.setdefault(event.client_id, (event, record))
    ids = sorted(first)
    rows = await uow.sql.fetch(
        """INSERT INTO clients (client_id, partition, branch_id, manager_id, kind, opened_on, profile_time, profile_event)
           SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::date[],
                                $7::timestamptz[], $8::text[])
           ON CONFLICT DO NOTHING RETURNING client_id""",
        ids,
        [first[c][1].partition for c in ids],
        [first[c][0].branch_id for c in ids],
        [first[c][0].manager_id for c in ids],
        [first[c][0].kind or "individual" for c in ids],
        [first[c][0].opened_on for c in ids],
        [first[c][1].time for c in ids],
        [first[c][1].id for c in ids],
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
    known = {row["client_id"]: row["opened_on"] for row in rows}
    await note_conflicts(
        uow,
        [(e, {"opened_on": known[e.client_id]}) for e in opened if known[e.client_id] != e.opened_on],
    )


async def note_conflicts(uow: UnitOfWork, found: Sequence[tuple[Repeatable, dict[str, object]]]) -> None:
    """Keep facts that came again with other content, each beside what is known. The same offer counts once."""
    if not found:
        return
    kept = await uow.sql.fetch(
        """INSERT INTO conflicts (at, type, client_id, identity, known, offered)
           SELECT DISTINCT $1::timestamptz, n.* FROM unnest($2::text[], $3::text[], $4::text[], $5::jsonb[], $6::jsonb[])
               AS n(type, client_id, identity, known, offered)
           WHERE NOT EXISTS (SELECT FROM conflicts c WHERE c.type = n.type AND c.client_id = n.client_id
                             AND c.identity = n.identity AND c.offered = n.offered)
           RETURNING id""",
        uow.now,
        [event.type for event, _ in found],
        [event.client_id for event, _ in found],
        [event.identity for event, _ in found],
        [known for _, known in found],
        [msgspec.to_builtins(event, enc_hook=encode_custom) for event, _ in found],
    )
    CONFLICTS.labels(uow.database.service).inc(len(kept))


async def update_profiles(uow: UnitOfWork, profiles: Sequence[Profile], records: Sequence[Record]) -> None:
    """Take over branch and manager from the profile with the highest (ce_time, ce_id)."""
    newest: dict[str, tuple[Record, Profile]] = {}
    for profile, record in zip(profiles, records, strict=True):
        held = newest.get(profile.client_id)
        if held is None or (record.time, record.id) > (held[0].time, held[0].id):
            newest[profile.client_id] = (record, profile)
    ids = sorted(newest)
    columns = (
        ids,
        [newest[c][1].branch_id for c in ids],
        [newest[c][1].manager_id for c in ids],
        [newest[c][1].kind for c in ids],
        [newest[c][0].time for c in ids],
        [newest[c][0].id for c in ids],
    )
    await uow.sql.execute(
        """UPDATE clients c SET branch_id = coalesce(n.branch_id, c.branch_id), kind = coalesce(n.kind, c.kind),
               manager_id = coalesce(n.manager_id, c.manager_id), profile_time = n.time, profile_event = n.event
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])
               AS n(client_id, branch_id, manager_id, kind, time, event)
           WHERE c.client_id = n.client_id AND (n.time, n.event) > (c.profile_time, c.profile_event)""",
        *columns,
    )
    await uow.sql.execute(
        """INSERT INTO early_profiles
           SELECT n.client_id, n.time, n.event,
                  jsonb_build_object('branch_id', n.branch_id, 'manager_id', n.manager_id, 'kind', n.kind)
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])
               AS n(client_id, branch_id, manager_id, kind, time, event)
           WHERE NOT EXISTS (SELECT FROM clients c WHERE c.client_id = n.client_id) ON CONFLICT DO NOTHING""",
        *columns,
    )


async def take_early_profiles(uow: UnitOfWork, new: Sequence[str]) -> None:
    """Apply what was said of clients before their opening came."""
    await uow.sql.execute(
        """WITH taken AS (DELETE FROM early_profiles WHERE client_id = ANY($1::text[]) RETURNING *),
                newest AS (SELECT DISTINCT ON (client_id) * FROM taken ORDER BY client_id, time DESC, event DESC)
           UPDATE clients c SET branch_id = coalesce(n.profile->>'branch_id', c.branch_id),
               manager_id = coalesce(n.profile->>'manager_id', c.manager_id), kind = coalesce(n.profile->>'kind', c.kind),
               profile_time = n.time, profile_event = n.event
           FROM newest n WHERE c.client_id = n.client_id AND (n.time, n.event) > (c.profile_time, c.profile_event)""",
        list(new),
    )
    await take_endings(uow, new)


async def end_clients(uow: UnitOfWork, column: str, ends: Sequence[tuple[str, date]]) -> None:
    """Set `closed_on` or `closing_requested_on`: the earliest word counts, also when it comes before the opening."""
    earliest: dict[str, date] = {}
    for client_id, day in ends:
        earliest[client_id] = min(day, earliest.get(client_id, day))
    await uow.sql.execute(
        f"""INSERT INTO endings AS e (client_id, {column}) SELECT * FROM unnest($1::text[], $2::date[])
            ON CONFLICT (client_id) DO UPDATE SET {column} = least(e.{column}, excluded.{column})""",
        sorted(earliest),
        [earliest[c] for c in sorted(earliest)],
    )
    await take_endings(uow, sorted(earliest))


async def take_endings(uow: UnitOfWork, clients: Sequence[str]) -> None:
    """Put on clients what was said of their leaving."""
    await uow.sql.execute(
        """UPDATE clients c SET closed_on = e.closed_on, closing_requested_on = e.closing_requested_on
           FROM endings e WHERE e.client_id = c.client_id AND c.client_id = ANY($1::text[])""",
        list(clients),
    )


async def keep_trades(uow: UnitOfWork, trades: Sequence[TradeSettled]) -> list[bool]:
    """Keep trades and add them to their days. Returns for each whether it was new."""
    first: dict[tuple[str, str], TradeSettled] = {}
    fresh = []
    for trade in trades:
        fresh.append(first.setdefault((trade.client_id, trade.trade_id), trade) is trade)
    kept = sorted(first.items())
    rows = await uow.sql.fetch(
        """INSERT INTO trades (client_id, trade_id, trade_date, symbol, side, quantity, amount, commission)
           SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::text[], $5::text[], $6::text[]::numeric[],
                                $7::text[]::numeric[], $8::text[]::numeric[])
           ON CONFLICT DO NOTHING RETURNING client_id, trade_id""",
        [c for (c, _), _ in kept],
        [t for (_, t), _ in kept],
        [e.trade_date for _, e in kept],
        [e.instrument.symbol for _, e in kept],
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
        "side": trade.side,
        "quantity": f"{trade.quantity.normalize():f}",
        "amount": f"{trade.amount.normalize():f}",
        "commission": f"{trade.commission.normalize():f}",
    }


async def _note_trade_conflicts(uow: UnitOfWork, repeated: Sequence[TradeSettled]) -> None:
    rows = await uow.sql.fetch(
        """SELECT t.client_id, t.trade_id, t.trade_date::text, symbol, side, trim_scale(quantity)::text AS quantity,
                  trim_scale(amount)::text AS amount, trim_scale(commission)::text AS commission
           FROM trades t JOIN unnest($1::text[], $2::text[]) AS n(client_id, trade_id) USING (client_id, trade_id)""",
        [t.client_id for t in repeated],
        [t.trade_id for t in repeated],
    )
    known = {(r["client_id"], r["trade_id"]): dict(list(r.items())[2:]) for r in rows}
    found = []
    for trade in repeated:
        offered = trade_content(trade)
        if known[trade.client_id, trade.trade_id] != offered:
            found.append((trade, known[trade.client_id, trade.trade_id]))
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
            (client, day, after - before, share_of(amount, commission, after) - held, 0)
            for client, day, commission, amount, before, after, untouched in rows
            for held in [amount if untouched else share_of(amount, commission, before)]
        ],
    )
    return [(client, day) for client, day, *_ in rows]


def share_of(amount: Decimal, commission: Decimal, remaining: Decimal) -> Decimal:
    """The part of a trade's amount that its remaining commission stands for.

    Where nothing was charged there is no share to take: a cancellation then leaves nothing of the amount.
    """
    return amount * remaining / commission if commission else Decimal(0)


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
