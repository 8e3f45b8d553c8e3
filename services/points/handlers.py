"""Events in: trades, their cancellations, tiers.

What a client ends up with is a function of the facts: for every trade the target [P1] is computed from what is known
now, and the difference to what was posted follows.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from chassis.bus.record import Record
from chassis.clock import business_date
from chassis.uow import UnitOfWork
from contracts.broker import TradeCancelled, TradeSettled
from contracts.classification import TierChanged
from services.points import balances, conflicts, ledger, tiers, trades
from services.points.conflicts import Differing
from services.points.ledger import Posting
from services.points.rules import posting_date
from services.points.trades import Cancellation, Key, SettledTrade, Trade


async def award_points_for_trades(settled: Sequence[SettledTrade], uow: UnitOfWork) -> None:
    """Award each new trade at the tier of its trade date, as now known [P1, T5]."""
    causes = uow.records(TradeSettled)
    uow.happened_at = max(record.time for record in causes)
    ranks = await tiers.of(uow, {trade.client_id for trade in settled})
    if not await ledger.award_at_once(uow, settled, causes, ranks):
        await _award_one_by_one(settled, causes, uow)


async def _award_one_by_one(settled: Sequence[SettledTrade], causes: Sequence[Record], uow: UnitOfWork) -> None:
    """The long way: some of the trades are known, or were cancelled before they came, or their client owes points."""
    keys = [(trade.client_id, trade.trade_id) for trade in settled]
    posting = await _begin(uow, {client for client, _ in keys})
    known = await trades.known(uow.sql, keys)
    parked = await trades.cancelled(uow.sql, [key for key in dict.fromkeys(keys) if key not in known])
    differing: dict[tuple[Key, Decimal, date], Differing] = {}
    for event, key, cause in zip(settled, keys, causes, strict=True):
        content = (event.commission, event.trade_date)
        if trade := known.get(key):
            if content not in trade.contents:
                differing.setdefault((key, *content), Differing(trade, event, cause))
            continue
        trade = known[key] = Trade(*key, *content, {content}, cancellation=parked.get(key))
        posting.settle(trade, trade.commission, "accrued", posting_date(trade.trade_date, cause.time), cause.id)
        if trade.cancellation:
            posting.balances[trade.client_id].parked -= 1
            _claw_back(posting, trade, trade.cancellation)
    await posting.write()
    if differing:
        await conflicts.keep(uow, list(differing.values()))


async def claw_back_for_cancelled_trades(cancelled: Sequence[TradeCancelled], uow: UnitOfWork) -> None:
    """Take back what a cancelled trade no longer earns; a cancellation that comes before its trade waits for it [P1]."""
    lowest: dict[Key, Cancellation] = {}
    records = uow.records(TradeCancelled)
    uow.happened_at = max(record.time for record in records)
    for event, record in zip(cancelled, records, strict=True):
        key = (event.client_id, event.trade_id)
        told = Cancellation(event.remaining_commission, business_date(record.time), record.id)
        lowest[key] = min(lowest.get(key, told), told)
    posting = await _begin(uow, {client for client, _ in lowest})
    known = await trades.known(uow.sql, lowest)
    before = await trades.cancelled(uow.sql, list(lowest))
    lower = {key: c for key, c in lowest.items() if key not in before or c.remaining < before[key].remaining}
    for key, cancellation in lower.items():
        if trade := known.get(key):
            trade.cancellation = cancellation
            _claw_back(posting, trade, cancellation)
        elif key not in before:
            posting.balances[key[0]].parked += 1
            posting.changed.add(key[0])
    await trades.cancel(uow.sql, lower)
    await posting.write()


def _claw_back(posting: Posting, trade: Trade, cancellation: Cancellation) -> None:
    posted_on = max(trade.trade_date, cancellation.cancelled_on)
    posting.settle(trade, trade.base, "reversed", posted_on, cancellation.cause)


async def correct_for_changed_tiers(changes: Sequence[TierChanged], uow: UnitOfWork) -> None:
    """Take over tiers, and correct trades that were awarded at a tier now known to be another [T5, T7]."""
    records = uow.records(TierChanged)
    uow.happened_at = max(record.time for record in records)
    newest: dict[str, tuple[int, Record]] = {}
    for change, record in zip(changes, records, strict=True):
        if change.revision > newest.get(change.client_id, (-1, record))[0]:
            newest[change.client_id] = (change.revision, record)
    locked = await balances.lock(uow.sql, newest)
    since = await tiers.learn(uow.sql, changes, uow.now)
    posting = Posting(uow, locked, await tiers.of(uow, since))
    for trade in (await trades.from_dates(uow.sql, since)).values():
        cause = newest[trade.client_id][1]
        posting.settle(trade, trade.base, "corrected", posting_date(trade.trade_date, cause.time), cause.id)
    await posting.write()


async def accept_other_content(offered: Sequence[SettledTrade], uow: UnitOfWork) -> None:
    """An operator accepted the other content of known trades (rows of `conflicts`): post the difference."""
    posting = await _begin(uow, {trade.client_id for trade in offered})
    known = await trades.known(uow.sql, [(trade.client_id, trade.trade_id) for trade in offered])
    for event in offered:
        trade = known[event.client_id, event.trade_id]
        trade.commission, trade.trade_date = event.commission, event.trade_date
        await trades.amend(uow.sql, trade, uow.now)
        cause = f"accepted by {uow.actor.person}"
        posting.settle(trade, trade.base, "corrected", posting_date(trade.trade_date, uow.now), cause)
    await posting.write()


async def _begin(uow: UnitOfWork, clients: set[str]) -> Posting:
    return Posting(uow, await balances.lock(uow.sql, clients), await tiers.of(uow, clients))
