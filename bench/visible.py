"""From publishing an event to seeing its effect over REST: separate processes on Kafka, at an even pace."""

import asyncio
import time
from dataclasses import dataclass

import aiohttp
from aiokafka import AIOKafkaProducer

from bench.children import child, environment, said_by
from bench.ground import Ground
from bench.keys import KEYS
from bench.trades import PARTITIONS, trade
from chassis.actor import Actor, Role
from chassis.bus.record import partition_of
from chassis.http import mint
from chassis.http.identity import HEADER
from chassis.servers.ports import free_port
from chassis.settings import Settings

PROBERS = 1
TOKEN_SECONDS = 20
ASK_AGAIN_SECONDS = 0.003  # asking all the time would take a core from what is measured
PATIENCE_SECONDS = 5
WARM_UP_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Visible:
    """Milliseconds from publishing to visible at so many events a second."""

    rate: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    probes: int


async def _probe(
    session: aiohttp.ClientSession, producer: AIOKafkaProducer, topic: str, settings: Settings, who: int,
    until: float, taken: list[float],
) -> None:  # fmt: skip
    """Again and again: publish a trade of a client never heard of, and ask until the points are there."""
    caller, number, minted, headers = Actor("bench", Role.OPERATIONS, purpose="bench"), 0, 0.0, {}
    while (began := time.perf_counter()) < until:
        if began - minted > TOKEN_SECONDS:
            minted, headers = began, {HEADER: mint(caller, settings)}
        number += 1
        one = trade(f"probe-{who}-{number}-{int(began * 1000)}", f"T{number}", 1234)
        began = time.perf_counter()
        await producer.send(
            topic, one.value, one.client_id.encode(), partition_of(one.client_id, PARTITIONS), headers=one.headers
        )
        while True:
            async with session.get(f"/v1/points/clients/{one.client_id}", headers=headers) as answer:
                body = await answer.json()
                if answer.status == 200 and body["available"] == "12.34":
                    break
                if answer.status not in (200, 404) or time.perf_counter() - began > PATIENCE_SECONDS:
                    raise RuntimeError(f"a trade was not visible: {answer.status} {body}")
            await asyncio.sleep(ASK_AGAIN_SECONDS)
        taken.append(time.perf_counter() - began)
        await asyncio.sleep(0.01)


async def measure(ground: Ground, rates: tuple[int, ...], seconds: float) -> list[Visible]:
    """`careline work points`, `careline serve points`, a publisher at each pace, and two who look."""
    prefix = f"{ground.run}-visible"
    url = await ground.make("visible", "template")
    port = free_port()
    settings = Settings(database_url=url, bus_url=f"kafka://{ground.servers}/{prefix}", **KEYS)  # type: ignore[arg-type]
    env = environment(
        CARELINE_DATABASE_URL=url, CARELINE_BUS_URL=settings.bus_url or "",
        **{f"CARELINE_{name.upper()}": value for name, value in KEYS.items()},
    )  # fmt: skip
    found = []
    try:
        async with (
            child("careline", "serve", "points", "--port", str(port), env=env, until="ready"),
            child("careline", "work", "points", env=env, until="working"),
        ):
            await asyncio.sleep(WARM_UP_SECONDS)
            for rate in rates:
                found.append(await _at(rate, seconds, ground, f"{prefix}.broker.trades", port, settings, env))
    finally:
        await ground.drop("visible")
    return found


async def _at(
    rate: int, seconds: float, ground: Ground, topic: str, port: int, settings: Settings, env: dict[str, str]
) -> Visible:
    taken: list[float] = []
    producer = AIOKafkaProducer(bootstrap_servers=ground.servers, acks="all", linger_ms=0)
    await producer.start()
    pacing = asyncio.create_task(
        said_by("bench.lanes.pace", ground.servers, topic, str(rate), str(seconds + 3), env=env, seconds=seconds + 60)
    )
    try:
        await asyncio.sleep(WARM_UP_SECONDS)
        until = time.perf_counter() + seconds
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            await asyncio.gather(
                *(_probe(session, producer, topic, settings, who, until, taken) for who in range(PROBERS))
            )
        await pacing
    finally:
        pacing.cancel()
        await producer.stop()
    taken.sort()
    p50, p95, p99 = (taken[int(len(taken) * part)] * 1000 for part in (0.5, 0.95, 0.99))
    return Visible(rate, p50, p95, p99, len(taken))
