"""The points service with company: two workers, its relay, classification beside it."""

import asyncio
import time
from dataclasses import dataclass

import asyncpg

from bench.ground import Ground
from bench.lanes.lane import LaneResult, Task
from bench.throughput import prefix_of

LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 180
TRADES = "careline.broker.trades"


@dataclass(frozen=True, slots=True)
class Company:
    """Events a second: one worker, two, points and classification on the same cores, the relay's drain, and sealing."""

    one_worker: float
    two_workers: float
    with_classification: float
    relay: LaneResult
    sealing: LaneResult

    @property
    def behind_us(self) -> float:
        """CPU of both sides that relay and sealing add to an entry, in microseconds."""
        return sum((one.client_cpu + one.database_cpu) / one.events * 1e6 for one in (self.relay, self.sealing))


async def _applied(url: str, schemas: tuple[str, ...], events: int) -> float:
    """Seconds from the first record applied to the last one, in every schema.

    Raises: TimeoutError.
    """
    connection = await asyncpg.connect(url)
    question = " + ".join(
        f"(SELECT coalesce(sum(next), 0) FROM {schema}.consumer_offsets WHERE topic = '{TRADES}')" for schema in schemas
    )
    until, began = time.monotonic() + PATIENCE_SECONDS, 0.0
    try:
        while time.monotonic() < until:
            applied = await connection.fetchval(f"SELECT ({question})::bigint")
            if applied and not began:
                began = time.perf_counter()
            if applied >= events * len(schemas):
                return time.perf_counter() - began
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        await connection.close()
    raise TimeoutError(f"not applied after {PATIENCE_SECONDS} s")


async def _race(ground: Ground, name: str, events: int, services: tuple[str, ...]) -> float:
    """Events a second of these workers (a service named twice has two), on a database of their own."""
    url = await ground.make(name, "template")
    alone = "1" if len(services) == len(set(services)) else "2"
    tasks = [
        Task(ground.servers, prefix_of(ground, events), url, events, "", {"service": service, "workers": alone})
        for service in services
    ]
    try:
        *_, seconds = await asyncio.gather(
            *(ground.lane("ours", task) for task in tasks), _applied(url, tuple(sorted(set(services))), events)
        )
        return events / float(seconds)  # type: ignore[arg-type]
    finally:
        await ground.drop(name)


async def behind(ground: Ground, events: int) -> tuple[LaneResult, LaneResult]:
    """What comes behind a full outbox: the relay's drain, and the sealing of everything."""
    url = await ground.make("relay", "template")
    prefix = prefix_of(ground, events)
    try:
        await ground.lane("ours", Task(ground.servers, prefix, url, events, ""))
        return (
            await ground.lane("ours", Task(ground.servers, prefix, url, events, "", {"relay": "1"})),
            await ground.lane("ours", Task(ground.servers, prefix, url, events, "", {"seal": "1"})),
        )
    finally:
        await ground.drop("relay")


async def measure(ground: Ground, events: int) -> Company:
    """All of them, on topics that `throughput.prepare` has filled with so many events."""
    relay, sealing = await behind(ground, events)
    return Company(
        relay=relay,
        sealing=sealing,
        one_worker=await _race(ground, "one", events, ("points",)),
        two_workers=await _race(ground, "two", events, ("points", "points")),
        with_classification=await _race(ground, "beside", events, ("points", "classification")),
    )
