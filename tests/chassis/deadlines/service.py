"""A small service of time: facts arm deadlines, deadlines leave rows, close D leaves one too."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

from chassis.deadlines import Deadline, Due, arm, cancel
from chassis.service import Service
from chassis.staff import keep_branches, keep_staff
from chassis.tables import new_metadata
from chassis.uow import UnitOfWork
from contracts.broker import (
    BranchChanged,
    ClosingRequested,
    FundsMoved,
    PermissionGranted,
    PermissionRequested,
    StaffChanged,
)


async def note(uow: UnitOfWork, due: Sequence[Due], text: str = "") -> None:
    await uow.sql.executemany(
        "INSERT INTO fired (kind, object, step, due, at, recorded, note) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [(d.kind, d.object, d.step, d.due, d.at, uow.now, text) for d in due],
    )


async def fact(uow: UnitOfWork, name: str, at: datetime) -> None:
    await uow.sql.execute("INSERT INTO fired (kind, object, at) VALUES ('fact', $1, $2)", name, at)


async def arm_for_moves(events: Sequence[FundsMoved], uow: UnitOfWork) -> None:
    """`in` arms one deadline an hour later, `out` cancels it."""
    for event in events:
        await fact(uow, event.transfer_id, event.moved_at)
        name = ("ring", f"client/{event.client_id}")
        if event.direction == "in":
            await arm(uow, [Deadline(*name, event.client_id, event.moved_at + timedelta(hours=1))])
        else:
            await cancel(uow, [name])


async def hear_permissions(events: Sequence[PermissionRequested], uow: UnitOfWork) -> None:
    for event in events:
        await fact(uow, event.permission, event.at)


async def ring(due: Sequence[Due], uow: UnitOfWork) -> None:
    await note(uow, due)
    for one in due:
        uow.emit(PermissionGranted(client_id=one.key, permission="rung", at=one.at), at=one.at)


async def chain(due: Sequence[Due], uow: UnitOfWork) -> None:
    """Each step arms the next, an hour later, up to three."""
    await note(uow, due)
    await arm(
        uow,
        [
            Deadline(
                one.kind, one.object, one.key, one.due + timedelta(hours=1), payload={"left": one.payload["left"] - 1}
            )
            for one in due
            if one.payload["left"]
        ],
    )


async def fail(due: Sequence[Due], uow: UnitOfWork) -> None:
    await note(uow, due)
    uow.emit_all(PermissionGranted(client_id=one.key, permission="told", at=one.at) for one in due)
    if any(one.payload.get("bad") for one in due):
        raise ValueError("a bad one")


async def stop_next(due: Sequence[Due], uow: UnitOfWork) -> None:
    await note(uow, due)
    await cancel(uow, [("ring", one.object) for one in due])


async def close(days: Sequence[date], uow: UnitOfWork) -> None:
    for day in days:
        await uow.sql.execute("INSERT INTO fired (kind, object) VALUES ('close', $1)", day.isoformat())


TIMED = Service(
    name="timed",
    tables=new_metadata(),
    migrations=Path(__file__).parent / "timed",
    listens={
        FundsMoved: arm_for_moves,
        PermissionRequested: hear_permissions,
        StaffChanged: keep_staff,
        BranchChanged: keep_branches,
    },
    publishes=[PermissionGranted, ClosingRequested],
    closes=close,
    deadlines={"ring": ring, "chain": chain, "fail": fail, "stop_next": stop_next},
)
