"""Ours: the points service from Kafka to commit, with everything it promises. Options: service (points), relay, seal."""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.lanes.lane import LaneResult, Task, Watch, main, sums
from bench.services import service_named
from chassis.audit import Sealer
from chassis.bus.kafka import KafkaSource, Relay
from chassis.bus.kafka_topics import KafkaAddress
from chassis.consumer import Consumer, LostPartition
from chassis.database import Database
from chassis.settings import Settings

PATIENCE_SECONDS = 120


@dataclass(slots=True)
class Reader:
    """One service's consumer on Kafka."""

    consumer: Consumer
    source: KafkaSource
    database: Database

    async def applied(self, topic: str) -> int:
        """How many records of a topic are applied, by whichever worker."""
        return sum(n for (name, _), n in (await self.consumer.positions()).items() if name == topic)


async def reader_of(task: Task, service_name: str) -> Reader:
    """The consumer of a service as `careline work` sets it up."""
    settings = Settings(database_url=task.database_url, bus_url=f"kafka://{task.servers}/{task.prefix}")
    service = service_named(service_name)
    database = Database(settings, service.name)
    consumer = Consumer(service, database, settings.bad_records_limit)
    await consumer.prepare()
    address = KafkaAddress.parse(settings.bus_url or "")
    return Reader(consumer, KafkaSource(consumer, address, settings.batch_records, settings.batch_seconds), database)


async def run(task: Task) -> LaneResult:
    """Consume until every trade is applied; with the option `relay` ship the outbox instead, with `seal` seal what
    is there."""
    if task.options.get("relay"):
        return await ship(task)
    if task.options.get("seal"):
        return await seal(task)
    reader = await reader_of(task, task.options.get("service", "points"))
    watch, outcome, done = await Watch.on(task.database_url), LaneResult(), 0
    until = time.monotonic() + PATIENCE_SECONDS
    await reader.source.start()
    alone = task.options.get("workers", "1") == "1"
    try:
        watch.start()
        while done < task.events:
            try:
                applied = await reader.source.step()
            except LostPartition:  # as the worker's loop takes it: another one has these records now
                continue
            if not applied and not outcome.events:
                watch.start()  # the group has not given us partitions yet
            outcome.events += applied
            done = outcome.events if alone else await reader.applied("careline.broker.trades")
            if time.monotonic() > until:
                raise TimeoutError(f"{done} of {task.events} after {PATIENCE_SECONDS} s")
            await asyncio.sleep(0)
        watch.stop(outcome)
    finally:
        await reader.source.stop()
        await reader.database.close()
    if reader.consumer.service.name == "points":
        await sums(task.database_url, outcome, "points", "points.log WHERE type = 'points.entry.posted'")
    return outcome


async def ship(task: Task) -> LaneResult:
    """The relay's drain: the whole outbox of the points service to Kafka."""
    reader = await reader_of(task, "points")
    relay = Relay(reader.database, reader.source.address, reader.consumer.database.partitions and 5000)
    watch, outcome = await Watch.on(task.database_url), LaneResult()
    await relay.start()
    try:
        watch.start()
        while shipped := await relay.step():
            outcome.events += shipped
        watch.stop(outcome)
    finally:
        await relay.stop()
        await reader.database.close()
    return outcome


async def seal(task: Task) -> LaneResult:
    """Everything sealed that the points service wrote."""
    with tempfile.TemporaryDirectory(prefix="careline-bench-") as home:
        settings = Settings(home=Path(home), database_url=task.database_url)
        service = service_named("points")
        database = Database(settings, service.name)
        watch, outcome, sealer = (
            await Watch.on(task.database_url),
            LaneResult(events=task.events),
            Sealer(service, database, settings),
        )
        try:
            watch.start()
            while await sealer.step():
                pass
            watch.stop(outcome)
            if sealer.alarm:
                raise RuntimeError(sealer.alarm)
        finally:
            await database.close()
    return outcome


if __name__ == "__main__":
    main(run)
