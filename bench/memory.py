"""Memory of the embedded platform with its database: idle, and while a burst of trades is worked off."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench.children import child, environment
from bench.processes import family, pss_megabytes
from bench.trades import PARTITIONS, SOURCE, TYPE, make
from chassis.bus.record import Outgoing, partition_of
from chassis.database import Database
from chassis.servers.ports import free_port
from chassis.servers.postgres import PrivatePostgres
from chassis.settings import Settings

SETTLE_SECONDS = 8
LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 300
BATCH = 5_000
TOPIC = "careline.broker.trades"


@dataclass(frozen=True, slots=True)
class Memory:
    """Proportional set size in megabytes; events in the burst, and how many were worked off a second."""

    idle_mb: float
    burst_mb: float
    events: int
    per_second: float


async def measure(home: Path, events: int) -> Memory:
    """`careline up` in an empty home; then so many trades on the log at once. Raises: TimeoutError."""
    env = environment(CARELINE_HOME=str(home))
    async with child("careline", "up", "--port", str(free_port()), env=env, until="ready") as platform:
        server = PrivatePostgres(home).status()
        assert server.pid is not None
        assert server.url is not None
        await asyncio.sleep(SETTLE_SECONDS)
        idle = _now(platform.pid, server.pid)
        database = Database(Settings(database_url=server.url), "gateway")
        try:
            peak, seconds = await _burst(database, server.url, events, platform.pid, server.pid)
        finally:
            await database.close()
    return Memory(idle, peak, events, events / seconds)


def _now(platform: int, server: int) -> float:
    return pss_megabytes({*family(platform), *family(server)})


async def _burst(database: Database, url: str, events: int, platform: int, server: int) -> tuple[float, float]:
    publishing = asyncio.create_task(_publish(database, events))
    connection = await asyncpg.connect(url)
    began, peak = time.perf_counter(), 0.0
    try:
        while time.perf_counter() - began < PATIENCE_SECONDS:
            peak = max(peak, _now(platform, server))
            applied = await connection.fetchval(
                """SELECT least((SELECT coalesce(sum(next), 0) FROM points.consumer_offsets WHERE topic = $1),
                          (SELECT coalesce(sum(next), 0) FROM classification.consumer_offsets WHERE topic = $1))""",
                TOPIC,
            )
            if applied >= events:
                await publishing
                return peak, time.perf_counter() - began
            if publishing.done():
                publishing.result()
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        publishing.cancel()
        await connection.close()
    raise TimeoutError(f"the burst was not worked off in {PATIENCE_SECONDS} s")


async def _publish(database: Database, events: int) -> None:
    trades = make(events)
    for _ in range(0, events, BATCH):
        async with database.unit_of_work() as uow:
            uow.publish(
                Outgoing(
                    TOPIC, partition_of(one.client_id, PARTITIONS), one.client_id, TYPE, one.event_id, SOURCE, one.time,
                    one.value,
                )
                for one in (next(trades) for _ in range(min(BATCH, events)))
            )  # fmt: skip
