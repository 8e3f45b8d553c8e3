"""Classification on one page."""

from pathlib import Path

from chassis.service import Service
from contracts import classification as contract
from contracts.broker import (
    AssetsValued,
    ClientClosed,
    ClientOpened,
    ClientUpdated,
    ClosingRequested,
    TradeCancelled,
    TradeSettled,
)
from services.classification import api, closing, handlers, tables

service = Service(
    name="classification",
    routes=api.routes,
    listens={
        ClientOpened: handlers.open_clients,
        ClientUpdated: handlers.update_clients,
        ClosingRequested: handlers.note_closing_requests,
        ClientClosed: handlers.close_clients,
        AssetsValued: handlers.record_valuations,
        TradeSettled: handlers.record_trades,
        TradeCancelled: handlers.cancel_trades,
    },
    publishes=contract.EVENTS,
    closes=closing.close_day,
    catches_up=closing.catch_up,
    completes=contract.DayCompleted,
    tables=tables.metadata,
    sealed=tables.SEALED,
    migrations=Path(__file__).parent / "migrations",
)
