"""Trades that came again with other content: the first stays until an operator accepts the other."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from chassis.bus.record import Record
from chassis.telemetry import CONFLICTS
from chassis.uow import UnitOfWork
from contracts.broker import TradeSettled
from services.points.rules import EXACT
from services.points.trades import SettledTrade, Trade


class Differing(NamedTuple):
    """A trade that is known, and what was offered under its identity, by which record."""

    known: Trade
    offered: SettledTrade
    record: Record


async def keep(uow: UnitOfWork, found: Sequence[Differing]) -> None:
    """Leave a row for each, once: the same offer may come many times. The clients' balances are locked."""
    kept = await uow.sql.fetch(
        """INSERT INTO conflicts (at, type, client_id, identity, known, offered)
           SELECT $1::timestamptz, $2::text, c, i, k, o
           FROM unnest($3::text[], $4::text[], $5::jsonb[], $6::jsonb[]) AS n(c, i, k, o)
           WHERE NOT EXISTS (
               SELECT FROM conflicts x WHERE x.type = $2 AND x.client_id = c AND x.identity = i
               AND (x.offered->>'commission')::numeric = (o->>'commission')::numeric
               AND x.offered->>'trade_date' = o->>'trade_date') RETURNING id""",
        uow.now,
        TradeSettled.type,
        [known.client_id for known, *_ in found],
        [offered.identity for _, offered, _ in found],
        [_content(known) for known, *_ in found],
        [msgspec.json.decode(record.value) for *_, record in found],
    )
    if kept:
        CONFLICTS.labels(uow.database.service).inc(len(kept))


def _content(trade: Trade) -> dict[str, Any]:
    """What points look at in a trade: two trades that agree in it are the same here."""
    return {
        "trade_id": trade.trade_id,
        "client_id": trade.client_id,
        "commission": f"{trade.commission.normalize(EXACT):f}",
        "trade_date": trade.trade_date.isoformat(),
    }
