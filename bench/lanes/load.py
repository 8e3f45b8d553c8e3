"""HTTP load over kept-alive connections: `python -m bench.lanes.load HOST PORT PATH CONNECTIONS SECONDS [NAME:VALUE...]`.

Prints requests a second and the median and 99th percentile in milliseconds as JSON. Answers other than 200 are errors.
"""

import asyncio
import json
import sys
import time

import uvloop


async def _one(host: str, port: int, request: bytes, until: float, taken: list[float]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        while (began := time.perf_counter()) < until:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(head.decode("latin-1"))
            lower = head.lower()
            at = lower.index(b"content-length:") + 15
            await reader.readexactly(int(lower[at : lower.index(b"\r\n", at)]))
            taken.append(time.perf_counter() - began)
    finally:
        writer.close()


async def load(host: str, port: int, path: str, connections: int, seconds: float, headers: list[str]) -> None:
    """Ask again and again over each connection, the next request after the answer to the one before."""
    given = "".join(f"{name}: {value}\r\n" for name, _, value in (header.partition(":") for header in headers))
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n{given}\r\n".encode()
    taken: list[float] = []
    await _one(host, port, request, time.perf_counter() + 0.5, [])
    began = time.perf_counter()
    await asyncio.gather(*(_one(host, port, request, began + seconds, taken) for _ in range(connections)))
    taken.sort()
    print(
        json.dumps(
            {
                "per_second": len(taken) / (time.perf_counter() - began),
                "p50_ms": taken[len(taken) // 2] * 1000,
                "p99_ms": taken[int(len(taken) * 0.99)] * 1000,
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    host, port, path, connections, seconds, *headers = sys.argv[1:]
    uvloop.run(load(host, int(port), path, int(connections), float(seconds), headers))
