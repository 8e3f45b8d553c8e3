"""Events in: facts are kept, and who is to be judged again is noted. What a day means is decided at its close."""

from collections.abc import Sequence
from datetime import date

from chassis.clock import business_date
from chassis.rows import columns
from chassis.uow import UnitOfWork
from contracts.broker import (
    AssessmentRecorded,
    AssetsValued,
    ClientClosed,
    ClientOpened,
    ClientUpdated,
    PermissionEnded,
    PermissionGranted,
    ProductPurchased,
    Profile,
    TradeCancelled,
    TradeSettled,
)
from services.suitability import due, imports, trades
from services.suitability.situations import PURCHASED_ON
from services.suitability.tables import CLIENTS, Permission


async def open_clients(events: Sequence[ClientOpened], uow: UnitOfWork) -> None:
    """Clients as they were opened."""
    await _keep_clients(uow, ClientOpened, events)


async def update_clients(events: Sequence[ClientUpdated], uow: UnitOfWork) -> None:
    """What changed of clients; their branch by day."""
    await _keep_clients(uow, ClientUpdated, events)


async def _keep_clients(uow: UnitOfWork, kind: type[Profile], events: Sequence[Profile]) -> None:
    """Whoever was in another branch on a day on which they were assessed stands in another register of that day; what they took
    of financial products while there is that branch's."""
    known = await uow.sql.fetch(
        "SELECT client_id FROM clients WHERE client_id = ANY($1::text[])", list({event.client_id for event in events})
    )
    since = dict.fromkeys({event.client_id for event in events} - {row["client_id"] for row in known}, date.min)
    since |= await CLIENTS.keep(uow, kind, events)
    moved = await uow.sql.fetch(
        """SELECT DISTINCT a.valid_from FROM unnest($1::text[], $2::date[]) AS n(client_id, since)
           JOIN assessments a ON a.client_id = n.client_id AND a.valid_from >= n.since""",
        list(since),
        list(since.values()),
    )
    took = await uow.sql.fetch(
        f"""SELECT b.client_id, min({PURCHASED_ON}) AS day FROM unnest($1::text[], $2::date[]) AS n(client_id, since)
            JOIN purchases b ON b.client_id = n.client_id AND b.amount > 0 AND {PURCHASED_ON} >= n.since GROUP BY 1""",
        list(since),
        list(since.values()),
    )
    await due.note(
        uow,
        [
            *(due.Changed(row["valid_from"]) for row in moved),
            *(due.Changed(row["day"], row["client_id"]) for row in took),
        ],
    )


async def close_clients(events: Sequence[ClientClosed], uow: UnitOfWork) -> None:
    """Closed accounts: nothing can be bought for them, nothing of theirs expires."""
    first: dict[str, date] = {}
    for event in events:
        first[event.client_id] = min(event.closed_on, first.get(event.client_id, event.closed_on))
    await uow.sql.execute(
        """INSERT INTO clients AS c (client_id, closed_on) SELECT * FROM unnest($1::text[], $2::date[])
           ON CONFLICT (client_id) DO UPDATE SET closed_on = least(c.closed_on, excluded.closed_on)""",
        sorted(first),
        [first[client] for client in sorted(first)],
    )


async def keep_valuations(events: Sequence[AssetsValued], uow: UnitOfWork) -> None:
    """Assets by the day they were valued on, for the annex 4 sheet."""
    latest = {(event.client_id, event.as_of): str(event.total_assets) for event in events}
    ordered = sorted(latest)
    await uow.sql.execute(
        """INSERT INTO valuations (client_id, as_of, total_assets)
           SELECT * FROM unnest($1::text[], $2::date[], $3::text[]::numeric[])
           ON CONFLICT (client_id, as_of) DO UPDATE SET total_assets = excluded.total_assets""",
        [client for client, _ in ordered],
        [day for _, day in ordered],
        [latest[key] for key in ordered],  # as text: the driver is slow to make a numeric of a decimal
    )


async def grant_permissions(events: Sequence[PermissionGranted], uow: UnitOfWork) -> None:
    """Trading permissions (创业板, 融资融券, ...)."""
    await _keep_permissions(uow, events, held=True)


async def end_permissions(events: Sequence[PermissionEnded], uow: UnitOfWork) -> None:
    """Permissions that ended."""
    await _keep_permissions(uow, events, held=False)


async def _keep_permissions(
    uow: UnitOfWork, events: Sequence[PermissionGranted | PermissionEnded], *, held: bool
) -> None:
    new = await uow.sql.fetch(
        f"""INSERT INTO permissions ({columns(Permission)})
            SELECT client, permission, at, $4 FROM unnest($1::text[], $2::text[], $3::timestamptz[])
                AS n(client, permission, at) ON CONFLICT DO NOTHING RETURNING client_id, at""",
        [event.client_id for event in events],
        [event.permission for event in events],
        [event.at for event in events],
        held,
    )
    await due.note(
        uow,
        [
            due.Changed(business_date(row["at"]), row["client_id"], cause="permission" if held else "permission_ended")
            for row in new
        ],
    )


async def keep_purchases(events: Sequence[ProductPurchased], uow: UnitOfWork) -> None:
    """Financial products bought or given back: judged like trades, and what a class raised or a level lowered must look at."""
    await uow.sql.execute(
        """INSERT INTO purchases SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::numeric[],
                                                      $5::timestamptz[]) ON CONFLICT DO NOTHING""",
        [event.client_id for event in events],
        [event.purchase_id for event in events],
        [event.product_code for event in events],
        [event.amount for event in events],
        [event.at for event in events],
    )
    await due.note(uow, [due.Changed(business_date(one.at), one.client_id) for one in events if one.amount > 0])


async def keep_trades(events: Sequence[TradeSettled], uow: UnitOfWork) -> None:
    """Settled trades: buys are judged when their day closes, or at once when it has."""
    await trades.keep(uow, events)


async def keep_cancellations(events: Sequence[TradeCancelled], uow: UnitOfWork) -> None:
    """Cancelled trades: what stays of them."""
    await trades.cancel(uow, events)


async def import_assessments(events: Sequence[AssessmentRecorded], uow: UnitOfWork) -> None:
    """Assessments made elsewhere."""
    await imports.keep(uow, events)
