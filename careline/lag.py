"""How far behind the services are: offsets against heads, outboxes against relays, closed days against watermarks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from chassis.bus.log import Log
from chassis.database import Database
from chassis.service import Service
from chassis.settings import Settings

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Lag:
    """Of one service: records not applied by topic, records not shipped, and days not closed yet."""

    service: str
    records: Mapping[str, int]
    unshipped: int
    closed_through: date | None
    passed: date | None

    @property
    def caught_up(self) -> bool:
        """Every offset at its head, the relay empty, every day closed that can be."""
        days = self.passed is None or (self.closed_through is not None and self.closed_through >= self.passed)
        return not self.unshipped and not any(self.records.values()) and days


async def heads(settings: Settings, databases: Sequence[Database], topics: Sequence[str]) -> dict[Place, int]:
    """The next offset of every partition of some topics, on the bus that is used.

    Raises: an outage when the bus does not answer.
    """
    if not topics:
        return {}
    if settings.on_kafka:
        return await _heads_on_kafka(settings, topics)
    async with databases[0].reading() as sql:
        return await Log(databases[0].log.schema).ends(sql, topics)


async def _heads_on_kafka(settings: Settings, topics: Sequence[str]) -> dict[Place, int]:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    from chassis.bus.kafka import KafkaAddress

    address = KafkaAddress.parse(settings.bus_url or "")
    consumer = AIOKafkaConsumer(bootstrap_servers=address.servers)
    await consumer.start()
    try:
        places = [TopicPartition(address.topic(t), p) for t in topics for p in range(settings.partitions)]
        ends = await consumer.end_offsets(places)
        return {(address.name(place.topic), place.partition): end for place, end in ends.items()}
    finally:
        await consumer.stop()


async def lag_of(service: Service, database: Database, ends: Mapping[Place, int]) -> Lag:
    """One service's lag against the heads given."""
    async with database.reading() as sql:
        offsets = await sql.fetch("SELECT topic, partition, next FROM consumer_offsets")
        closed = await sql.fetchval("SELECT through FROM closed_days")
        passed = await sql.fetchval(
            """SELECT CASE WHEN count(*) = count(passed) THEN min(passed) END
               FROM consumer_offsets WHERE topic = ANY($1::text[])""",
            sorted(service.watermark_topics),
        )
        unshipped = 0
        if database.log.schema == service.name:  # an outbox of its own, which a relay ships
            unshipped = await sql.fetchval(
                f"""SELECT coalesce(sum(h.next - c.next), 0)::bigint FROM {database.log.schema}.heads h
                    JOIN {database.log.schema}.relay_cursors c USING (topic, partition)"""
            )
    applied = {(topic, partition): following for topic, partition, following in offsets}
    records: dict[str, int] = {}
    for (topic, partition), end in ends.items():
        if topic in service.topics:
            records[topic] = records.get(topic, 0) + end - applied.get((topic, partition), 0)
    return Lag(service.name, records, unshipped, closed, passed)


async def all_lags(settings: Settings, services: Sequence[Service], databases: Mapping[str, Database]) -> list[Lag]:
    """Every service's lag."""
    topics = sorted({topic for service in services for topic in service.topics})
    ends = await heads(settings, list(databases.values()), topics)
    return [await lag_of(service, databases[service.name], ends) for service in services]
