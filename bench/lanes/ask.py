"""Suitability checks at an even pace: `python -m bench.lanes.ask BASE TOKEN RATE SECONDS CLIENTS`.

Open loop: a request goes out when its time has come, whether or not the ones before were answered. Prints JSON.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from uuid import uuid4

import aiohttp
import uvloop

PATH = "/v1/suitability/decisions"


async def ask(base: str, token: str, rate: int, seconds: float, clients: int) -> None:
    """Ask for decisions on one product for one client after the other; a warm-up of a second is not counted."""
    taken: list[float] = []
    outcomes: Counter[str] = Counter()
    headers = {"Authorization": f"Bearer {token}", "X-Purpose": "bench"}

    async def one(number: int, *, counted: bool) -> None:
        body = {
            "client": f"S{number % clients:05d}",
            "product": "FUND",
            "side": "buy",
            "initiator": "client",
            "channel": "mobile",
        }
        began = time.perf_counter()
        async with session.post(PATH, json=body, headers={"Idempotency-Key": str(uuid4())}) as answer:
            said = await answer.json()
        if counted:
            taken.append(time.perf_counter() - began)
            outcomes[said["outcome"] if answer.status == 201 else f"HTTP {answer.status}"] += 1

    connector = aiohttp.TCPConnector(limit=64)
    async with (
        aiohttp.ClientSession(base, headers=headers, connector=connector) as session,
        asyncio.TaskGroup() as asked,
    ):
        began = time.perf_counter()
        for number in range(int(rate * (seconds + 1))):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            asked.create_task(one(number, counted=number >= rate))
    taken.sort()
    p50, p99 = (taken[int(len(taken) * part)] * 1000 for part in (0.5, 0.99))
    print(json.dumps({"asked": len(taken), "p50_ms": p50, "p99_ms": p99, "outcomes": outcomes}), flush=True)


if __name__ == "__main__":
    base, token, rate, seconds, clients = sys.argv[1:]
    uvloop.run(ask(base, token, int(rate), float(seconds), int(clients)))
