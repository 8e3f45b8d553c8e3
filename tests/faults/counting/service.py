"""A small service that shows every loss and every double: a transfer leaves one entry, moves one balance, tells one event; so
does a purchase, which comes on another topic. A day that is closed leaves one row and tells one event."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

from chassis.service import Service
from chassis.tables import new_metadata
from chassis.uow import UnitOfWork
from contracts.broker import FundsMoved, PermissionGranted, PermissionRequested, ProductPurchased

Hook = Callable[[UnitOfWork], Awaitable[None]]
HOOKS: dict[str, Hook] = {}
"""What a scenario does to a batch: `first` before, `between` in the midst of, `last` after its statements; `close` to a close."""
CLOSED = "closed"
"""The client that is told of closed days."""


async def _at(place: str, uow: UnitOfWork) -> None:
    if hook := HOOKS.get(place):
        await hook(uow)


async def count(moves: Sequence[FundsMoved], uow: UnitOfWork) -> None:
    """Keep each transfer once."""
    await _keep([(move.transfer_id, move.client_id, Decimal(move.amount)) for move in moves], uow)


async def count_purchases(purchases: Sequence[ProductPurchased], uow: UnitOfWork) -> None:
    """Keep each purchase once."""
    await _keep([(one.purchase_id, one.client_id, Decimal(one.amount)) for one in purchases], uow)


async def _keep(moves: Iterable[tuple[str, str, Decimal]], uow: UnitOfWork) -> None:
    await _at("first", uow)
    new = await uow.sql.fetch(
        """INSERT INTO entries SELECT * FROM unnest($1::text[], $2::text[], $3::numeric[])
           ON CONFLICT DO NOTHING RETURNING transfer_id, client_id, amount""",
        *map(list, zip(*moves, strict=True)),
    )
    await _at("between", uow)
    totals: Counter[str] = Counter()
    for _, client, amount in new:
        totals[client] += amount
    await uow.sql.execute(
        """INSERT INTO balances SELECT * FROM unnest($1::text[], $2::numeric[])
           ON CONFLICT (client_id) DO UPDATE SET total = balances.total + excluded.total""",
        sorted(totals),
        [totals[client] for client in sorted(totals)],
    )
    uow.emit_all(PermissionGranted(client_id=client, permission=transfer, at=uow.now) for transfer, client, _ in new)
    await _at("last", uow)


async def note(requests: Sequence[PermissionRequested], uow: UnitOfWork) -> None:
    """Keep each request as a transfer of nothing, and tell it."""
    new = await uow.sql.fetch(
        """INSERT INTO entries SELECT id, client, 0 FROM unnest($1::text[], $2::text[]) AS r(id, client)
           ON CONFLICT DO NOTHING RETURNING transfer_id, client_id""",
        [request.permission for request in requests],
        [request.client_id for request in requests],
    )
    uow.emit_all(PermissionGranted(client_id=client, permission=asked, at=uow.now) for asked, client in new)


async def close(days: Sequence[date], uow: UnitOfWork) -> None:
    """Keep what there was when a day closed, and tell it."""
    for day in days:
        await uow.sql.execute("INSERT INTO closings SELECT $1, count(*), coalesce(sum(amount), 0) FROM entries", day)
        await _at("close", uow)
        uow.emit(PermissionGranted(client_id=CLOSED, permission=f"day-{day}", at=uow.now))


COUNTING = Service(
    name="counting",
    tables=new_metadata(),
    migrations=Path(__file__).parent,
    listens={FundsMoved: count, ProductPurchased: count_purchases},
    publishes=[PermissionGranted],
    closes=close,
)
HEARS_MORE = replace(COUNTING, listens={**COUNTING.listens, PermissionRequested: note})
"""Its next version."""
