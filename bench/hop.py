"""The gateway's hop: a service that costs nothing behind our gateway, and behind a proxy on a default httpx client."""

import json
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.children import child, environment, said_by
from bench.ground import Ground
from bench.keys import KEYS
from chassis.actor import Actor, Role
from chassis.http import mint
from chassis.http.identity import HEADER
from chassis.servers.ports import free_port
from chassis.settings import Settings

CONNECTIONS = 16
PATH = "/v1/points/clients/C00000001"


@dataclass(frozen=True, slots=True)
class Hop:
    """Requests a second and p99 in milliseconds, at 16 connections."""

    ours: float
    ours_p99_ms: float
    httpx: float
    httpx_p99_ms: float
    direct: float

    @property
    def ratio(self) -> float:
        """Ours against the proxy, as requests a second."""
        return self.ours / self.httpx


async def measure(ground: Ground, seconds: float, rounds: int) -> Hop:
    """Interleaved: the service itself, our gateway, the proxy. The gateway checks callers and limits; the proxy does not."""
    url = await ground.make("hop")
    service, gateway, proxy = free_port(), free_port(), free_port()
    settings = Settings(database_url=url, bus_url=f"kafka://{ground.servers}/{ground.run}-hop", **KEYS)  # type: ignore[arg-type]
    env = environment(
        CARELINE_DATABASE_URL=url, CARELINE_BUS_URL=settings.bus_url or "",
        CARELINE_SERVICE_URLS=json.dumps({"points": f"http://127.0.0.1:{service}"}),
        CARELINE_RATE_PEOPLE="1000000", CARELINE_RATE_SYSTEMS="1000000",
        **{f"CARELINE_{name.upper()}": value for name, value in KEYS.items()},
    )  # fmt: skip
    token = await said_by("careline", "token", "--role", "operations", env=env, seconds=30)
    found: dict[str, list[dict[str, Any]]] = {"direct": [], "ours": [], "httpx": []}
    try:
        async with (
            child("bench.lanes.stub", str(service), env=env),
            child("careline", "serve", "gateway", "--port", str(gateway), env=env, until="ready"),
        ):
            for _ in range(rounds):
                inner = mint(Actor("bench", Role.OPERATIONS, purpose="bench"), settings)
                upstream = f"http://127.0.0.1:{service}"
                async with child("bench.lanes.proxy", str(proxy), upstream, inner, env=env):
                    await _answers(proxy)
                    for name, port, header in (
                        ("direct", service, f"{HEADER}:{inner}"),
                        ("ours", gateway, f"Authorization:Bearer {token}"),
                        ("httpx", proxy, "Accept:application/json"),
                    ):
                        line = await said_by(
                            "bench.lanes.load", "127.0.0.1", str(port), PATH, str(CONNECTIONS), str(seconds), header,
                            "X-Purpose:bench", env=env, seconds=seconds + 30,
                        )  # fmt: skip
                        found[name].append(json.loads(line))
    finally:
        await ground.drop("hop")

    def middle(name: str, key: str) -> float:
        return float(median(one[key] for one in found[name]))

    return Hop(
        ours=middle("ours", "per_second"),
        ours_p99_ms=middle("ours", "p99_ms"),
        httpx=middle("httpx", "per_second"),
        httpx_p99_ms=middle("httpx", "p99_ms"),
        direct=middle("direct", "per_second"),
    )


async def _answers(port: int) -> None:
    """Wait until something listens.

    Raises: ConnectionRefusedError after 20 s.
    """
    import asyncio
    import time

    until = time.monotonic() + 20
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
