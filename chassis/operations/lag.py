"""How far behind a service is: records and seconds, per topic, on either bus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from chassis.clock import utc_now
from chassis.database import Database
from chassis.service import Service
from chassis.settings import Settings
from chassis.telemetry import LAG_RECORDS, LAG_SECONDS

Place = tuple[str, int]
KAFKA_WAIT_MS = 2000


@dataclass(frozen=True, slots=True)
class TopicLag:
    """Records of one topic not yet applied, and the age of the oldest of them in seconds."""

    topic: str
    records: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Lag:
    """A service's lag: what it has not applied, what its outbox has not shipped, and which days it has closed."""

    service: str
    records: int
    seconds: float
    unshipped: int
    topics: list[TopicLag]
    closed_through: date | None


async def lag(service: Service, database: Database, settings: Settings) -> Lag:
    """The lag now, measured against the bus itself.

    Raises: an outage when the database or the bus does not answer.
    """
    async with database.reading() as sql:
        rows = await sql.fetch("SELECT topic, partition, next FROM consumer_offsets")
        closed_through = await sql.fetchval("SELECT through FROM closed_days")
    positions = {(topic, partition): following for topic, partition, following in rows}
    behind, unshipped = await (_on_kafka if settings.on_kafka else _on_log)(database, settings, positions)
    topics = [_of_topic(topic, behind) for topic in service.topics]
    found = Lag(
        service.name,
        sum(topic.records for topic in topics),
        max((topic.seconds for topic in topics), default=0.0),
        unshipped,
        topics,
        closed_through,
    )
    LAG_RECORDS.labels(service.name).set(found.records)
    LAG_SECONDS.labels(service.name).set(found.seconds)
    return found


def _of_topic(topic: str, behind: Mapping[Place, tuple[int, float]]) -> TopicLag:
    places = [lag for (name, _), lag in behind.items() if name == topic]
    return TopicLag(topic, sum(records for records, _ in places), max((seconds for _, seconds in places), default=0.0))


async def _on_log(
    database: Database, _: Settings, positions: Mapping[Place, int]
) -> tuple[dict[Place, tuple[int, float]], int]:
    schema = database.log.schema
    async with database.reading() as sql:
        rows = await sql.fetch(
            f"""SELECT h.topic, h.partition, h.next - p.next AS records,
                       greatest(0, extract(epoch FROM clock_timestamp() - l.written_at))::float8 AS seconds
                FROM unnest($1::text[], $2::int[], $3::bigint[]) AS p(topic, partition, next)
                JOIN {schema}.heads h ON h.topic = p.topic AND h.partition = p.partition AND h.next > p.next
                LEFT JOIN {schema}.log l
                  ON l.topic = p.topic AND l.partition = p.partition AND l."offset" = p.next""",
            [topic for topic, _ in positions],
            [partition for _, partition in positions],
            list(positions.values()),
        )
    return {(r["topic"], r["partition"]): (r["records"], round(r["seconds"] or 0.0, 3)) for r in rows}, 0


async def _on_kafka(
    database: Database, settings: Settings, positions: Mapping[Place, int]
) -> tuple[dict[Place, tuple[int, float]], int]:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    from chassis.bus.kafka import KafkaAddress

    schema = database.log.schema
    async with database.reading() as sql:
        unshipped = await sql.fetchval(
            f"""SELECT coalesce(sum(h.next - c.next), 0)::bigint
                FROM {schema}.heads h JOIN {schema}.relay_cursors c USING (topic, partition)"""
        )
    address = KafkaAddress.parse(settings.bus_url or "")
    consumer = AIOKafkaConsumer(bootstrap_servers=address.servers, enable_auto_commit=False)
    await consumer.start()
    try:
        places = {TopicPartition(address.topic(topic), partition): at for (topic, partition), at in positions.items()}
        ends = await consumer.end_offsets(list(places)) if places else {}
        late = [place for place, end in ends.items() if end > places[place]]
        ages = await _ages(consumer, {place: places[place] for place in late})
    finally:
        await consumer.stop()
    return {
        (address.name(place.topic), place.partition): (ends[place] - places[place], ages.get(place, 0.0))
        for place in late
    }, unshipped


async def _ages(consumer: Any, positions: Mapping[Any, int]) -> dict[Any, float]:
    """The age in seconds of the record at each position, by the time Kafka got it."""
    if not positions:
        return {}
    consumer.assign(list(positions))
    for place, offset in positions.items():
        consumer.seek(place, offset)
    ages: dict[Any, float] = {}
    while len(ages) < len(positions):
        fetched = await consumer.getmany(timeout_ms=KAFKA_WAIT_MS)
        if not fetched:
            break
        for place, records in fetched.items():
            if records and place not in ages:
                sent = datetime.fromtimestamp(records[0].timestamp / 1000, UTC)
                ages[place] = round(max(0.0, (utc_now() - sent).total_seconds()), 3)
        consumer.pause(*ages)
    return ages


async def lags(services: Sequence[Service], databases: Mapping[str, Database], settings: Settings) -> list[Lag]:
    """Every service's lag."""
    return [await lag(service, databases[service.name], settings) for service in services]
