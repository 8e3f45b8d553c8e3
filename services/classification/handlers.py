"""Events in: facts are kept, and clients whose days may be closed are put on the list for another look."""

from collections.abc import Sequence

from chassis.clock import business_date
from chassis.uow import UnitOfWork
from contracts.broker import (
    AssetsValued,
    ClientClosed,
    ClientOpened,
    ClientUpdated,
    ClosingRequested,
    FundsMoved,
    ProductPurchased,
    TradeCancelled,
    TradeSettled,
)
from services.classification import facts, group_facts
from services.classification.tables import LATE


async def open_clients(opened: Sequence[ClientOpened], uow: UnitOfWork) -> None:
    """Keep new clients: NORMAL from the opening date [T7]. One opened in the closed past is evaluated from then on."""
    new = await facts.open_clients(uow, opened)
    await uow.sql.execute(
        """WITH new AS (SELECT client_id, opened_on FROM clients WHERE client_id = ANY($1::text[])),
                standing AS (INSERT INTO standings (client_id, retained) SELECT client_id, 0 FROM new),
                ungrouped AS (INSERT INTO group_standings (client_id) SELECT client_id FROM new)
           INSERT INTO tiers (client_id, since, tier, reason) SELECT client_id, opened_on, 0, 'opened' FROM new""",
        new,
    )
    await LATE.note(uow, ClientOpened, [(e.client_id, e.opened_on) for e in opened])


async def update_clients(updated: Sequence[ClientUpdated], uow: UnitOfWork) -> None:
    """Take over changed profiles; a close of a day ranks and classes by the branch of that day [V2, a.3]."""
    await LATE.mark(uow, await facts.update_profiles(uow, updated))


async def note_closing_requests(requested: Sequence[ClosingRequested], uow: UnitOfWork) -> None:
    """Note since when a client wants to leave: the earliest word counts."""
    await facts.end_clients(uow, "closing_requested_on", [(e.client_id, e.requested_on) for e in requested])
    await LATE.note(uow, ClosingRequested, [(e.client_id, e.requested_on) for e in requested])


async def close_clients(closed: Sequence[ClientClosed], uow: UnitOfWork) -> None:
    """An account closed on a day is not evaluated from that day on; one closed in the closed past is looked at again."""
    await facts.end_clients(uow, "closed_on", [(e.client_id, e.closed_on) for e in closed])
    await LATE.note(uow, ClientClosed, [(e.client_id, e.closed_on) for e in closed])


async def record_trades(trades: Sequence[TradeSettled], uow: UnitOfWork) -> None:
    """Keep trades, once each."""
    new = await facts.keep_trades(uow, trades)
    await LATE.note(uow, TradeSettled, [(t.client_id, t.trade_date) for t in trades], only=new)


async def cancel_trades(cancelled: Sequence[TradeCancelled], uow: UnitOfWork) -> None:
    """Take cancelled trades off their trade dates [P1]; the clients are looked at again from there."""
    await LATE.mark(uow, await facts.cancel_trades(uow, cancelled))


async def record_valuations(valued: Sequence[AssetsValued], uow: UnitOfWork) -> None:
    """Keep valuations; they count from their day on for groups [K7], at their month's end for classes [K2a]."""
    await facts.keep_valuations(uow, valued, uow.records(AssetsValued))
    await LATE.note(uow, AssetsValued, [(e.client_id, e.as_of) for e in valued])


async def record_transfers(moved: Sequence[FundsMoved], uow: UnitOfWork) -> None:
    """Keep transfers of funds, once each: large ones make a client ABNORMAL [K7]."""
    new = await group_facts.keep_transfers(uow, moved)
    await LATE.note(uow, FundsMoved, [(e.client_id, business_date(e.moved_at)) for e in moved], only=new)


async def record_purchases(bought: Sequence[ProductPurchased], uow: UnitOfWork) -> None:
    """Keep purchases of products, once each: they count for V in the 12 months from their day on [V1]."""
    new = await group_facts.keep_purchases(uow, bought)
    await LATE.note(uow, ProductPurchased, [(e.client_id, business_date(e.at)) for e in bought], only=new)
