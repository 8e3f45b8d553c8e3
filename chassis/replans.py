"""A deadline is a limit, not an instant: a new version of the calendar moves what is open, and says what it moved.

Clocks are re-planned by their ledger (`chassis.clocks.store`). Everything else that goes by working or trading days is
re-planned by its service, kind by kind:

    service = Service(..., replans={"survey": replan_limits("survey")})     # armed with `limited`
    service = Service(..., replans={"limit": tasks.replan})                 # what is due stands in a table as well

    async def replan(uow: UnitOfWork, calendar: Calendar) -> Sequence[Moved]:
        ...                                   # locks what is open, plans it anew, returns what has another due now

What is over, or was missed, is not touched. What moved stands beside the clocks that moved, in `clock_replans`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from chassis.calendar import Calendar, CalendarEnds
from chassis.clocks.limits import Limit, limit_from, mapping_of
from chassis.deadlines import Deadline, arm
from chassis.uow import UnitOfWork


class Moved(NamedTuple):
    """One thing that has another due now."""

    object: str
    before: datetime
    after: datetime


Replan = Callable[[UnitOfWork, Calendar], Awaitable[Sequence[Moved]]]


def limited(
    kind: str, object: str, key: str, limit: Limit, start: datetime, calendar: Calendar, step: str = ""
) -> Deadline:
    """A deadline that is a limit from a start on, kept with both and the calendar's version.

    Raises: CalendarEnds.
    """
    kept = {"limit": mapping_of(limit), "start": start, "calendar": calendar.version}
    return Deadline(kind, object, key, limit.first_due(start, calendar), step, kept)


def replan_limits(kind: str) -> Replan:
    """How deadlines of a kind that were armed with `limited` move."""

    async def move(uow: UnitOfWork, calendar: Calendar) -> Sequence[Moved]:
        rows = await uow.sql.fetch(
            """SELECT object, key, step, due, payload FROM deadlines WHERE kind = $1 AND payload ? 'limit'
               ORDER BY object, kind, step FOR UPDATE""",
            kind,
        )
        armed, moved = [], []
        for row in rows:
            limit, start = limit_from(row["payload"]["limit"]), datetime.fromisoformat(row["payload"]["start"])
            try:
                one = limited(kind, row["object"], row["key"], limit, start, calendar, row["step"])
            except CalendarEnds:  # a version that ends too soon leaves it as it is
                continue
            armed.append(one)
            if one.due != row["due"]:
                moved.append(Moved(one.object, row["due"], one.due))
        await arm(uow, armed)
        return moved

    return move


async def replan(uow: UnitOfWork, replans: Mapping[str, Replan], before: Calendar, after: Calendar) -> None:
    """Re-plan every kind, and keep what moved."""
    for kind, plan in replans.items():
        moved = await plan(uow, after)
        await uow.sql.execute(
            """INSERT INTO clock_replans (object, clock, at, calendar_before, calendar_after, due_before, due_after)
               SELECT o, $2, $3, $4, $5, b, a FROM unnest($1::text[], $6::timestamptz[], $7::timestamptz[]) AS n(o, b, a)""",
            [one.object for one in moved],
            kind,
            uow.now,
            before.version,
            after.version,
            [one.before for one in moved],
            [one.after for one in moved],
        )
