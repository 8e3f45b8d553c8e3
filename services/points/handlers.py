"""Events in: trades, their cancellations, tiers, accounts.

What a client ends up with is a function of the facts: for every trade the target [P1] is computed from what is known
now, and the difference to what was posted follows.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from chassis.bus.record import Record
from chassis.timeline import today
from chassis.uow import UnitOfWork
from contracts.broker import ClientClosed, ClientOpened, ClientUpdated, TradeCancelled, TradeSettled
from contracts.classification import LifecycleChanged, TierChanged
from services.points import balances, conflicts, ledger, referrals, tiers, trades
from services.points.conflicts import Differing
from services.points.ledger import Posting
from services.points.tables import CLIENTS, LATE, LIFECYCLES
from services.points.trades import Cancellation, Cause, Key, SettledTrade, Trade


async def award_points_for_trades(settled: Sequence[SettledTrade], uow: UnitOfWork) -> None:
    """Award each new trade at the tier of its trade date, as now known [P1, T5]."""
    causes = uow.records(TradeSettled)
    uow.happened_at = max(record.time for record in causes)
    ranks = await tiers.of(uow, {trade.client_id for trade in settled})
    if not await ledger.award_at_once(uow, settled, causes, ranks):
        await _award_one_by_one(settled, causes, uow)
    await _let_expire(settled, ranks, uow)
    await referrals.note_trades(
        uow,
        [
            (trade.client_id, trade.trade_date)
            for trade, day in zip(settled, uow.passed(TradeSettled), strict=True)
            if day is not None and trade.trade_date <= day
        ],
    )


async def _let_expire(settled: Sequence[SettledTrade], ranks: tiers.Ranks, uow: UnitOfWork) -> None:
    """Late gains expire like all others: mark clients whose new lots ended on days that may be closed [4.7a]."""
    passed = uow.passed(TradeSettled)
    if ranks.first_end > max(filter(None, passed), default=date.min):
        return
    ends = [ranks.rate(trade.client_id, trade.trade_date).expires_on for trade in settled]
    await LATE.mark(
        uow,
        [
            (trade.client_id, end)
            for trade, end, day in zip(settled, ends, passed, strict=True)
            if day is not None and end <= day
        ],
    )


async def _award_one_by_one(settled: Sequence[SettledTrade], causes: Sequence[Record], uow: UnitOfWork) -> None:
    """The long way: some of the trades are known, or were cancelled before they came, or their client has used points
    since their date, or owes some."""
    keys = [(trade.client_id, trade.trade_id) for trade in settled]
    posting = await _begin(uow, {client for client, _ in keys})
    known = await trades.known(uow.sql, keys)
    parked = await trades.cancelled(uow.sql, [key for key in dict.fromkeys(keys) if key not in known])
    differing: dict[tuple[Key, Decimal, date], Differing] = {}
    for event, key, record in zip(settled, keys, causes, strict=True):
        content = (event.commission, event.trade_date)
        if trade := known.get(key):
            if content not in trade.contents:
                differing.setdefault((key, *content), Differing(trade, event, record))
            continue
        trade = known[key] = Trade(*key, *content, {content}, cancellations=parked.get(key, []))
        posting.bring(trade, Cause.of(record))
        if trade.cancellations:
            posting.balances[trade.client_id].parked -= 1
    await posting.write()
    if differing:
        await conflicts.keep(uow, list(differing.values()))


async def claw_back_for_cancelled_trades(cancelled: Sequence[TradeCancelled], uow: UnitOfWork) -> None:
    """Take back what a cancelled trade no longer earns; a cancellation that comes before its trade waits for it [P1]."""
    told: defaultdict[Key, list[Cancellation]] = defaultdict(list)
    causes: dict[Key, Cause] = {}
    records = uow.records(TradeCancelled)
    uow.happened_at = max(record.time for record in records)
    for event, record in zip(cancelled, records, strict=True):
        key = (event.client_id, event.trade_id)
        told[key].append(Cancellation(event.cancelled_at, event.remaining_commission, record.id))
        causes[key] = max(causes.get(key, Cause.of(record)), Cause.of(record), key=lambda cause: cause.day)
    posting = await _begin(uow, {client for client, _ in told})
    before = await trades.cancelled(uow.sql, list(told))
    await trades.cancel(uow.sql, told)
    known = await trades.known(uow.sql, told)
    for key in told:
        if trade := known.get(key):
            posting.bring(trade, causes[key])
        elif key not in before:
            posting.balances[key[0]].parked += 1
            posting.again(key[0], causes[key])
    await posting.write()
    await referrals.note_trades(uow, [(trade.client_id, trade.trade_date) for trade in known.values()])


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
        posting.bring(trade, Cause.of(newest[trade.client_id][1]))
    await posting.write()


async def open_clients(opened: Sequence[ClientOpened], uow: UnitOfWork) -> None:
    """Keep who opened an account when: its anniversaries earn points [P3], also those that are closed already."""
    before = await uow.sql.fetch(
        "SELECT client_id, opened_on FROM clients WHERE client_id = ANY($1::text[]) AND opened_on IS NOT NULL",
        [event.client_id for event in opened],
    )
    await LATE.mark(uow, (await CLIENTS.keep(uow, ClientOpened, opened)).items())
    await LATE.note(uow, ClientOpened, [(event.client_id, event.opened_on) for event in opened])
    told = {event.client_id: event.opened_on for event in opened}
    await LATE.mark(uow, [(client, min(day, told[client])) for client, day in before if day != told[client]])


async def update_clients(updated: Sequence[ClientUpdated], uow: UnitOfWork) -> None:
    """Keep profiles: those of a referral's household on its day [P3]."""
    await LATE.mark(uow, (await CLIENTS.keep(uow, ClientUpdated, updated)).items())


async def close_clients(closed: Sequence[ClientClosed], uow: UnitOfWork) -> None:
    """A closed account has no more anniversaries; the earliest word on its end counts."""
    ends: dict[str, date] = {}
    for event in closed:
        ends[event.client_id] = min(event.closed_on, ends.get(event.client_id, event.closed_on))
    clients = sorted(ends)
    await CLIENTS.make(uow, clients)
    await uow.sql.execute(
        """UPDATE clients c SET closed_on = least(c.closed_on, n.day)
           FROM unnest($1::text[], $2::date[]) AS n(client_id, day) WHERE c.client_id = n.client_id""",
        clients,
        [ends[client] for client in clients],
    )
    await LATE.note(uow, ClientClosed, [(event.client_id, event.closed_on) for event in closed])


async def keep_lifecycles(changes: Sequence[LifecycleChanged], uow: UnitOfWork) -> None:
    """Keep who is LOST since when: no anniversary of theirs earns points [P3]."""
    await LIFECYCLES.keep(uow, changes)
    await LATE.note(uow, LifecycleChanged, [(change.client_id, change.changed_from) for change in changes])


async def accept_other_content(offered: Sequence[SettledTrade], uow: UnitOfWork) -> None:
    """An operator accepted the other content of known trades (rows of `conflicts`): post the difference."""
    posting = await _begin(uow, {trade.client_id for trade in offered})
    known = await trades.known(uow.sql, [(trade.client_id, trade.trade_id) for trade in offered])
    for event in offered:
        trade = known[event.client_id, event.trade_id]
        trade.commission, trade.trade_date = event.commission, event.trade_date
        await trades.amend(uow.sql, trade, uow.now)
        posting.bring(trade, Cause(f"accepted by {uow.actor.person}", await today(uow.sql)))
    await posting.write()


async def _begin(uow: UnitOfWork, clients: set[str]) -> Posting:
    return Posting(uow, await balances.lock(uow.sql, clients), await tiers.of(uow, clients))
