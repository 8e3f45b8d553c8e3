"""How far behind the services are: offsets against heads, outboxes against relays, closed days against watermarks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from chassis.clock import end_of
from chassis.database import Database
from chassis.deadlines.scheduler import Scheduler
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


class Heads:
    """The next offsets of the bus that is used. `async with`, because on Kafka it keeps a connection."""

    def __init__(self, settings: Settings, databases: Mapping[str, Database]) -> None:
        self.settings = settings
        self.databases = databases
        self._kafka: Any = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the connection back; a later question makes a new one."""
        if self._kafka is not None:
            kafka, self._kafka = self._kafka, None
            from chassis.bus.kafka_clients import stopped

            await stopped(kafka)

    async def of(self, topics: Sequence[str]) -> dict[Place, int]:
        """The next offset of every partition of some topics.

        Raises: an outage, or KafkaError, when the bus does not answer.
        """
        if not topics:
            return {}
        if self.settings.on_kafka:
            return await self._on_kafka(topics)
        database = next(iter(self.databases.values()))
        async with database.reading() as sql:
            return await database.log.ends(sql, topics)

    async def _on_kafka(self, topics: Sequence[str]) -> dict[Place, int]:
        from aiokafka import AIOKafkaConsumer, TopicPartition

        from chassis.bus.kafka_clients import started
        from chassis.bus.kafka_topics import KafkaAddress

        address = KafkaAddress.parse(self.settings.bus_url or "")
        if self._kafka is None:
            self._kafka = await started(AIOKafkaConsumer(bootstrap_servers=address.servers, request_timeout_ms=10_000))
        places = [TopicPartition(address.topic(t), p) for t in topics for p in range(self.settings.partitions)]
        ends = await self._kafka.end_offsets(places)
        return {(address.name(place.topic), place.partition): end for place, end in ends.items()}


async def lag_of(service: Service, database: Database, ends: Mapping[Place, int]) -> Lag:
    """Lag of one service against the given topic heads."""
    async with database.reading() as sql:
        offsets = await sql.fetch(
            """SELECT o.topic, o.partition, o.next, o.passed, c.through
               FROM consumer_offsets o LEFT JOIN closed_days c ON true"""
        )
        unshipped = 0
        if database.log.schema == service.name:  # an outbox of its own, which a relay ships
            unshipped = await sql.fetchval(
                f"""SELECT coalesce(sum(h.next - c.next), 0)::bigint FROM {database.log.schema}.heads h
                    JOIN {database.log.schema}.relay_cursors c USING (topic, partition)"""
            )
    applied = {(topic, partition): following for topic, partition, following, *_ in offsets}
    heard, waited_for = set(service.topics), service.watermark_topics
    records: dict[str, int] = {}
    for (topic, partition), end in ends.items():
        if topic in heard:
            records[topic] = records.get(topic, 0) + end - applied.get((topic, partition), 0)
    closed = offsets[0]["through"] if offsets else None
    passed = _earliest([row["passed"] for row in offsets if row["topic"] in waited_for])
    return Lag(service.name, records, unshipped, closed, passed)


def _earliest(days: Sequence[date | None]) -> date | None:
    known = [day for day in days if day]
    return min(known) if known and len(known) == len(days) else None


async def lags_of(services: Sequence[Service], heads: Heads) -> list[Lag]:
    """Lag of every service."""
    ends = await heads.of(sorted({topic for service in services for topic in service.topics}))
    return [await lag_of(service, heads.databases[service.name], ends) for service in services]


async def first_behind(services: Sequence[Service], heads: Heads) -> Lag | None:
    """One that has not caught up, None when all have; the others are not asked, as asking costs their time."""
    ends = await heads.of(sorted({topic for service in services for topic in service.topics}))
    for service in services:
        lag = await lag_of(service, heads.databases[service.name], ends)
        if not lag.caught_up:
            return lag
    return None


async def late_work(service: Service, database: Database) -> bool:
    """Do what late facts have left to do, after whoever closes days now; False when there was nothing."""
    if service.catches_up is None and not service.deadlines:
        return False
    async with database.unit_of_work() as uow:
        through = await uow.sql.fetchval("SELECT through FROM closed_days FOR UPDATE")
        if through is None:
            return False
        if service.deadlines and await Scheduler(service, database).fire_by(uow, end_of(through)):
            return True
        return service.catches_up is not None and await service.catches_up(through, uow)
