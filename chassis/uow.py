"""The unit of work: one transaction, one moment, one actor. Nobody else commits."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import uuid7

from chassis.actor import Actor
from chassis.bus.log import CHANNEL, Log
from chassis.bus.record import Content, Outgoing, Record, places
from chassis.personal.keys import Keyring
from chassis.policy import PolicyBook
from chassis.settings import Settings
from chassis.telemetry import DEADLOCKS_RETRIED
from contracts.base import Event, encode
from contracts.personal import PersonalEvent, clear_members

T = TypeVar("T")
Book = TypeVar("Book", bound=PolicyBook)


class Mark(NamedTuple):
    """How many messages, by topic and partition, and how many sealed rows a unit of work has told."""

    told: Mapping[tuple[str, int], int]
    sealed: int


class ServiceDatabase(Protocol):
    """What a unit of work knows of the database it is in."""

    service: str
    partitions: int
    settings: Settings
    keyring: Keyring
    log: Log


class UnitOfWork:
    """What a handler works in. `now` is when things are recorded; `happened_at` is when their cause happened.

    `sql` is the driver's connection inside the transaction, for set-based statements and COPY; `connection` is
    SQLAlchemy's view of the same. Emitted events and sealed rows are written at the very end, because writing them
    locks their heads: everybody else with a row for that partition waits until the commit.
    """

    def __init__(
        self,
        database: ServiceDatabase,
        connection: AsyncConnection,
        sql: asyncpg.Connection,
        now: datetime,
        actor: Actor,
    ) -> None:
        self.database = database
        self.connection = connection
        self.sql = sql
        self.now = now
        self.actor = actor
        self.happened_at = now
        self.partition_of: Callable[[str], int] = places(database.partitions).__getitem__
        """The partition a client's (or a case's) rows and events lie in."""
        self.traceparent: str | None = None
        self.if_match: str | None = None
        self.idempotency_key: str | None = None
        """What came with the request, for acts that need them."""
        self.armed: dict[str, datetime] = {}
        """Of each key the earliest of the deadlines armed here, since somebody last asked for the next one."""
        self._notified: set[str] = set()
        self._answers: dict[object, object] = {}
        self._outgoing: defaultdict[tuple[str, int], list[Content]] = defaultdict(list)
        self._personal = False
        self._published = False
        self._sealed: list[tuple[str, int, Mapping[str, Any]]] = []
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

    async def cached(self, question: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """What a question answers, asked only the first time in this unit of work: for what others decide (policies,
        the calendar), so that a batch or a close is of one mind, however many parts it has."""
        if question not in self._answers:
            self._answers[question] = await question(self.sql)
        return cast(T, self._answers[question])

    async def policies(self, book: type[Book]) -> Book:
        """The service's policies as published by now, read once in this unit of work."""
        return await self.cached(book.read)

    def emit(self, *events: Event, at: datetime | None = None) -> None:
        """Tell the world: the events are on the log when, and only when, this unit of work commits.

        They carry the time `at`, without it `happened_at`.
        """
        self.emit_all(events, at=at)

    def emit_all(self, events: Iterable[Event], *, at: datetime | None = None) -> None:
        """As `emit`. A day closed goes to every partition of its topic, anything else to its key's."""
        outgoing, partition_of, everywhere = self._outgoing, self.partition_of, range(self.database.partitions)
        source, when, trace = self.database.service, at or self.happened_at, self.traceparent
        for event in events:
            key, identity, topic, kind = event.key, event.identity, event.topic, event.type
            event_id = f"{kind}/{identity}" if identity else str(uuid7())
            value: Any = encode(event) if not event.personal else self._to_be_sealed(event)
            content = (key, kind, event_id, source, when, trace, value)
            for partition in everywhere if event.to_everyone else (partition_of(key),):
                outgoing[topic, partition].append(content)

    def _to_be_sealed(self, event: Event) -> bytes | Event:
        """A personal fact stays itself until the end: all keys are asked for at once."""
        if isinstance(event, PersonalEvent) and clear_members(event):
            self._personal = True
            return event
        return encode(event)

    async def _seal_personal(self) -> None:
        found = [
            (contents, number, content[-1])
            for contents in self._outgoing.values()
            for number, content in enumerate(contents)
            if isinstance(content[-1], Event)
        ]
        sealed = await self.database.keyring.seal_events([event for _, _, event in found])
        for (contents, number, _), event in zip(found, sealed, strict=True):
            contents[number] = (*contents[number][:-1], encode(event))

    def publish(self, outgoing: Iterable[Outgoing]) -> None:
        """Write records that came with an envelope of their own (the gateway's ingest, a replay)."""
        self._published = True
        for o in outgoing:
            self._outgoing[o.topic, o.partition].append((o.key, o.type, o.id, o.source, o.time, o.traceparent, o.value))

    def notify(self, subject: str) -> None:
        """Notify, after the commit, the loops that wait for this (see `chassis.notifications`)."""
        self._notified.add(subject)

    def audit(
        self, action: str, subject: str, *, key: str | None = None, policy: str | None = None, **inputs: Any
    ) -> None:
        """Leave an immutable row: this actor did `action` to `subject` (`client/ID`, ...) on these inputs.

        Its actor is the name they signed in with; where the roster knows the person by another, the inputs name them.
        """
        if self.actor.person not in (self.actor.subject.removeprefix("user:"), self.actor.client_id):
            inputs["person"] = self.actor.person
        row = {
            "at": self.now, "actor": self.actor.subject, "role": self.actor.role, "action": action, "object": subject,
            "inputs": inputs, "policy": policy,
        }  # fmt: skip
        self.seal("audit", key or subject, row)

    def seal(self, table: str, key: str, row: Mapping[str, Any]) -> None:
        """Keep an immutable row of a sealed table, under the next number of its key's partition."""
        self._sealed.append((table, self.partition_of(key), row))

    def mark(self) -> Mark:
        """How much was told so far, for `rollback_to` and `told_since`."""
        return Mark({place: len(contents) for place, contents in self._outgoing.items()}, len(self._sealed))

    def rollback_to(self, mark: Mark) -> None:
        """Take back what was told since a mark, as the rollback to a savepoint takes back what was written."""
        for place, contents in list(self._outgoing.items()):
            del contents[mark.told.get(place, 0) :]
            if not contents:
                del self._outgoing[place]
        del self._sealed[mark.sealed :]

    async def once_more(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do work in a savepoint. Should the database end it as a deadlock, it is taken back, with the locks it took, and
        done once more: the other side has what it waited for by then."""
        mark, before = self.mark(), (self.happened_at, dict(self.armed), set(self._notified))
        try:
            async with self.sql.transaction():
                return await work()
        except asyncpg.DeadlockDetectedError:
            self.rollback_to(mark)
            self.happened_at, self.armed, self._notified = before
            self._answers = {}
            DEADLOCKS_RETRIED.labels(self.database.service).inc()
        return await work()

    @asynccontextmanager
    async def undone(self) -> AsyncIterator[None]:
        """Work that leaves nothing behind: a savepoint rolled back, nothing told, nothing remembered."""
        mark, before = self.mark(), (self._answers, self.happened_at, self.armed, self._notified)
        self._answers, self.armed, self._notified = {}, dict(self.armed), set(self._notified)
        savepoint = self.sql.transaction()
        await savepoint.start()
        try:
            yield
        finally:
            await savepoint.rollback()
            self.rollback_to(mark)
            self._answers, self.happened_at, self.armed, self._notified = before

    def told_since(self, mark: Mark) -> list[Content]:
        """The messages since a mark: what a dry run shows."""
        return [one for place, contents in self._outgoing.items() for one in contents[mark.told.get(place, 0) :]]

    @property
    def is_on_record(self) -> bool:
        """Whether this work leaves an audit row, or publishes facts as they came, which are records themselves."""
        return self._published or any(table == "audit" for table, _, _ in self._sealed)

    async def numbers(self, table: str, counts: Mapping[int, int]) -> dict[int, int]:
        """The first of `counts[partition]` gapless numbers in each partition of a sealed table.

        Locks those heads until the end: take balances' and other rows' locks first.
        """
        partitions = sorted(counts)
        rows = await self.sql.fetch(
            "SELECT partition, first FROM take_numbers($1, $2, $3)", table, partitions, [counts[p] for p in partitions]
        )
        if len(rows) != len(partitions):
            raise LookupError(f"{table} is not among the sealed tables of {self.database.service}")
        return {partition: first for partition, first in rows}  # noqa: C416 - rows are records, not pairs

    async def finish(self) -> None:
        """Write what was left to the end: sealed rows, then the log; and wake who was to be woken."""
        by_table: defaultdict[str, list[tuple[int, Mapping[str, Any]]]] = defaultdict(list)
        for table, partition, row in self._sealed:
            by_table[table].append((partition, row))
        for table, rows in sorted(by_table.items()):
            await self._write_sealed(table, rows)
        if self._notified:
            await self.sql.execute(
                f"SELECT pg_notify('{CHANNEL}', s) FROM unnest($1::text[]) s", sorted(self._notified)
            )
        if self._personal:
            await self._seal_personal()
        if self._outgoing:
            await self.database.log.append(self.sql, self._outgoing)

    async def _write_sealed(self, table: str, rows: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
        columns = list(rows[0][1])
        if len(rows) == 1:  # one round trip, as everybody with a row for this partition waits
            [(partition, row)] = rows
            taken = await self.sql.fetchval(
                f"""INSERT INTO {table} (partition, number, {", ".join(columns)})
                    SELECT $2, number, {", ".join(f"${n}" for n in range(3, len(row) + 3))}
                    FROM take_number($1, $2) AS number WHERE number IS NOT NULL RETURNING number""",
                table,
                partition,
                *row.values(),
            )
            if taken is None:
                raise LookupError(f"{table} is not among the sealed tables of {self.database.service}")
            return
        following = await self.numbers(table, Counter(partition for partition, _ in rows))
        records = []
        for partition, row in rows:
            records.append((partition, following[partition], *row.values()))
            following[partition] += 1
        await self.sql.copy_records_to_table(table, records=records, columns=("partition", "number", *columns))
