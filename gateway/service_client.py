"""What the gateway's own routes and pages need behind them: the services, and calls in somebody's name."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import msgspec
import structlog

from chassis.actor import Actor
from chassis.errors import Refusal, Unavailable
from chassis.http.identity import HEADER
from gateway.auth_middleware import Identities
from gateway.transport import Headers, Reply, Transport, call

log = structlog.get_logger()
PART_SECONDS = 5.0
CHANGE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Part:
    """One service's answer: `data` when it has one, else the status and problem that came instead."""

    status: int
    data: Any = None
    problem: Mapping[str, Any] | None = None
    etag: str = ""

    @property
    def found(self) -> bool:
        """Whether the service answered with data."""
        return self.status == 200

    @property
    def done(self) -> bool:
        """Whether the service did what it was asked, or took it to a second person."""
        return 200 <= self.status < 300


class ServiceClient:
    """Calls of services in a caller's name.

    `client_parts`: of each part of the 360 view the service, and what follows `/v1/SERVICE/clients/ID` in its address.
    """

    def __init__(
        self,
        transports: Mapping[str, Transport],
        identities: Identities,
        client_parts: Mapping[str, tuple[str, str]] = MappingProxyType({}),
    ) -> None:
        self.transports = transports
        self.client_parts = client_parts
        self.identities = identities
        self.trend: Any = None  # what `gateway.overview` has seen of them

    async def get(
        self, service: str, path: str, actor: Actor, *, query: str = "", passed: Headers | None = None
    ) -> Part:
        """One GET; a service that cannot be reached is an answer too."""
        headers: Headers = [(HEADER.encode(), self.identities.of(actor)), *(passed or [])]
        return await self.through(self.transports[service], "GET", path, query, b"", headers)

    async def send(
        self, method: str, service: str, path: str, actor: Actor, body: bytes, *, query: str = "", passed: Headers
    ) -> Part:
        """One request that changes something, in the caller's name; its answer, or the problem that came instead."""
        headers: Headers = [(HEADER.encode(), self.identities.of(actor)), *passed]
        return await self.through(self.transports[service], method, path, query, body, headers)

    async def through(
        self, transport: Transport, method: str, path: str, query: str, body: bytes, headers: Headers
    ) -> Part:
        """One request as it is."""
        headers = [(b"accept", b"application/json"), *headers]
        if body:
            headers.append((b"content-length", str(len(body)).encode()))
        seconds = PART_SECONDS if method == "GET" else CHANGE_SECONDS
        try:
            reply = await call(transport, path, query, headers, seconds, method=method, body=body)
        except Refusal as refusal:
            return Part(refusal.status, problem={"type": f"/problems/{refusal.name()}", "title": refusal.title.en})
        return _part(reply)

    async def get_all(
        self, wanted: Mapping[str, tuple[str, str]], actor: Actor, *, passed: Headers | None = None
    ) -> dict[str, Part]:
        """Several GETs at once: name to service and path. Services that are not here are left out."""
        here = {name: place for name, place in wanted.items() if place[0] in self.transports}
        parts = await asyncio.gather(
            *(
                self.get(service, path, actor, query=path_query[1], passed=passed)
                for service, full in here.values()
                for path_query in [full.partition("?")[::2]]
                for path in [path_query[0]]
            )
        )
        return dict(zip(here, parts, strict=True))

    async def close(self) -> None:
        """Give connections back."""
        for transport in self.transports.values():
            await transport.close()


def _part(reply: Reply) -> Part:
    try:
        body = msgspec.json.decode(reply.body) if reply.body else None
    except msgspec.DecodeError:
        return Part(502, problem={"type": f"/problems/{Unavailable.name()}", "title": "not an answer"})
    etag = reply.headers.get(b"etag", b"").decode("latin-1")
    return Part(reply.status, body, etag=etag) if reply.status < 300 else Part(reply.status, problem=body)
