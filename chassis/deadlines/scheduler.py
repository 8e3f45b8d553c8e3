"""The loop of a service's deadlines: in a real home on the database's clock, sleeping until the next is due."""

from datetime import datetime

from chassis.database import Database
from chassis.deadlines.firing import Firing
from chassis.service import Service
from chassis.telemetry import DEADLINES_OVERDUE
from chassis.timeline import Timeline, timeline
from chassis.uow import UnitOfWork

BATCH = 1000
LONGEST_WAIT_SECONDS = 30.0
SHORTEST_WAIT_SECONDS = 0.001


class Scheduler:
    """Fires one service's deadlines. Any number may run; `waits_seconds` says when to look again, unless woken."""

    def __init__(self, service: Service, database: Database, failures_limit: int = 100) -> None:
        self.database = database
        self.firing = Firing(service.name, service.deadlines, failures_limit)
        self.waits_seconds = LONGEST_WAIT_SECONDS
        self.overdue = DEADLINES_OVERDUE.labels(service.name)

    async def step(self) -> bool:
        """Fire one batch of what is due by the database's clock; False: nothing to do before `waits_seconds`."""
        async with self.database.unit_of_work() as uow:
            if await timeline(uow.sql) is not Timeline.REAL:
                self.waits_seconds = LONGEST_WAIT_SECONDS
                return False
            if await self.firing.due_by(uow, uow.now, uow.now, BATCH):
                return True
            self.waits_seconds = await self._until_next(uow)
        return False

    async def _until_next(self, uow: UnitOfWork) -> float:
        """Seconds until the next deadline; the clock may be corrected meanwhile, so never very long."""
        following: datetime | None = await uow.sql.fetchval(
            "SELECT min(due) FROM deadlines WHERE failed_at IS NULL AND due > $1", uow.now
        )
        # What is due and was not claimed is being fired elsewhere, or waits for what is: look again soon.
        held = await uow.sql.fetchval(
            "SELECT EXISTS (SELECT FROM deadlines WHERE failed_at IS NULL AND due <= $1)", uow.now
        )
        self.overdue.set(float(held))
        if held:
            return 1.0
        if following is None:
            return LONGEST_WAIT_SECONDS
        return min(LONGEST_WAIT_SECONDS, max(SHORTEST_WAIT_SECONDS, (following - uow.now).total_seconds()))

    async def fire_by(self, uow: UnitOfWork, end: datetime) -> int:
        """Fire one batch of what a day's close has to find done, if its due has come; how many were claimed.

        In a simulated home each counts from when it was due, in a real one from now.
        """
        known = await timeline(uow.sql)
        by = end if known is Timeline.SIMULATED else min(end, uow.now)
        return await self.firing.due_by(uow, by, uow.now if known is Timeline.REAL else None, BATCH)

    async def any_by(self, uow: UnitOfWork, end: datetime) -> bool:
        """Whether anything due by then is still armed, because somebody else is firing it."""
        known = await timeline(uow.sql)
        by = end if known is Timeline.SIMULATED else min(end, uow.now)
        return bool(
            await uow.sql.fetchval("SELECT EXISTS (SELECT FROM deadlines WHERE failed_at IS NULL AND due <= $1)", by)
        )
