"""Closed days: a business date is closed here once every partition of every topic waited for has passed it.

One closer at a time per service (a row lock), in order, never in the transaction of a batch of facts. The first close
ever closes that date only: history begins there [T7]. The days of a backlog are closed by the month, where no deadline
can come between them.
"""

from datetime import date, timedelta
from time import monotonic

from chassis.clock import end_of, month_end
from chassis.database import Database
from chassis.deadlines.scheduler import Scheduler
from chassis.service import Service
from chassis.telemetry import CLOSED_THROUGH
from chassis.uow import UnitOfWork

TOGETHER_SECONDS = 0.5
"""How long a transaction may go on closing the days of a backlog: what it writes is seen only at its end."""
MOMENT = timedelta(microseconds=1)


class Closer:
    """Closes the days of one service."""

    def __init__(self, service: Service, database: Database, failures_limit: int = 100) -> None:
        self.service = service
        self.database = database
        self.scheduler = Scheduler(service, database, failures_limit)

    async def step(self) -> bool:
        """Do what late facts left to do, then close the next day that can be. False: nothing to do now."""
        async with self.database.unit_of_work() as uow:
            state = await uow.sql.fetchrow("SELECT first, through FROM closed_days FOR UPDATE SKIP LOCKED")
            if state is None:  # another worker is closing
                return False
            through: date | None = state["through"]
            if through and self.service.deadlines and await self.scheduler.fire_by(uow, end_of(through)):
                return True  # armed by late facts, or by the close itself, for before its end
            if through and self.service.catches_up and await self.service.catches_up(through, uow):
                return True
            passed = await uow.sql.fetchrow(
                """SELECT max(first_passed) AS first, min(passed) AS last, count(*) = count(passed) AS all_passed
                   FROM consumer_offsets WHERE topic = ANY($1::text[])""",
                sorted(self.service.watermark_topics),
            )
            if passed is None or not passed["all_passed"] or passed["last"] is None:
                return False
            day: date = through + timedelta(days=1) if through else passed["first"]
            if day > passed["last"]:
                return False
            last, worked = await self._close_from(day, passed["last"], uow, begins=through is None)
        if last:
            CLOSED_THROUGH.labels(self.service.name).set(end_of(last).timestamp())
        return worked

    async def _close_from(self, day: date, end: date, uow: UnitOfWork, *, begins: bool) -> tuple[date | None, bool]:
        """Close a day, and in a backlog the days after it while that takes no longer than a moment.

        `begins`: it is the first one ever. A service without deadlines closes the days of a month together.
        The last day closed, if any, and whether anything was done at all.
        """
        began, last, fired = monotonic(), None, 0
        due = await self.scheduler.next_due(uow) if self.service.deadlines else None
        while day <= end and (last is None or monotonic() - began < TOGETHER_SECONDS):
            # Deadlines first: the close finds everything done that was due by its end.
            while due and due <= await self.scheduler.reached(uow, end_of(day)):
                count = await self.scheduler.fire_by(uow, end_of(day), due - MOMENT)
                if not count:  # somebody else is firing it
                    return last, bool(last or fired)
                fired += count
                if monotonic() - began > TOGETHER_SECONDS:  # kept, before the rest
                    return last, True
                due = await self.scheduler.next_due(uow, min([due, *uow.armed.values()]) - MOMENT)
            days = [day] if begins or self.service.deadlines else _month_from(day, end)
            uow.happened_at = min(uow.now, end_of(days[-1]))
            if self.service.closes:
                await self.service.closes(days, uow)
            if self.service.completes:
                for one in days:
                    uow.emit(self.service.completes(business_date=one), at=min(uow.now, end_of(one)))
            await uow.sql.execute("UPDATE closed_days SET first = coalesce(first, $1), through = $2", days[0], days[-1])
            begins, last, day = False, days[-1], days[-1] + timedelta(days=1)
            # The next one is that known before, or one the close has armed. (What others arm meanwhile for an earlier time
            # is found by the next step, which looks from the beginning.)
            due = min([*uow.armed.values(), *([due] if due else [])], default=None)
        return last, bool(last or fired)


def _month_from(day: date, end: date) -> list[date]:
    """The days from one until another, or until its month ends."""
    last = min(end, month_end(day))
    return [day + timedelta(days=n) for n in range((last - day).days + 1)]
