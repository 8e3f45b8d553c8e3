"""The consumer: batches in, one transaction, effects exactly once.

Positions live in the service's own database and move by compare-and-set in the transaction of the effects. A batch
that fails is halved until the bad record stands alone and goes to the dead letters; an outage is waited out.
"""

import asyncio
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import asyncpg
import msgspec
import structlog
from sqlalchemy import insert

from chassis import tables
from chassis.breaker import Breaker, TooManyBadRecords
from chassis.bus.log import BelowLowWater, Log, LowWater
from chassis.bus.parts import LOCK
from chassis.bus.record import ForeignRecord, Record, Unreadable, flaw_of, flaw_of_time, storable
from chassis.clock import business_date
from chassis.database import Database
from chassis.deadlines.firing import Firing
from chassis.outages import blames_record
from chassis.personal.free_text import mask_text
from chassis.personal.keys import SEALED, Keyring, Value
from chassis.platform_facts import handlers_of
from chassis.service import Service
from chassis.telemetry import BATCH_RECORDS, CONSUMED, DEAD_LETTERS
from chassis.timeline import Timeline, timeline
from chassis.uow import UnitOfWork
from contracts.ahead import AHEAD, TooFarAhead, any_far_ahead, far_ahead
from contracts.base import DayClosed, Event, Registry
from contracts.broker import TOPICS
from contracts.personal import PersonalEvent, clear_members
from contracts.platform import EVENTS as PLATFORM

log = structlog.get_logger()
SLICE = 500
LETTER = "dead letter"


class LostPartition(Exception):
    """Another worker moved the position, or hears more than this one: nothing of this batch was kept."""


class OlderWorker(Exception):
    """The service has begun to hear types that this version does not know: it leaves the work to newer ones."""

    def __init__(self, types: Sequence[str]) -> None:
        super().__init__(f"the service hears {', '.join(types)}, which this version does not")


Place = tuple[str, int]
Moves = Mapping[tuple[str, int], tuple[int, int]]
"""From and to which offset the position of each topic and partition moves."""


Said = Event | Exception | None
"""What a record says: an event, or why it cannot be read, or nothing as nobody here hears its type."""


@dataclass(slots=True)
class Batch:
    """Records read from given positions, in order inside each topic and partition, what they say, and how far these
    positions move.

    A position may move past records that were not read because nobody here hears their types.
    """

    records: Sequence[Record]
    said: Sequence[Said]
    moves: Moves

    def halves(self) -> tuple["Batch", "Batch"]:
        """The same records as two smaller batches, the second from where the first one ends."""
        middle = len(self.records) // 2
        first, second = self.records[:middle], self.records[middle:]
        begins: dict[tuple[str, int], int] = {}
        for record in second:
            begins.setdefault((record.topic, record.partition), record.offset)
        return (
            Batch(
                first,
                self.said[:middle],
                {place: (start, begins.get(place, end)) for place, (start, end) in self.moves.items()},
            ),
            Batch(
                second, self.said[middle:], {place: (begin, self.moves[place][1]) for place, begin in begins.items()}
            ),
        )

    def without_flaws(self) -> "Batch | None":
        """The same batch where records whose envelope cannot be kept are unreadable; None when there are no such records
        left. Looked for only when something failed: it costs too much to ask of each record."""
        flaws = {
            index: flaw
            for index, (record, said) in enumerate(zip(self.records, self.said, strict=True))
            if isinstance(said, Event) and (flaw := flaw_of(record))
        }
        if not flaws:
            return None
        said = [Unreadable(flaws[index]) if index in flaws else one for index, one in enumerate(self.said)]
        return Batch(self.records, said, self.moves)


@dataclass(slots=True)
class Heard:
    """The events of one class with their records, and which day their place had passed at each."""

    events: list[Event] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    passed_before: list[date | None] = field(default_factory=list)


@dataclass(slots=True)
class DecodedBatch:
    """What a batch says: events by class, watermarks by place, unreadable records.

    `passed` is the last watermark of each place, moving along.
    """

    passed: dict[tuple[str, int], date | None]
    heard: defaultdict[type[Event], Heard] = field(default_factory=lambda: defaultdict(Heard))
    watermarks: dict[tuple[str, int], tuple[date, date]] = field(default_factory=dict)
    bad: list[tuple[Record, Exception]] = field(default_factory=list)


def rounds(heard: Mapping[type[Event], Heard]) -> Iterator[tuple[dict[str, datetime], dict[type[Event], Heard]]]:
    """A batch in rounds: in each at most one instant of a key, the earlier before the later; with that instant."""
    instants: defaultdict[str, list[datetime]] = defaultdict(list)  # sorted; nearly always one, so nothing is hashed
    for one in heard.values():
        for record in one.records:
            known = instants[record.key]
            if record.time not in known:
                insort(known, record.time)
    parts: defaultdict[int, dict[type[Event], Heard]] = defaultdict(dict)
    for kind, one in heard.items():
        for event, record, passed in zip(one.events, one.records, one.passed_before, strict=True):
            facts = parts[bisect_left(instants[record.key], record.time)]
            part = facts.get(kind)
            if part is None:
                part = facts[kind] = Heard()
            part.events.append(event)
            part.records.append(record)
            part.passed_before.append(passed)
    for _, facts in sorted(parts.items()):
        yield {record.key: record.time for one in facts.values() for record in one.records}, facts


class Consumer:
    """Applies batches of one service's records."""

    def __init__(self, service: Service, database: Database, bad_records_limit: int) -> None:
        self.service = service
        self.database = database
        self.registry = service.registry
        self.handlers = handlers_of(service)
        self.firing = Firing(service.name, service.deadlines, bad_records_limit)
        self.types = sorted(self.registry.readers)
        self.breaker = Breaker(bad_records_limit)
        self.personal = {kind for kind in self.registry.kinds.values() if kind.personal}
        self.hearing: int | None = None  # `prepare` says

    async def prepare(self) -> None:
        """Make the position rows of every topic and partition read here: each begins where its bus still has everything.
        Types heard for the first time get positions of their own there (see `chassis.new_types`).

        Raises: OlderWorker.
        """
        async with self.database.unit_of_work() as uow:
            await uow.sql.execute(
                """INSERT INTO consumer_partitions SELECT generate_series(0, $1::int - 1) ON CONFLICT DO NOTHING""",
                self.database.partitions,
            )
            known = {tuple(row) for row in await uow.sql.fetch("SELECT topic, partition FROM consumer_offsets")}
            missing = {(t, p) for t in self.service.topics for p in range(self.database.partitions)} - known
            if missing:
                await self._begin(sorted(missing), uow)
            self.hearing = await self._register_types(missing, uow)
            await uow.sql.execute("INSERT INTO closed_days DEFAULT VALUES ON CONFLICT DO NOTHING")

    async def _begin(self, places: Sequence[Place], uow: UnitOfWork) -> None:
        topics = sorted({topic for topic, _ in places})
        kept = await self._begins(topics, uow)
        begins = [kept.get(place, LowWater(0, None)) for place in places]
        await uow.sql.execute(
            """INSERT INTO consumer_offsets (topic, partition, next, since)
               SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::timestamptz[]) ON CONFLICT DO NOTHING""",
            [topic for topic, _ in places],
            [partition for _, partition in places],
            [mark.next for mark in begins],
            [mark.since for mark in begins],
        )
        if late := [mark.since for mark in begins if mark.since]:
            log.warning(
                "this service's knowledge does not begin at the first fact", service=self.service.name,
                since=max(late).isoformat(), topics=topics,
            )  # fmt: skip

    async def _begins(self, topics: Sequence[str], uow: UnitOfWork) -> dict[Place, LowWater]:
        # Shared with whoever raises the marks: a reader that begins is seen before anything more is dropped.
        await uow.sql.execute(f"SELECT pg_advisory_xact_lock_shared({LOCK})")
        return await self.kept_from(uow.sql, topics)

    async def _register_types(self, begun: Set[Place], uow: UnitOfWork) -> int:
        """Keep which types are heard in each place, `begun` being those that just got their position; the number by which
        workers know whether they hear everything.

        Raises: OlderWorker.
        """
        places = await uow.sql.fetch(
            "SELECT topic, partition, next, since, hearing FROM consumer_offsets ORDER BY topic, partition FOR UPDATE"
        )
        if more := await self.not_heard(uow.sql):
            raise OlderWorker(more)
        known = {tuple(row) for row in await uow.sql.fetch("SELECT topic, partition, type FROM heard_types")}
        hearing = max((row["hearing"] for row in places), default=0)
        by_topic = defaultdict[str, list[str]](list)
        for name, kind in self.registry.kinds.items():
            by_topic[kind.topic].append(name)
        new = [
            (row, kind) for row in places for kind in by_topic[row["topic"]]
            if (row["topic"], row["partition"], kind) not in known
        ]  # fmt: skip
        if not new:
            return hearing
        # What an older version has read before types were kept, it is taken to have heard in full.
        later = {(row["topic"], row["partition"]) for row, _ in new} - begun if known else set[Place]()
        marks = await self._begins(sorted({topic for topic, _ in later}), uow) if later else {}
        rows = [_heard_from(row, kind, marks.get((row["topic"], row["partition"]))) for row, kind in new]
        await uow.sql.executemany(
            "INSERT INTO heard_types (topic, partition, type, next, since) VALUES ($1, $2, $3, $4, $5)", rows
        )
        await uow.sql.execute("UPDATE consumer_offsets SET hearing = $1", hearing + 1)
        if behind := [row for row in rows if row[3] is not None]:
            log.warning(
                "this version hears more: what is kept of it is read before anything else", service=self.service.name,
                types=sorted({kind for _, _, kind, *_ in behind}),
                since=max((since for *_, since in behind if since), default=None),
            )  # fmt: skip
        return hearing + 1

    async def not_heard(self, sql: asyncpg.Connection) -> list[str]:
        """The types the service hears that this version does not know: it is older, or their rows were not deleted by the
        migration of the version that stopped hearing them."""
        rows = await sql.fetch(
            "SELECT DISTINCT type FROM heard_types WHERE type <> ALL($1::text[]) ORDER BY type", self.types
        )
        return [name for (name,) in rows]

    async def kept_from(self, sql: asyncpg.Connection, topics: Sequence[str]) -> dict[Place, LowWater]:
        """From where on the bus still has the records of some topics."""
        if not self.database.settings.on_kafka:
            return await self.database.log.low_water(sql, topics)
        from chassis.bus.kafka_topics import KafkaAddress, kept_from

        address = KafkaAddress.parse(self.database.settings.bus_url or "")
        return await kept_from(address, [(topic, p) for topic in topics for p in range(self.database.partitions)])

    async def positions(self) -> dict[tuple[str, int], int]:
        """The next offset of every topic and partition read here."""
        async with self.database.reading() as sql:
            rows = await sql.fetch("SELECT topic, partition, next FROM consumer_offsets")
        return {(topic, partition): following for topic, partition, following in rows}

    async def apply(self, batch: Batch) -> None:
        """Apply a batch exactly once, dead-lettering what cannot be.

        Raises: LostPartition, TooManyBadRecords (the batch is kept then), or what blames no record (nothing of the failing
        part was kept).
        """
        if self.too_many_at_once(batch):
            await self._apply_halves(batch)
            return
        try:
            async with self.database.unit_of_work() as uow:
                await self.handle(batch, uow)
        except (LostPartition, TooManyBadRecords):
            raise
        except Exception as error:
            await self.apply_after(batch, error)
        else:
            self.note(batch)

    async def apply_after(self, batch: Batch, error: Exception) -> None:
        """Apply a batch whose transaction failed: halved, until the bad record stands alone and is buried.

        Raises: the error, when it blames no record; and as `apply`.
        """
        if flawed := batch.without_flaws():
            await self.apply(flawed)
        elif not batch.records or not blames_record(error):
            raise error
        elif len(batch.records) > 1:
            await self._apply_halves(batch)
        else:
            await self._apply_alone(batch)

    async def _apply_halves(self, batch: Batch) -> None:
        for half in batch.halves():
            await self.apply(half)

    async def _apply_alone(self, batch: Batch) -> None:
        """Once more in a transaction of its own, then buried."""
        [record] = batch.records
        try:
            async with self.database.unit_of_work() as uow:
                await self.handle(batch, uow)
        except (LostPartition, TooManyBadRecords):
            raise
        except Exception as error:
            if not blames_record(error):
                raise
            log.warning("dead letter", service=self.service.name, type=record.type, event_id=record.id, error=error)
            batch = Batch(batch.records, [error], batch.moves)
            async with self.database.unit_of_work() as uow:
                await self.handle(batch, uow)
        self.note(batch)

    def too_many_at_once(self, batch: Batch) -> bool:
        """Whether it has more unreadable records than the breaker lets pass in a row: in parts, so that it is asked in between."""
        limit = self.breaker.limit
        return len(batch.said) > limit and sum(isinstance(one, Exception) for one in batch.said) > limit

    def note(self, batch: Batch) -> None:
        """Tell the breaker of a batch that was kept.

        Raises: TooManyBadRecords.
        """
        if not any(isinstance(one, Exception) for one in batch.said):
            self.breaker.good(len(batch.records), list(batch.moves))
            return
        self.breaker.mixed(
            [
                ((record.topic, record.partition), isinstance(said, Exception))
                for record, said in zip(batch.records, batch.said, strict=True)
                if said is not None
            ]
        )

    async def handle(self, batch: Batch, uow: UnitOfWork) -> None:
        """Everything a batch does, inside one unit of work."""
        reading = DecodedBatch(passed=await self._move(batch.moves, uow))
        await self._hear(batch, reading, business_date(uow.now))
        self._refuse_far_ahead(batch, reading, uow.now)
        await self._bury(reading.bad, uow)
        await self._seal_personal(reading.heard)
        if reading.watermarks:
            await self._note_passed(reading.watermarks, uow)
        await self._apply(reading.heard, uow)
        BATCH_RECORDS.labels(self.service.name).observe(len(batch.records))
        for kind, one in reading.heard.items():
            CONSUMED.labels(self.service.name, kind.type).inc(len(one.events))

    def _refuse_far_ahead(self, batch: Batch, reading: DecodedBatch, now: datetime) -> None:
        """Facts of the broker's systems that have not happened are put aside with the reason, whichever bus brought them:
        a trade dated in years to come is not spendable today. Redriven when its day has come, it is applied."""
        latest = now + AHEAD
        refused: dict[int, TooFarAhead] = {}
        for kind, one in reading.heard.items():
            if kind.topic not in TOPICS:
                continue
            if not any_far_ahead(kind, one.events, now) and max(r.time for r in one.records) <= latest:
                continue
            kept = Heard()
            for event, record, passed in zip(one.events, one.records, one.passed_before, strict=True):
                if said := ahead_of(kind, event, record, now):
                    refused[id(record)] = said
                    reading.bad.append((record, said))
                else:
                    kept.events.append(event)
                    kept.records.append(record)
                    kept.passed_before.append(passed)
            reading.heard[kind] = kept
        if refused:
            for kind in [kind for kind, one in reading.heard.items() if not one.events]:
                del reading.heard[kind]
            batch.said = [refused.get(id(record), said) for record, said in zip(batch.records, batch.said, strict=True)]

    async def _seal_personal(self, heard: Mapping[type[Event], Heard]) -> None:
        """No handler is given personal members in clear, though a system may have written them to a topic of ours."""
        for kind in self.personal & heard.keys():
            one = heard[kind]
            if any(isinstance(event, PersonalEvent) and clear_members(event) for event in one.events):
                one.events = await self.database.keyring.seal_events(one.events)

    async def _apply(self, heard: Mapping[type[Event], Heard], uow: UnitOfWork) -> None:
        if not self.service.deadlines:
            await self._hand_over(heard, uow)
            return
        await self._hand_over({kind: one for kind, one in heard.items() if kind in PLATFORM}, uow)
        facts = {kind: one for kind, one in heard.items() if kind not in PLATFORM}
        known = await uow.cached(timeline)
        if known is Timeline.REAL:
            await self._hand_over(facts, uow)
            return
        # Now is the time of the facts: what was due before a fact of the same key comes first.
        due = await self.firing.next_due(uow, {record.key for one in facts.values() for record in one.records})
        for times, facts_then in rounds(facts):
            passed = {key: at for key, at in times.items() if min(due.get(key, at), uow.armed.get(key, at)) < at}
            if passed:
                await self.firing.before_facts(uow, passed, None if known else uow.now)
            await self._hand_over(facts_then, uow)

    async def _hand_over(self, heard: Mapping[type[Event], Heard], uow: UnitOfWork) -> None:
        uow.hear(
            {kind: one.records for kind, one in heard.items()},
            {kind: one.passed_before for kind, one in heard.items()},
        )
        for kind, handler in self.handlers.items():
            if kind in heard:
                await handler(heard[kind].events, uow)

    async def _move(self, moves: Moves, uow: UnitOfWork) -> dict[tuple[str, int], date | None]:
        if self.hearing is None:  # every move would be taken for another worker's, and tried for ever
            raise RuntimeError("a consumer registers what it hears before it moves anything: prepare()")
        moved = await uow.sql.fetch(
            """UPDATE consumer_offsets o SET next = m.following
               FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) AS m(topic, partition, expected, following)
               WHERE o.topic = m.topic AND o.partition = m.partition AND o.next = m.expected AND o.hearing = $5
               RETURNING o.topic, o.partition, o.passed""",
            [topic for topic, _ in moves],
            [partition for _, partition in moves],
            [expected for expected, _ in moves.values()],
            [following for _, following in moves.values()],
            self.hearing,
        )
        if len(moved) != len(moves):
            raise LostPartition(sorted(set(moves) - {(t, p) for t, p, _ in moved}))
        return {(topic, partition): passed for topic, partition, passed in moved}

    def read(self, records: Iterable[Record]) -> list[Said]:
        """What records say."""
        readers, said = self.registry.readers, list[Said]()
        for record in records:
            decode = readers.get(record.type)
            try:
                if type(record) is not Record:
                    said.append(_of_foreign(record, decode))
                else:
                    said.append(decode(record.value) if decode else None)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as unreadable:
                said.append(unreadable.with_traceback(None))  # it would keep all of these records
        return said

    async def _hear(self, batch: Batch, reading: DecodedBatch, today: date) -> None:
        unknown = 0
        for first in range(0, len(batch.records), SLICE):
            if first:
                await asyncio.sleep(0)  # requests in the same process get their turn
            unknown += self._hear_slice(
                batch.records[first : first + SLICE], batch.said[first : first + SLICE], reading, today
            )
        if unknown:
            CONSUMED.labels(self.service.name, "unknown").inc(unknown)

    def _hear_slice(self, records: Sequence[Record], said: Sequence[Said], reading: DecodedBatch, today: date) -> int:
        kinds, passed, unknown = self.registry.kinds, reading.passed, 0
        for record, event in zip(records, said, strict=True):
            if event is None:
                unknown += 1
                continue
            if isinstance(event, Exception):
                reading.bad.append((record, event))
                continue
            place = (record.topic, record.partition)
            if event.to_everyone:
                assert isinstance(event, DayClosed)  # asked this way it costs much: for few of the records
                day = event.business_date
                if day > today and record.topic in TOPICS:
                    reading.bad.append((record, TooFarAhead(f"business_date: {day} is later than today")))
                    continue
                reading.watermarks[place] = (reading.watermarks.get(place, (day, day))[0], day)
                passed[place] = max(day, passed.get(place) or day)
                continue
            heard = reading.heard[kinds[record.type]]
            heard.events.append(event)
            heard.records.append(record)
            heard.passed_before.append(passed[place])
        return unknown

    async def _note_passed(self, passed: Mapping[tuple[str, int], tuple[date, date]], uow: UnitOfWork) -> None:
        await uow.sql.execute(
            """UPDATE consumer_offsets o
               SET first_passed = coalesce(o.first_passed, w.first), passed = greatest(o.passed, w.last)
               FROM unnest($1::text[], $2::int[], $3::date[], $4::date[]) AS w(topic, partition, first, last)
               WHERE o.topic = w.topic AND o.partition = w.partition""",
            [topic for topic, _ in passed],
            [partition for _, partition in passed],
            [first for first, _ in passed.values()],
            [last for _, last in passed.values()],
        )

    async def _bury(self, bad: Sequence[tuple[Record, Exception]], uow: UnitOfWork) -> None:
        """Put records aside with all their bytes; words are made storable, whatever was in them."""
        if not bad:
            return
        values = await sealed_values(self.database.keyring, self.registry, [record for record, _ in bad])
        letters = [_letter(r, error, value, uow.now) for (r, error), value in zip(bad, values, strict=True)]
        await uow.connection.execute(insert(tables.dead_letters), letters)
        DEAD_LETTERS.labels(self.service.name).inc(len(bad))


def _heard_from(
    place: asyncpg.Record, kind: str, kept: LowWater | None
) -> tuple[str, int, str, int | None, datetime | None]:
    """The row of a type that is heard from now on: `kept` where its place has moved before without it."""
    if kept is None:
        return place["topic"], place["partition"], kind, None, place["since"]
    return place["topic"], place["partition"], kind, kept.next if kept.next < place["next"] else None, kept.since


def ahead_of(kind: type[Event], event: Event, record: Record, now: datetime) -> TooFarAhead | None:
    """Why a fact of the broker's systems has not happened yet; None: it has."""
    if kind.topic not in TOPICS:
        return None
    told = record.time or now  # a dead letter may have none
    found = [("time", told)] if told > now + AHEAD else [*far_ahead(kind, event, now)]
    return TooFarAhead(f"{found[0][0]}: {found[0][1].isoformat()} is more than a day ahead") if found else None


def _letter(record: Record, error: Exception, value: bytes, at: datetime) -> dict[str, Any]:
    foreign = record if isinstance(record, ForeignRecord) else None
    return {
        "at": at,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": storable(record.key),
        "type": storable(record.type),
        "event_id": storable(record.id),
        "event_source": storable(record.source),
        "event_time": None if flaw_of_time(record.time) else record.time,
        "raw_key": foreign.raw_key if foreign else record.key.encode("utf-8", "surrogatepass"),
        "raw_headers": foreign.raw_headers if foreign else None,
        "value": value,
        "reason": type(error).__name__,
        "error": mask_text(storable(str(error))[:2000]),
    }


def _of_foreign(record: Record, decode: Callable[[bytes], Event] | None) -> Said:
    """What a record says whose envelope is not as we write it."""
    if not record.type:
        return Unreadable("no type")
    if decode is None:
        return None
    if flaw := flaw_of(record):
        return Unreadable(flaw)
    return decode(record.value)


def owner_of_letter(key: str | None, topic: str, partition: int, offset: int) -> str:
    """Under whose key the value of a dead letter lies: its key's, which is mostly the client."""
    return key or f"letter:{topic}/{partition}/{offset}"


async def sealed_values(keyring: Keyring, registry: Registry, records: Sequence[Record]) -> list[bytes]:
    """The values of records as a table may keep them: of types with personal members (or none that is known) as a whole under the key's key."""
    values = [
        Value(owner_of_letter(storable(one.key), one.topic, one.partition, one.offset), LETTER, one.value)
        if (kind := registry.kinds.get(one.type)) is None or kind.personal
        else None
        for one in records
    ]
    sealed = iter(await keyring.seal([value for value in values if value]) if any(values) else ())
    return [
        record.value if value is None else (next(sealed) or "").encode()
        for record, value in zip(records, values, strict=True)
    ]


async def opened_letter(keyring: Keyring, row: Any) -> bytes:
    """The value of a dead letter as it came; empty when its key was destroyed."""
    value: bytes = row["value"]
    if not value.startswith(SEALED.encode()):
        return value
    owner = owner_of_letter(row["key"], row["topic"], row["partition"], row["offset"])
    [found] = await keyring.open_bytes([Value(owner, LETTER, value)])
    return found or b""


async def read_from_log(consumer: Consumer, partitions_at_once: int, limit: int) -> int:
    """Claim partitions with something to read, and apply one batch of theirs. Returns how far positions moved in all.

    Raises: BelowLowWater, and as `Consumer.apply`.
    """
    database = consumer.database
    batch: Batch | None = None
    try:
        async with database.unit_of_work() as uow:
            moves, since = await _claim(uow, database.log, consumer.service.name, partitions_at_once, limit)
            if not moves:
                return 0
            records = await database.log.read_types(uow.sql, moves, consumer.types, since)
            batch = Batch(records, await _read_all(consumer, records), moves)
            if not consumer.too_many_at_once(batch):
                await consumer.handle(batch, uow)
                whole = True
            else:
                whole = False
    except LostPartition:
        raise
    except Exception as error:
        if batch is None:
            raise
        await consumer.apply_after(batch, error)
    else:
        if whole:
            consumer.note(batch)
        else:
            await consumer.apply(batch)
    return sum(end - start for start, end in batch.moves.values())


async def _read_all(consumer: Consumer, records: Sequence[Record]) -> list[Said]:
    said: list[Said] = []
    for first in range(0, len(records), SLICE):
        if first:
            await asyncio.sleep(0)  # requests in the same process get their turn
        said += consumer.read(records[first : first + SLICE])
    return said


async def _claim(
    uow: UnitOfWork, bus: Log, service: str, partitions_at_once: int, limit: int
) -> tuple[Moves, datetime | None]:
    """Stretches of up to `limit` offsets in all, and an instant before which none of their records was written.

    Raises: BelowLowWater.
    """
    schema = bus.schema
    rows = await uow.sql.fetch(
        f"""WITH claimed AS (
                SELECT partition FROM consumer_partitions p
                WHERE EXISTS (SELECT FROM consumer_offsets o JOIN {schema}.heads h USING (topic, partition)
                              WHERE o.partition = p.partition AND h.next > o.next)
                LIMIT $1 FOR UPDATE SKIP LOCKED)
            SELECT o.topic, o.partition, o.next, h.next, w.next, {bus.first_day("o")} FROM claimed
            JOIN consumer_offsets o USING (partition) JOIN {schema}.heads h USING (topic, partition)
            JOIN {schema}.low_water w USING (topic, partition)
            WHERE h.next > o.next ORDER BY o.topic, o.partition""",
        partitions_at_once,
    )
    if gone := [(topic, partition, start, kept) for topic, partition, start, _, kept, _ in rows if start < kept]:
        topic, partition, start, kept = gone[0]
        raise BelowLowWater(
            f"{topic}/{partition}: the next record is {start}, the log begins at {kept}. Send the facts in between again and "
            f"skip to there: careline positions skip {service} {topic} {partition} --to {kept} --reason ..."
        )
    share = max(1, limit // max(1, len(rows)))
    moves = {(topic, partition): (start, min(end, start + share)) for topic, partition, start, end, *_ in rows}
    return moves, min((since for *_, since in rows), default=None)
