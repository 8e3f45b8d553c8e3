"""The platform in a test: the real services on a real database and a real bus, its loops turned by hand.

Nothing runs in the background and nothing sleeps: `settle` turns every relay, consumer and closer until none of them
finds anything to do, twice in a row.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import asyncpg
import httpx
from fastapi import FastAPI

from careline.lag import Heads, first_behind
from careline.platform import Platform
from careline.services import SERVICES
from chassis import staff
from chassis.actor import Actor, Role
from chassis.bus.record import Outgoing, partition_of
from chassis.clock import at as clock_at
from chassis.clock import end_of, utc_now
from chassis.consumer import read_from_log
from chassis.database import Database
from chassis.service import Service
from chassis.settings import Settings
from chassis.worker import Worker
from contracts import broker
from contracts.base import DayClosed, Event, encode

SOURCE = "test/broker"
OPERATOR = Actor("operator", Role.OPERATIONS, purpose="test")


def instant_of(event: Event) -> datetime:
    """When a fact happened, as its envelope says it: noon of its date where it names a date only."""
    if isinstance(event, DayClosed):
        return end_of(event.business_date)
    when = event.happened_at
    if isinstance(when, datetime):
        return when
    return clock_at(when or date(2020, 7, 1), 12)


class World:
    """All services on one fresh database, and on the log or on Kafka (`bus`)."""

    def __init__(self, settings: Settings, bus: str, services: Sequence[Service] = SERVICES) -> None:
        self.settings = settings
        self.bus = bus
        self.platform = Platform(settings, services)
        self._sources: dict[str, Any] = {}
        self._relays: dict[str, Any] = {}
        self._heads = Heads(settings, self.platform.databases)
        self._apps: dict[Worker, FastAPI] = {}
        self._identifying = asyncio.Semaphore(4)  # many callers at once wait for one another, not for connections
        self._ids = 0

    async def start(self) -> None:
        """Connect, and make every consumer's position rows."""
        self.platform.connect()
        for worker in self.platform.workers.values():
            await worker.consumer.prepare()

    async def stop(self) -> None:
        """Leave Kafka and the database."""
        await asyncio.gather(*(server.stop() for server in (*self._sources.values(), *self._relays.values())))
        await self._heads.close()
        await self.platform.disconnect()

    def database(self, service: str) -> Database:
        """A service's database."""
        return self.platform.databases[service]

    def client(self, service: str, actor: Actor = OPERATOR, **headers: str) -> httpx.AsyncClient:
        """`async with world.client("points", actor) as http:` a service over HTTP, in process, as some caller: each
        request carries who the roster says that is, as behind the gateway."""
        from chassis.http import mint, service_app
        from chassis.http.identity import HEADER

        worker = self.platform.workers[service]
        app = self._apps.get(worker)
        if app is None:
            app = self._apps[worker] = service_app(worker.service, worker.database, self.settings, worker)

        async def identify(request: httpx.Request) -> None:
            known = self.platform.databases.get("gateway")
            if HEADER in request.headers or known is None:
                return
            async with self._identifying, known.reading() as sql:
                caller = (await staff.roster(sql)).resolve(actor, utc_now())
            request.headers[HEADER] = mint(caller, self.settings)

        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if "gateway" not in self.platform.databases:
            given[HEADER] = mint(actor, self.settings)
        transport, hooks = httpx.ASGITransport(app), {"request": [identify]}
        return httpx.AsyncClient(transport=transport, base_url=f"http://{service}", headers=given, event_hooks=hooks)

    def sql(self, service: str) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """`async with world.sql("points") as sql:` a connection as the service, in its schema."""
        return self.database(service).reading()

    async def rows(self, service: str, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """The rows of a query in the service's schema."""
        async with self.sql(service) as sql:
            return [dict(row) for row in await sql.fetch(query, *arguments)]

    async def value(self, service: str, query: str, *arguments: Any) -> Any:
        """The one value of a query in the service's schema."""
        async with self.sql(service) as sql:
            return await sql.fetchval(query, *arguments)

    async def publish(
        self, *events: Event, at: datetime | None = None, id: str | None = None, source: str = SOURCE
    ) -> list[Outgoing]:
        """Say external facts through the gateway's log, in one transaction; the messages are what `redeliver` takes.

        `at` (ce_time) is the business time of each fact and `id` (ce_id) a fresh one, unless given.
        """
        sealed = await self.database("gateway").keyring.seal_events(events)
        messages = [message for event in sealed for message in self._messages(event, at, id, source)]
        await self.redeliver(messages)
        return messages

    def _messages(self, event: Event, at: datetime | None, given: str | None, source: str) -> Iterable[Outgoing]:
        self._ids += 1
        event_id, partitions = given or f"fact-{self._ids}", self.settings.partitions
        places: Iterable[tuple[str, int]]
        if isinstance(event, broker.BrokerDayClosed):
            places = [(topic, partition) for topic in broker.TOPICS for partition in range(partitions)]
        elif isinstance(event, DayClosed):
            places = [(event.topic, partition) for partition in range(partitions)]
        else:
            places = [(event.topic, partition_of(event.key, partitions))]
        for topic, partition in places:
            yield Outgoing(
                topic, partition, event.key, event.type, event_id, source, at or instant_of(event), encode(event)
            )

    async def redeliver(self, messages: Sequence[Outgoing], *, id: str | None = None) -> None:
        """The same messages once more, at new offsets; `id` gives them another event id."""
        async with self.database("gateway").unit_of_work() as uow:
            uow.publish([replace(message, id=id) for message in messages] if id else messages)

    async def publish_raw(self, topic: str, key: str, kind: str, value: bytes, *, id: str = "raw") -> None:
        """A record with any bytes in it, as a broken system would send."""
        place = partition_of(key, self.settings.partitions)
        when = clock_at(date(2020, 7, 1), 12)
        await self.redeliver([Outgoing(topic, place, key, kind, id, SOURCE, when, value)])

    async def close(self, day: date, *, settle: bool = True) -> None:
        """Close a business date on every topic: of days not closed yet, all up to it. Then settle, unless told not to."""
        await self.publish(broker.BrokerDayClosed(business_date=day))
        if settle:
            await self.settle()

    async def settle(self) -> None:
        """Turn every loop until relay, consumer and closer of every service find nothing to do, twice in a row."""
        quiet = 0
        while quiet < 2:
            worked = [await self._turn(service) for service in self.platform.services]
            quiet = 0 if any(worked) or not await self._caught_up() else quiet + 1

    async def seal(self) -> None:
        """Seal what was written, as the sealer does from time to time."""
        for worker in self.platform.workers.values():
            while await worker.sealer.step():
                pass

    async def findings(self, *, full: bool = False) -> list[Any]:
        """What `careline verify` finds wrong."""
        from chassis.verify import verify

        return await verify(self.settings, self.platform.services, self.platform.databases, full=full)

    async def _turn(self, service: Service) -> bool:
        worker, worked = self.platform.workers[service.name], False
        if self.settings.on_kafka:
            worked |= await self._turn_on_kafka(service)
        elif service.topics:
            while await read_from_log(worker.consumer, worker.partitions_at_once, self.settings.batch_records):
                worked = True
        if service.watermark_topics:
            while await worker.closer.step():
                worked = True
        return worked

    async def _turn_on_kafka(self, service: Service) -> bool:
        from chassis.bus.kafka import KafkaSource, Relay
        from chassis.bus.kafka_topics import KafkaAddress

        name, address, settings = service.name, KafkaAddress.parse(self.settings.bus_url or ""), self.settings
        worker, worked = self.platform.workers[name], False
        if name not in self._relays:
            self._relays[name] = Relay(self.database(name), address, settings.batch_records)
        while await self._relays[name].step():
            worked = True
        if service.topics:
            if name not in self._sources:
                self._sources[name] = KafkaSource(worker.consumer, address, settings.batch_records, 0.02)
            while await self._sources[name].step():
                worked = True
        return worked

    async def _caught_up(self) -> bool:
        return await first_behind(self.platform.services, self._heads) is None


@asynccontextmanager
async def running(world: World) -> AsyncIterator[World]:
    """A world for the length of a block."""
    await world.start()
    try:
        yield world
    finally:
        await world.stop()


def as_dict(rows: Iterable[Mapping[str, Any]], key: str, value: str) -> dict[Any, Any]:
    """Rows as a dictionary of two of their columns."""
    return {row[key]: row[value] for row in rows}
