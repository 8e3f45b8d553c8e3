"""HTTP requests at an even pace: `python -m bench.lanes.paced HOST PORT PATH CLIENTS RATE SECONDS [NAME:VALUE...]`.

Open loop: a request goes out when its time has come over a connection that is free, whether or not those before were
answered; what counts is the time from then to the whole answer. PATH has a place for the number of a client. A warm-up of
a second is not counted. Prints JSON; answers other than 200 (too many at once) are refused ones.
"""

import asyncio
import json
import sys
import time

import uvloop

CONNECTIONS = 64
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _answer(reader: asyncio.StreamReader) -> bool:
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    at = lower.index(b"content-length:") + 15
    await reader.readexactly(int(lower[at : lower.index(b"\r\n", at)]))
    return head.startswith(b"HTTP/1.1 200")


async def pace(host: str, port: int, path: str, clients: int, rate: int, seconds: float, headers: list[str]) -> None:
    """Ask for one client after the other."""
    given = "".join(f"{name}: {value}\r\n" for name, _, value in (header.partition(":") for header in headers))
    requests = [
        f"GET {path.format(number)} HTTP/1.1\r\nHost: {host}:{port}\r\n{given}\r\n".encode()
        for number in range(clients)
    ]
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection(host, port))
    taken: list[float] = []
    refused: list[int] = []

    async def one(number: int, due: float, *, counted: bool) -> None:
        reader, writer = connection = await free.get()
        writer.write(requests[number % clients])
        good = await _answer(reader)
        free.put_nowait(connection)
        if not good:
            refused.append(number)
        elif counted:
            taken.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as asked:
        began = time.perf_counter()
        for number in range(int(rate * (seconds + 1))):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked.create_task(one(number, due, counted=number >= rate))
    whole = time.perf_counter() - began - 1
    taken.sort()
    p50, p99 = (taken[int(len(taken) * part)] * 1000 for part in (0.5, 0.99))
    print(
        json.dumps(
            {
                "answered": len(taken),
                "refused": len(refused),
                "per_second": round(len(taken) / whole),
                "p50_ms": round(p50, 2),
                "p99_ms": round(p99, 2),
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    host, port, path, clients, rate, seconds, *headers = sys.argv[1:]
    uvloop.run(pace(host, int(port), path, int(clients), int(rate), float(seconds), headers))
