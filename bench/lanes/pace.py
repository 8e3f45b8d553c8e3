"""Publishes trades at an even pace: `python -m bench.lanes.pace SERVERS TOPIC RATE SECONDS`."""

import asyncio
import sys
import time

import uvloop
from aiokafka import AIOKafkaProducer

from bench.trades import PARTITIONS, make
from chassis.bus.record import partition_of

TICK_SECONDS = 0.005


async def pace(servers: str, topic: str, rate: int, seconds: float) -> None:
    """Publish `rate` trades a second, in ticks of 5 ms, each tick's at once."""
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True, linger_ms=1)
    await producer.start()
    trades, began, sent = make(int(rate * seconds)), time.perf_counter(), 0
    print("pacing", flush=True)
    try:
        while (passed := time.perf_counter() - began) < seconds:
            for one in (next(trades, None) for _ in range(int(passed * rate) - sent)):
                if one is None:
                    break
                sent += 1
                place = partition_of(one.client_id, PARTITIONS)
                await producer.send(topic, one.value, one.client_id.encode(), place, headers=one.headers)
            await asyncio.sleep(TICK_SECONDS)
        await producer.flush()
    finally:
        await producer.stop()
    print(sent, flush=True)


if __name__ == "__main__":
    uvloop.run(pace(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
