"""Apache Kafka as the bus: names, headers, reading and the relay that ships the outbox."""

import asyncio
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from chassis.bus.kafka_clients import started, stopped
from chassis.bus.kafka_topics import KafkaAddress
from chassis.bus.log import BelowLowWater
from chassis.bus.record import FIRST_YEAR, LAST_YEAR, ForeignRecord, Record, storable
from chassis.consumer import Batch, Consumer, Said
from chassis.database import SHIPPING, Database
from chassis.new_types import RecordsGone, Stretch
from chassis.telemetry import RELAYED

log = structlog.get_logger()
AT_A_TIME = 250
SHIP_SECONDS = 60.0


def _headers(record: Record) -> list[tuple[str, bytes]]:
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", record.id.encode()),
        ("ce_source", record.source.encode()),
        ("ce_type", record.type.encode()),
        ("ce_time", record.time.isoformat().encode()),
        ("ce_subject", record.key.encode()),
        ("content-type", b"application/json"),
    ]
    if record.traceparent:
        headers.append(("traceparent", record.traceparent.encode()))
    return headers


class Stuck(Exception):
    """The client reads nothing though there is something: after trouble it may have lost its group without a word."""


class KafkaSource(ConsumerRebalanceListener):  # type: ignore[misc]
    """Reads one service's topics: the group gives partitions, our database says from where."""

    def __init__(self, consumer: Consumer, address: KafkaAddress, batch_records: int, batch_seconds: float) -> None:
        self.consumer = consumer
        self.address = address
        self.batch_records = batch_records
        self.batch_milliseconds = int(batch_seconds * 1000)
        self.kafka: AIOKafkaConsumer | None = None
        self.hint_due = 0.0
        self.stuck = False  # set from outside when there is something to read and nothing moves
        self._ahead: asyncio.Task[list[Batch]] | None = None

    async def start(self) -> None:
        """Join the group: the home's own, so that nobody else's members take partitions from it."""
        async with self.consumer.database.reading() as sql:
            home = await sql.fetchval("SELECT id FROM home_id")
        kafka = AIOKafkaConsumer(
            bootstrap_servers=self.address.servers,
            group_id=f"{self.address.prefix}.{home}.{self.consumer.service.name}",
            enable_auto_commit=False,
            auto_offset_reset="none",  # never jump: a position Kafka does not have is an error an operator sees
            session_timeout_ms=15_000,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            fetch_max_wait_ms=20,
        )
        self.kafka = await started(kafka)
        kafka.subscribe([self.address.topic(name) for name in self.consumer.service.topics], listener=self)

    async def stop(self) -> None:
        """Leave the group."""
        await self._forget_ahead()
        if self.kafka is not None:
            kafka, self.kafka = self.kafka, None
            await stopped(kafka)

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Nothing to do: a batch in flight is fenced by the compare-and-set on its positions."""

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Continue where our database says."""
        await self._seek(assigned)

    async def _seek(self, places: Iterable[TopicPartition]) -> None:
        positions, kafka = await self.consumer.positions(), self.kafka
        if kafka is None:  # stopped, perhaps while the database was asked
            return
        for place in places:
            kafka.seek(place, positions[self.address.name(place.topic), place.partition])

    async def step(self) -> int:
        """Apply one batch, fetching the next one meanwhile; how many records it was.

        Raises: an outage, the positions are then those of the database again; Stuck.
        """
        if self.stuck:
            self.stuck = False
            raise Stuck("there are records, and none came: joining the group anew")
        if self.kafka is None:
            await self.start()
        kafka: Any = self.kafka
        ahead, self._ahead = self._ahead or asyncio.create_task(self._fetch(kafka)), None
        batches = await ahead
        if not batches:
            return 0
        self._ahead = asyncio.create_task(self._fetch(kafka))
        try:
            await self._apply(batches)
        except BaseException:
            await self._forget_ahead()
            try:
                await self._seek(kafka.assignment())
            except (IllegalStateError, OSError):  # a rebalance is under way, or the database is away: start afresh
                await self.stop()
            raise
        self.stuck = False
        await self._hint(batches)
        return sum(len(batch.records) for batch in batches)

    async def _apply(self, batches: Sequence[Batch]) -> None:
        """Two transactions at once where there is much to read: while one waits for the database, the other computes.

        Raises: what either raised; the other may be kept.
        """
        for failed in await asyncio.gather(*map(self.consumer.apply, batches), return_exceptions=True):
            if failed is not None:
                raise failed

    async def _fetch(self, kafka: Any) -> list[Batch]:
        """What is there to read; where that is a full batch, a second one of other partitions, as of two workers."""
        try:
            batch = await self._read(kafka, (), self.batch_milliseconds)
        except NoOffsetForPartitionError:
            # The client looked for a position of its own before it was told ours, as it may right after an assignment.
            await self._seek(kafka.assignment())
            return []
        except OffsetOutOfRangeError as error:
            raise BelowLowWater(self._gone(error)) from error
        batches = [batch]
        if len(batch.records) == self.batch_records:
            taken = {partition for _, partition in batch.moves}
            if others := [place for place in kafka.assignment() if place.partition not in taken]:
                batches.append(await self._read(kafka, others, 0))
        return [one for one in batches if one.records]

    def _gone(self, error: OffsetOutOfRangeError) -> str:
        """What to do about positions that Kafka does not have."""
        name = self.consumer.service.name
        gone = ", ".join(
            f"{self.address.name(place.topic)}/{place.partition} at {offset}" for place, offset in error.args[0].items()
        )
        return (
            f"Kafka does not have {gone} (any more). Look: careline positions show --service {name}. What still lies in the "
            "publisher's log can be sent again: careline positions ship-again ...; then read on from what Kafka has: "
            f"careline positions skip {name} ..."
        )

    async def _read(self, kafka: Any, places: Sequence[TopicPartition], wait_milliseconds: int) -> Batch:
        """A batch of these places, of all where none is named.

        A few records at a time are read and understood, while they are in the processor's cache: what the client makes
        of a record is many times larger than what we keep of it.
        """
        stretches: defaultdict[TopicPartition, tuple[list[Record], list[Said]]] = defaultdict(lambda: ([], []))
        missing = self.batch_records
        while missing:
            fetched = await kafka.getmany(*places, timeout_ms=wait_milliseconds, max_records=min(AT_A_TIME, missing))
            if not fetched:
                break
            for place, messages in fetched.items():
                topic, (records, said) = self.address.name(place.topic), stretches[place]
                new = [_record(topic, message) for message in messages]
                records += new
                said += self.consumer.read(new)
                missing -= len(new)
            wait_milliseconds = 0
            await asyncio.sleep(0)  # requests in the same process get their turn
        read = stretches.values()
        ends = [(records[0], records[-1]) for records, _ in read]
        return Batch(
            [record for records, _ in read for record in records],
            [one for _, said in read for one in said],
            {(first.topic, first.partition): (first.offset, last.offset + 1) for first, last in ends},
        )

    async def _forget_ahead(self) -> None:
        """What was fetched ahead of a batch that was not applied is fetched again."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.cancel()
            await asyncio.gather(ahead, return_exceptions=True)

    async def _hint(self, batches: Sequence[Batch]) -> None:
        """Tell Kafka where we are, for lag tools only."""
        now = asyncio.get_running_loop().time()
        if self.kafka is None or now < self.hint_due:
            return
        self.hint_due = now + 1.0
        try:
            await self.kafka.commit(
                {
                    TopicPartition(self.address.topic(t), p): end
                    for batch in batches
                    for (t, p), (_, end) in batch.moves.items()
                }
            )
        except (CommitFailedError, IllegalStateError, KafkaError) as error:
            log.info("offset hint not taken", service=self.consumer.service.name, error=error)


class StretchReader:
    """Reads stretches of topics outside any group, for types that have just begun to be heard."""

    def __init__(self, address: KafkaAddress) -> None:
        self.address = address
        self.kafka: AIOKafkaConsumer | None = None

    async def stop(self) -> None:
        """Disconnect."""
        if self.kafka is not None:
            kafka, self.kafka = self.kafka, None
            await stopped(kafka)

    async def read(self, stretch: Stretch, limit: int) -> tuple[list[Record], int]:
        """Up to `limit` records (or a few more) of a stretch, and the offset up to which it was read.

        Raises: RecordsGone.
        """
        (topic, partition), types, first, end = stretch
        if self.kafka is None:
            self.kafka = await started(
                AIOKafkaConsumer(
                    bootstrap_servers=self.address.servers, enable_auto_commit=False, auto_offset_reset="none"
                )
            )
        kafka: Any = self.kafka
        place = TopicPartition(self.address.topic(topic), partition)
        kafka.assign([place])
        kafka.seek(place, first)
        there = min(end, (await kafka.end_offsets([place]))[place])
        records: list[Record] = []
        reached = first
        while reached < there and len(records) < limit:
            try:
                fetched = await kafka.getmany(timeout_ms=1000, max_records=AT_A_TIME)
            except OffsetOutOfRangeError as error:
                raise RecordsGone from error
            read = [_record(topic, message) for message in fetched.get(place, ()) if message.offset < there]
            records += [record for record in read if record.type in types]
            reached = await kafka.position(place)
        return records, reached if reached < there else end


_ORDER = ("ce_id", "ce_source", "ce_type", "ce_time")
_new = tuple.__new__
_text = lru_cache(maxsize=1024)(bytes.decode)
"""Sources and types: few different ones, many times."""


def _record(topic: str, m: Any) -> Record:
    try:
        _, (n1, event_id), (n2, source), (n3, kind), (n4, when), _, _ = m.headers
        time = datetime.fromisoformat(when.decode())
        if (
            (n1, n2, n3, n4) == _ORDER and event_id and kind and time.tzinfo and FIRST_YEAR <= time.year <= LAST_YEAR
        ):  # as we write them
            return _new(  # a third of a named tuple's own constructor
                Record,
                (
                    topic,
                    m.partition,
                    m.offset,
                    (m.key or b"").decode(),
                    _text(kind),
                    event_id.decode(),
                    _text(source),
                    time,
                    None,
                    m.value or b"",
                ),
            )
    except (ValueError, AttributeError):  # more headers or fewer, not UTF-8, no time, one without a value
        pass
    return _unusual_record(topic, m)


def _unusual_record(topic: str, m: Any) -> ForeignRecord:
    """Whatever key and headers are, the record is read: what they lack is empty, and their bytes are kept."""
    named = {name: value or b"" for name, value in m.headers}
    event_id, source, kind, when = (named.get(name, b"").decode("utf-8", "replace") for name in _ORDER)
    trace = named["traceparent"].decode("ascii", "replace") if named.get("traceparent") else None
    key = (m.key or b"").decode("utf-8", "replace")
    time = _time_of(when, m.timestamp)
    record = ForeignRecord(topic, m.partition, m.offset, key, kind, event_id, source, time, trace, m.value or b"")
    record.raw_key = m.key
    record.raw_headers = [
        [storable(name), None if value is None else b64encode(value).decode()] for name, value in m.headers
    ]
    return record


def _time_of(words: str, sent: int) -> datetime:
    """The envelope's time; without one when Kafka got the record (milliseconds), if that can be. Else one with no offset, which
    no record may have."""
    try:
        return datetime.fromisoformat(words) if words else datetime.fromtimestamp(sent / 1000, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return datetime(1, 1, 1)  # noqa: DTZ001


class Relay:
    """Ships one service's outbox to Kafka in prepared batches, then moves its cursor.

    A crash in between sends a batch again: receivers know effects by natural keys.
    """

    def __init__(self, database: Database, address: KafkaAddress, batch_records: int) -> None:
        self.database = database
        self.address = address
        self.batch_records = batch_records
        self.producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self.address.servers,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            request_timeout_ms=15_000,
        )
        self.producer = await started(producer)

    async def stop(self) -> None:
        """Disconnect; what was not acknowledged is sent again by whoever comes next."""
        if self.producer is not None:
            producer, self.producer = self.producer, None
            await stopped(producer)

    async def step(self) -> int:
        """Ship what lies beyond the cursor; how many records it was. One relay a service works at a time."""
        if self.producer is None:
            await self.start()
        schema = self.database.log.schema
        async with self.database.unit_of_work(limits=SHIPPING) as uow:
            cursors = await uow.sql.fetch(
                f"""SELECT c.topic, c.partition, c.next, {self.database.log.first_day("c")} AS since
                    FROM {schema}.relay_cursors c JOIN {schema}.heads h USING (topic, partition) WHERE h.next > c.next
                    ORDER BY c.topic, c.partition FOR UPDATE OF c SKIP LOCKED"""
            )
            if not cursors:
                return 0
            positions, since = {(t, p): n for t, p, n, _ in cursors}, min(row["since"] for row in cursors)
            records = await self.database.log.read(uow.sql, positions, self.batch_records, since)
            try:
                async with asyncio.timeout(SHIP_SECONDS):
                    await self._ship(records)
            except (KafkaError, TimeoutError):
                # After trouble the idempotent producer may be stuck on its sequence numbers: a new one starts clean.
                await self.stop()
                raise
            ends = {(r.topic, r.partition): r.offset + 1 for r in records}
            await uow.sql.execute(
                f"""UPDATE {schema}.relay_cursors c SET next = e.next
                    FROM unnest($1::text[], $2::int[], $3::bigint[]) AS e(topic, partition, next)
                    WHERE c.topic = e.topic AND c.partition = e.partition""",
                [topic for topic, _ in ends],
                [partition for _, partition in ends],
                list(ends.values()),
            )
        RELAYED.labels(self.database.service).inc(len(records))
        return len(records)

    async def _ship(self, records: Sequence[Record]) -> None:
        places: defaultdict[tuple[str, int], list[Record]] = defaultdict(list)
        for record in records:
            places[record.topic, record.partition].append(record)
        await asyncio.gather(*(self._ship_partition(topic, p, place) for (topic, p), place in places.items()))

    async def _ship_partition(self, topic: str, partition: int, records: Sequence[Record]) -> None:
        producer = self.producer
        if producer is None:
            raise KafkaError("the producer is stopped")
        sent = []
        batch = producer.create_batch()
        for record in records:
            fields = {"key": record.key.encode(), "value": record.value, "timestamp": None, "headers": _headers(record)}
            if batch.append(**fields) is None:
                sent.append(await producer.send_batch(batch, self.address.topic(topic), partition=partition))
                batch = producer.create_batch()
                if batch.append(**fields) is None:
                    raise ValueError(f"record {record.id} of {len(record.value)} bytes is too large for Kafka")
        sent.append(await producer.send_batch(batch, self.address.topic(topic), partition=partition))
        await asyncio.gather(*sent)
