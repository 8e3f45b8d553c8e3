"""Facts that contradict a known one and that an operator has accepted: they take the known one's place."""

from collections.abc import Sequence

from chassis.rows import columns, fetch
from chassis.uow import UnitOfWork
from contracts.broker import ClientOpened, TradeSettled
from services.classification import facts, history
from services.classification.tables import LATE, Trade


async def accept_trades(trades: Sequence[TradeSettled], uow: UnitOfWork) -> None:
    """Put trades in the place of those known under their ids; cancellations known of them stay in force."""
    for trade in trades:
        [known] = await fetch(
            uow.sql,
            Trade,
            f"SELECT {columns(Trade)} FROM trades WHERE client_id = $1 AND trade_id = $2 FOR UPDATE",
            trade.client_id,
            trade.trade_id,
        )
        charged, remaining = known.commission, known.remaining_commission
        left = charged if remaining is None else remaining
        amount = known.amount if remaining is None else facts.share_of(known.amount, charged, left)
        orders = 1 if remaining is None else facts.orders_left(left)
        await uow.sql.execute(
            """UPDATE trades SET trade_date = $3, symbol = $4, kind = $5, side = $6, quantity = $7, amount = $8,
                   commission = $9, remaining_commission = NULL WHERE client_id = $1 AND trade_id = $2""",
            trade.client_id,
            trade.trade_id,
            trade.trade_date,
            trade.instrument.symbol,
            trade.instrument.kind,
            trade.side,
            trade.quantity,
            trade.amount,
            trade.commission,
        )
        await facts.add_to_days(
            uow,
            [
                (trade.client_id, known.trade_date, -left, -amount, -orders),
                (trade.client_id, trade.trade_date, trade.commission, trade.amount, 1),
            ],
        )
        await facts.cancel_known(uow, [(trade.client_id, trade.trade_id)])
        await LATE.mark(uow, [(trade.client_id, day) for day in (known.trade_date, trade.trade_date)])


async def accept_openings(opened: Sequence[ClientOpened], uow: UnitOfWork) -> None:
    """Move opening dates; the history begins anew from the earlier of both."""
    for event in opened:
        before = await uow.sql.fetchval(
            "SELECT opened_on FROM clients WHERE client_id = $1 FOR UPDATE", event.client_id
        )
        await uow.sql.execute(
            "UPDATE clients SET opened_on = $2, revision = revision + 1 WHERE client_id = $1",
            event.client_id,
            event.opened_on,
        )
        await history.rewrite_effective_tiers(uow, {event.client_id}, "correction")
        await LATE.mark(uow, [(event.client_id, min(before, event.opened_on))])
