"""The unit of work: one transaction, one moment, one actor. Nobody else commits."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import uuid7

from chassis.actor import Actor
from chassis.bus.record import Outgoing, Record, partition_of
from contracts.base import DayClosed, Event, encode

if TYPE_CHECKING:
    from chassis.database import Database


class UnitOfWork:
    """What a handler works in. `now` is when things are recorded; `happened_at` is when their cause happened.

    `sql` is the driver's connection inside the transaction, for set-based statements and COPY; `connection` is
    SQLAlchemy's view of the same. Emitted events and audit rows are written at the very end, because writing them
    locks their heads.
    """

    def __init__(
        self, database: "Database", connection: AsyncConnection, sql: asyncpg.Connection, now: datetime, actor: Actor
    ) -> None:
        self.database = database
        self.connection = connection
        self.sql = sql
        self.now = now
        self.actor = actor
        self.happened_at = now
        self.traceparent: str | None = None
        self._outgoing: list[Outgoing] = []
        self._audit: list[tuple[int, str, str, dict[str, Any], str | None]] = []
        self._heard: Mapping[type[Event], Sequence[Record]] = {}
        self._passed: Mapping[type[Event], Sequence[date | None]] = {}

    def hear(
        self,
        heard: Mapping[type[Event], Sequence[Record]],
        passed: Mapping[type[Event], Sequence[date | None]] | None = None,
    ) -> None:
        """Make the records behind a batch's events known, by event class and in the events' order.

        `passed` is the last watermark that stood before each record in its partition; not given (a redrive, an
        accepted conflict), every record counts as late.
        """
        self._heard = heard
        self._passed = passed or {kind: [date.max] * len(records) for kind, records in heard.items()}

    def passed(self, kind: type[Event]) -> Sequence[date | None]:
        """For each of the batch's events of one class the day its partition had already passed: a fact that counts
        for that day or an earlier one is late (its day may be closed)."""
        return self._passed[kind]

    def records(self, kind: type[Event]) -> Sequence[Record]:
        """The records of the batch's events of one class, in the events' order (for id, time and partition)."""
        return self._heard[kind]

    def partition_of(self, key: str) -> int:
        """The partition a client's (or a case's) rows and events lie in."""
        return partition_of(key, self.database.partitions)

    def emit(self, *events: Event) -> None:
        """Tell the world: the events are on the log when, and only when, this unit of work commits."""
        self.emit_all(events)

    def emit_all(self, events: Iterable[Event]) -> None:
        """As `emit`. A day closed goes to every partition of its topic, anything else to its key's."""
        count = self.database.partitions
        source, when, trace = self.database.service, self.happened_at, self.traceparent
        for event in events:
            key, identity = event.key, event.identity
            event_id = f"{event.type}/{identity}" if identity else str(uuid7())
            places = range(count) if isinstance(event, DayClosed) else (partition_of(key, count),)
            value = encode(event)
            self._outgoing += [
                Outgoing(event.topic, p, key, event.type, event_id, source, when, value, trace) for p in places
            ]

    def publish(self, outgoing: Iterable[Outgoing]) -> None:
        """Write records that came with an envelope of their own (the gateway's ingest, a replay)."""
        self._outgoing += outgoing

    def audit(
        self, action: str, subject: str, *, key: str | None = None, policy: str | None = None, **inputs: Any
    ) -> None:
        """Leave an immutable row: this actor did `action` to `subject` (`client/ID`, ...) on these inputs."""
        self._audit.append((self.partition_of(key or subject), action, subject, inputs, policy))

    async def numbers(self, table: str, counts: Mapping[int, int]) -> dict[int, int]:
        """The first of `counts[partition]` gapless numbers in each partition of a sealed table.

        Locks those heads until the end: take balances' and other rows' locks first.
        """
        partitions = sorted(counts)
        await self.sql.execute(
            """INSERT INTO sealed_heads (name, partition) SELECT $1, p FROM unnest($2::int[]) p
               WHERE NOT EXISTS (SELECT FROM sealed_heads h WHERE h.name = $1 AND h.partition = p)
               ORDER BY p ON CONFLICT DO NOTHING""",
            table,
            partitions,
        )
        if len(partitions) > 1:
            await self.sql.execute(
                """SELECT FROM sealed_heads WHERE name = $1 AND partition = ANY($2::int[])
                   ORDER BY partition FOR UPDATE""",
                table,
                partitions,
            )
        rows = await self.sql.fetch(
            """UPDATE sealed_heads h SET next = h.next + n.count
               FROM unnest($2::int[], $3::bigint[]) AS n(partition, count)
               WHERE h.name = $1 AND h.partition = n.partition RETURNING h.partition, h.next - n.count""",
            table,
            partitions,
            [counts[p] for p in partitions],
        )
        return {partition: first for partition, first in rows}  # noqa: C416 - rows are records, not pairs

    async def finish(self) -> None:
        """Write what was left to the end: audit rows, then the log."""
        if self._audit:
            await self._write_audit()
        if self._outgoing:
            await self.database.log.append(self.sql, self._outgoing)

    async def _write_audit(self) -> None:
        counts: defaultdict[int, int] = defaultdict(int)
        for partition, *_ in self._audit:
            counts[partition] += 1
        following = await self.numbers("audit", counts)
        rows = []
        for partition, action, subject, inputs, policy in self._audit:
            actor = self.actor
            row = (
                partition,
                following[partition],
                self.now,
                actor.subject,
                actor.role,
                action,
                subject,
                inputs,
                policy,
            )
            rows.append(row)
            following[partition] += 1
        await self.sql.copy_records_to_table(
            "audit",
            records=rows,
            columns=("partition", "number", "at", "actor", "role", "action", "object", "inputs", "policy"),
        )
