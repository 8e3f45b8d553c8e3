"""The clock of a real home: closes each business date D at 00:30 of D+1 in Shanghai, once, catching up what was missed.

In a simulated home, and before the first fact, it closes nothing. An earlier close from outside stands.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

import structlog

from chassis.bus.record import Outgoing
from chassis.clock import business_date, end_of, start_of
from chassis.database import Database
from chassis.notifications import Notifications
from chassis.outages import OUTAGES
from chassis.settings import Settings
from chassis.uow import UnitOfWork
from contracts import broker
from contracts.base import encode

log = structlog.get_logger()
LONGEST_WAIT_SECONDS = 60.0


def close_messages(uow: UnitOfWork, day: date, event_id: str, source: str, at: datetime) -> Iterable[Outgoing]:
    """The watermark of a day, for every partition of every topic of the broker."""
    event = broker.BrokerDayClosed(business_date=day)
    value = encode(event)
    for topic in broker.TOPICS:
        for partition in range(uow.database.partitions):
            yield Outgoing(topic, partition, event.key, event.type, event_id, source, at, value)


async def note_closed(uow: UnitOfWork, day: date) -> None:
    """Remember that the close of `day` is published, so that the clock does not close it again."""
    await uow.sql.execute("UPDATE home SET published_through = greatest(published_through, $1)", day)


class Clock:
    """Closes days when they are due. Any number may run: a row lock lets one close at a time."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.database = database
        self.delay = timedelta(minutes=settings.close_after_midnight_minutes)
        self.waits_seconds = LONGEST_WAIT_SECONDS

    async def step(self) -> date | None:
        """Close the next day that is due; None when none is."""
        async with self.database.unit_of_work() as uow:
            home = await uow.sql.fetchrow("SELECT * FROM home FOR UPDATE SKIP LOCKED")
            if home is None or home["timeline"] != "real":
                return None
            published: date | None = home["published_through"]
            day = published + timedelta(days=1) if published else business_date(home["decided_at"])
            due = end_of(day) + self.delay
            if uow.now < due:
                self.waits_seconds = min(LONGEST_WAIT_SECONDS, (due - uow.now).total_seconds())
                return None
            await note_closed(uow, day)
            event_id = f"{broker.BrokerDayClosed.type}/{day.isoformat()}"
            uow.publish(close_messages(uow, day, event_id, "careline/clock", end_of(day)))
            uow.audit("close_day", f"day/{day.isoformat()}", due=due.isoformat())
        log.info("day closed", business_date=day.isoformat())
        return day

    async def run(self, wake: Notifications) -> None:
        """Close days as they fall due, for ever."""
        while True:
            seen, self.waits_seconds = wake.count, LONGEST_WAIT_SECONDS
            try:
                while await self.step():
                    pass
            except OUTAGES as error:
                log.warning("clock waits", error=error)
                self.waits_seconds = 1.0
            await wake.wait(seen, self.waits_seconds)


def first_day_not_over(now: datetime) -> date:
    """The business date that no close may be later than: today."""
    today = business_date(now)
    assert start_of(today) <= now
    return today
