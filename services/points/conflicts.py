"""Trades that came again with other content: the first stays until an operator accepts the other."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from chassis import conflicts
from chassis.bus.record import Record
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
    """Leave a row for each. The clients' balances are locked."""
    await conflicts.note(
        uow,
        [
            conflicts.Conflict(
                TradeSettled.type, known.client_id, offered.identity, _content(known), msgspec.json.decode(record.value)
            )
            for known, offered, record in found
        ],
        content=lambda offered: (Decimal(offered["commission"]), offered["trade_date"]),
    )


def _content(trade: Trade) -> dict[str, Any]:
    """What points look at in a trade: two trades that agree in it are the same here."""
    return {
        "trade_id": trade.trade_id,
        "client_id": trade.client_id,
        "commission": f"{trade.commission.normalize(EXACT):f}",
        "trade_date": trade.trade_date.isoformat(),
    }
