"""How far behind a service is: records and seconds, per topic, on either bus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from chassis.clock import utc_now
from chassis.database import Database
from chassis.service import Service
from chassis.settings import Settings
from chassis.telemetry import LAG_RECORDS, LAG_SECONDS

Place = tuple[str, int]


LEAST_AGE_SECONDS = 1.0


class PlaceLag(NamedTuple):
    """Records of one partition not yet applied, and the age in seconds of the oldest (or more than that)."""

    records: int
    seconds: float
    at_least: bool


@dataclass(frozen=True, slots=True)
class TopicLag:
    """Records of one topic not yet applied, and the age of the oldest of them in seconds.

    `at_least`: the oldest is not there any more (or gives no age), it is older than that.
    """

    topic: str
    records: int
    seconds: float
    at_least: bool = False


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


def _of_topic(topic: str, behind: Mapping[Place, PlaceLag]) -> TopicLag:
    places = [lag for (name, _), lag in behind.items() if name == topic]
    return TopicLag(
        topic,
        sum(behind.records for behind in places),
        max((behind.seconds for behind in places), default=0.0),
        any(behind.at_least for behind in places),
    )


async def _on_log(database: Database, _: Settings, positions: Mapping[Place, int]) -> tuple[dict[Place, PlaceLag], int]:
    schema = database.log.schema
    async with database.reading() as sql:
        rows = await sql.fetch(
            f"""SELECT h.topic, h.partition, h.next - p.next AS records,
                       greatest(0, extract(epoch FROM clock_timestamp()
                           - coalesce(l.written_at, w.since, clock_timestamp())))::float8 AS seconds,
                       l.written_at IS NULL AS at_least
                FROM unnest($1::text[], $2::int[], $3::bigint[]) AS p(topic, partition, next)
                JOIN {schema}.heads h ON h.topic = p.topic AND h.partition = p.partition AND h.next > p.next
                JOIN {schema}.low_water w ON w.topic = p.topic AND w.partition = p.partition
                LEFT JOIN {schema}.log l
                  ON l.topic = p.topic AND l.partition = p.partition AND l."offset" = p.next
                 AND l.written_at >= {database.log.first_day("p")}""",
            [topic for topic, _ in positions],
            [partition for _, partition in positions],
            list(positions.values()),
        )
    return {
        (topic, partition): PlaceLag(records, _age(seconds, at_least), at_least)
        for topic, partition, records, seconds, at_least in rows
    }, 0


def _age(seconds: float, at_least: bool) -> float:
    """An age that is not known is never nothing."""
    return max(round(seconds, 3), LEAST_AGE_SECONDS if at_least else 0.0)


async def _on_kafka(
    database: Database, settings: Settings, positions: Mapping[Place, int]
) -> tuple[dict[Place, PlaceLag], int]:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    from chassis.bus.kafka_clients import running
    from chassis.bus.kafka_topics import KafkaAddress, sent_at

    schema = database.log.schema
    async with database.reading() as sql:
        unshipped = await sql.fetchval(
            f"""SELECT coalesce(sum(h.next - c.next), 0)::bigint
                FROM {schema}.heads h JOIN {schema}.relay_cursors c USING (topic, partition)"""
        )
    if not positions:  # nothing to ask Kafka about: the service has not begun yet
        return {}, unshipped
    address = KafkaAddress.parse(settings.bus_url or "")
    async with running(AIOKafkaConsumer(bootstrap_servers=address.servers, enable_auto_commit=False)) as consumer:
        places = {TopicPartition(address.topic(topic), partition): at for (topic, partition), at in positions.items()}
        ends = await consumer.end_offsets(list(places))
        late = {place: places[place] for place, end in ends.items() if end > places[place]}
        begins = await consumer.beginning_offsets(list(late)) if late else {}
        sent = await sent_at(consumer, {place: max(at, begins[place]) for place, at in late.items()})
    found: dict[Place, PlaceLag] = {}
    for place, at in late.items():
        at_least = at < begins[place] or place not in sent
        seconds = (utc_now() - sent[place]).total_seconds() if place in sent else 0.0
        behind = PlaceLag(ends[place] - at, _age(max(0.0, seconds), at_least), at_least)
        found[address.name(place.topic), place.partition] = behind
    return found, unshipped


async def lags(services: Sequence[Service], databases: Mapping[str, Database], settings: Settings) -> list[Lag]:
    """Every service's lag."""
    return [await lag(service, databases[service.name], settings) for service in services]
