"""Types a service has just begun to hear: their records from the first one kept up to where the service is.

A place (topic and partition) has one position for everything heard there. A version that hears more would never see what
lies before it. Such a type gets a position of its own, and nothing else of the service moves until it has come up.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import NamedTuple

import structlog

from chassis.bus.log import LowWater
from chassis.bus.record import Record
from chassis.consumer import Batch, Consumer, LostPartition, Moves, Place
from chassis.database import Database
from chassis.uow import UnitOfWork

log = structlog.get_logger()


class Stretch(NamedTuple):
    """What of a place is read next: some types, from an offset up to and without another."""

    place: Place
    types: Sequence[str]
    first: int
    end: int


ReadStretch = Callable[[Stretch, int], Awaitable[tuple[list[Record], int]]]
"""Reads a part of a stretch, of up to so many records or offsets: its records, and up to where that goes. Raises: RecordsGone."""


class RecordsGone(Exception):
    """The bus has dropped the first records of a stretch since it was begun."""


class NewTypes(Consumer):
    """Applies what has just begun to be heard."""

    def __init__(self, prepared: Consumer) -> None:
        super().__init__(prepared.service, prepared.database, prepared.breaker.limit)
        self.hearing = prepared.hearing
        self.stretch = Stretch(("", 0), (), 0, 0)

    async def step(self, read: ReadStretch, limit: int) -> bool:
        """Apply one batch; False when every type has come up.

        Raises: LostPartition, and as `Consumer.apply`.
        """
        async with self.database.unit_of_work() as uow:
            stretch = await self._next(uow)
        if stretch is None:
            return False
        self.stretch = stretch
        try:
            records, end = await read(stretch, limit)
        except RecordsGone:
            await self._begin_anew()
            return True
        await self.apply(Batch(records, self.read(records), {stretch.place: (stretch.first, end)}))
        return True

    async def _next(self, uow: UnitOfWork) -> Stretch | None:
        rows = await uow.sql.fetch(
            """SELECT t.topic, t.partition, t.type, t.next, o.next AS goal
               FROM heard_types t JOIN consumer_offsets o USING (topic, partition)
               WHERE t.next IS NOT NULL ORDER BY t.topic, t.partition, t.next"""
        )
        if not rows:
            return None
        topic, partition, _, first, goal = rows[0]
        here = [row for row in rows if (row["topic"], row["partition"]) == (topic, partition)]
        others = [row["next"] for row in here if row["next"] > first]
        types = [row["type"] for row in here if row["next"] == first]
        return Stretch((topic, partition), types, first, max(first, min([goal, *others])))

    async def _move(self, moves: Moves, uow: UnitOfWork) -> dict[Place, date | None]:
        [((topic, partition), (expected, following))] = moves.items()
        row = await uow.sql.fetchrow(
            """SELECT next, passed FROM consumer_offsets
               WHERE topic = $1 AND partition = $2 AND hearing = $3 FOR UPDATE""",
            topic,
            partition,
            self.hearing,
        )
        if row is None:
            raise LostPartition(topic, partition)
        moved = await uow.sql.fetch(
            """UPDATE heard_types SET next = $5 WHERE topic = $1 AND partition = $2 AND next = $3 AND type = ANY($4::text[])
               RETURNING type""",
            topic,
            partition,
            expected,
            self.stretch.types,
            following if following < row["next"] else None,
        )
        if len(moved) != len(self.stretch.types):
            raise LostPartition(topic, partition)
        return {(topic, partition): row["passed"]}

    async def _begin_anew(self) -> None:
        """What was never known here begins later than it could have: said, and shown by `careline positions show`."""
        (topic, partition), types, *_ = self.stretch
        async with self.database.unit_of_work() as uow:
            kept = (await self.kept_from(uow.sql, [topic])).get((topic, partition), LowWater(0, None))
            await uow.sql.execute(
                """UPDATE heard_types SET next = $4, since = $5
                   WHERE topic = $1 AND partition = $2 AND type = ANY($3::text[]) AND next < $4""",
                topic,
                partition,
                types,
                *kept,
            )
        log.warning(
            "records went before they were read", service=self.service.name, topic=topic, types=types, since=kept.since
        )


def from_log(database: Database) -> ReadStretch:
    """Reads stretches of the log in PostgreSQL."""

    async def read(stretch: Stretch, limit: int) -> tuple[list[Record], int]:
        place, types, first, end = stretch
        end = min(end, first + limit)
        async with database.reading() as sql:
            kept = (await database.log.low_water(sql, [place[0]]))[place]
            if first < kept.next and first < end:
                raise RecordsGone
            return await database.log.read_types(sql, {place: (first, end)}, types), end

    return read
