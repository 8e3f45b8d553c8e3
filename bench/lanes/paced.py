"""HTTP requests at an even pace: `python -m bench.lanes.paced HOST PORT PATH CLIENTS RATE SECONDS [NAME:VALUE...]`.

Open loop: a request goes out when its time has come over a connection that is free, whether or not those before were
answered; what counts is the time from then to the whole answer. PATH has a place for the number of a client; a VALUE that
begins with @ names a file with a line for each client. A warm-up of a second is not counted. Prints JSON; answers other than
200 (too many at once) are refused ones. `asking_cpu_us` is this program's own CPU a request, `late_p99_ms` how late a
request went out: where the cores are wanted, both are part of what the service seems to take.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

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
    named = [(name, _of_each(value, clients)) for name, _, value in (header.partition(":") for header in headers)]
    requests = []
    for number in range(clients):
        head = [f"GET {path.format(number)} HTTP/1.1", f"Host: {host}:{port}"]
        head += [f"{name}: {values[number]}" for name, values in named]
        requests.append("\r\n".join([*head, "", ""]).encode())
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection(host, port))
    taken: list[float] = []
    late: list[float] = []
    refused: list[int] = []

    async def one(number: int, due: float, *, counted: bool) -> None:
        reader, writer = connection = await free.get()
        if counted:
            late.append(time.perf_counter() - due)
        writer.write(requests[number % clients])
        good = await _answer(reader)
        free.put_nowait(connection)
        if not good:
            refused.append(number)
        elif counted:
            taken.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as asked:
        began, used = time.perf_counter(), time.process_time()
        for number in range(int(rate * (seconds + 1))):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked.create_task(one(number, due, counted=number >= rate))
    whole, used = time.perf_counter() - began - 1, time.process_time() - used
    p50, p99 = (sorted(taken)[int(len(taken) * part)] * 1000 for part in (0.5, 0.99))
    late_p99 = sorted(late)[int(len(late) * 0.99)] * 1000
    print(
        json.dumps(
            {
                "answered": len(taken),
                "refused": len(refused),
                "per_second": round(len(taken) / whole),
                "p50_ms": round(p50, 2),
                "p99_ms": round(p99, 2),
                "late_p99_ms": round(late_p99, 2),
                "asking_cpu_us": round(used / int(rate * (seconds + 1)) * 1e6),
            }
        ),
        flush=True,
    )


def _of_each(value: str, clients: int) -> list[str]:
    """A header's value for each client."""
    if not value.startswith("@"):
        return [value] * clients
    return Path(value[1:]).read_text().splitlines()


if __name__ == "__main__":
    host, port, path, clients, rate, seconds, *headers = sys.argv[1:]
    uvloop.run(pace(host, int(port), path, int(clients), int(rate), float(seconds), headers))
