"""The loop of a service's deadlines: in a real home on the database's clock, sleeping until the next is due."""

from datetime import datetime

from chassis.database import Database
from chassis.deadlines.firing import Firing
from chassis.service import Service
from chassis.telemetry import DEADLINES_OVERDUE_SECONDS
from chassis.timeline import Timeline, timeline
from chassis.uow import UnitOfWork

BATCH = 500
LONGEST_WAIT_SECONDS = 30.0
SHORTEST_WAIT_SECONDS = 0.001
HELD_WAIT_SECONDS = 0.5


class Scheduler:
    """Fires one service's deadlines. Any number may run; `waits_seconds` says when to look again, unless woken."""

    def __init__(self, service: Service, database: Database, failures_limit: int = 100) -> None:
        self.database = database
        self.firing = Firing(service.name, service.deadlines, failures_limit)
        self.waits_seconds = LONGEST_WAIT_SECONDS
        self._known: Timeline | None = None
        self.overdue = DEADLINES_OVERDUE_SECONDS.labels(service.name)

    async def step(self) -> bool:
        """Fire one batch of what is due by the database's clock; False: nothing to do before `waits_seconds`."""
        if not await self._look():
            return False
        async with self.database.unit_of_work() as uow:
            fired = await self.firing.due_by(uow, uow.now, uow.now, BATCH)
        if not fired:  # others are firing what is due: look again when they must be through
            self.waits_seconds = HELD_WAIT_SECONDS
        return bool(fired)

    async def _look(self) -> bool:
        """Whether anything is due in a real home; one statement, because every arming wakes this loop."""
        async with self.database.reading() as sql:
            row = await sql.fetchrow(
                """SELECT (SELECT timeline FROM timeline) AS timeline, clock_timestamp() AS now,
                          (SELECT min(due) FROM deadlines WHERE failed_at IS NULL) AS next"""
            )
        assert row is not None
        seconds = (row["next"] - row["now"]).total_seconds() if row["next"] else LONGEST_WAIT_SECONDS
        if row["timeline"] != Timeline.REAL:
            self.waits_seconds = LONGEST_WAIT_SECONDS
            return False
        self.overdue.set(max(0.0, -seconds))
        # The clock may be corrected meanwhile, so never very long; and never again before the instant itself.
        self.waits_seconds = min(LONGEST_WAIT_SECONDS, max(SHORTEST_WAIT_SECONDS, seconds))
        return seconds <= 0

    async def fire_by(self, uow: UnitOfWork, end: datetime, after: datetime | None = None) -> int:
        """Fire one batch of what a day's close has to find done, if its due has come; how many were claimed.

        In a simulated home each counts from when it was due, in a real one from now. `after` spares the search what was
        done by then: entries of the index that are gone, but not cleared away yet, cost as much as others.
        """
        at = uow.now if await self._timeline(uow) is Timeline.REAL else None
        return await self.firing.due_by(uow, await self.reached(uow, end), at, BATCH, after)

    async def reached(self, uow: UnitOfWork, end: datetime) -> datetime:
        """Up to when deadlines fire before a day's close: its end, but in a home that is not simulated not after now."""
        return end if await self._timeline(uow) is Timeline.SIMULATED else min(end, uow.now)

    async def next_due(self, uow: UnitOfWork, after: datetime | None = None) -> datetime | None:
        """When the next deadline (after `after`) is due; `uow.armed` then says what is armed from here on."""
        uow.armed.clear()
        found: datetime | None = await uow.sql.fetchval(
            "SELECT min(due) FROM deadlines WHERE failed_at IS NULL AND due > coalesce($1::timestamptz, '-infinity')",
            after,
        )
        return found

    async def _timeline(self, uow: UnitOfWork) -> Timeline | None:
        """Once decided it stays."""
        if self._known is None:
            self._known = await timeline(uow.sql)
        return self._known
