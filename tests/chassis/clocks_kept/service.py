"""A small service with one kind of clock: a result clock with a warning and two steps after it [C22]."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from chassis.clocks import Ladder, WorkingDays
from chassis.clocks.store import Clock, start, stepped
from chassis.deadlines import Due
from chassis.service import Service
from chassis.tables import new_metadata
from chassis.uow import UnitOfWork
from contracts.broker import FundsMoved, PermissionGranted
from tests.chassis.deadlines.service import note

LADDER = Ladder.from_rows(
    [{"name": "warn", "share": 75}, {"name": "due", "share": 100}, {"name": "boss", "working_minutes": 240}],
    timedelta(hours=1),
)
LIMIT = WorkingDays(3)


async def open_case(events: Sequence[FundsMoved], uow: UnitOfWork) -> None:
    await start(
        uow,
        [
            Clock(f"case/{event.transfer_id}", "result", event.client_id, LIMIT, event.moved_at, LADDER)
            for event in events
        ],
    )


async def step(due: Sequence[Due], uow: UnitOfWork) -> None:
    await note(uow, due)
    uow.emit_all(PermissionGranted(client_id=one.key, permission=one.step, at=one.at) for one in due)


CASES = Service(
    name="timed",
    tables=new_metadata(),
    migrations=Path(__file__).parent.parent / "deadlines" / "timed",
    listens={FundsMoved: open_case},
    publishes=[PermissionGranted],
    deadlines={"result": stepped(step)},
)
