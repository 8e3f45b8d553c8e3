"""One OpenAPI 3.1 document of all services, made from their own."""

import asyncio
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

import msgspec
from fastapi import FastAPI

from chassis.errors import TooManyRequests, Unavailable, UpstreamTimeout
from chassis.http import openapi_of
from chassis.http.document import Document
from chassis.http.documents import problem_answer, renamed_schemas
from chassis.version import version
from gateway.transport import Transport, call

ASK_SECONDS = 20.0
ASK_AGAIN_SECONDS = 10.0

SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "`careline token --role ROLE`",
    },
    "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "for systems"},
}
LIMITED = problem_answer(TooManyRequests.status, [TooManyRequests])


class Documents:
    """The services' own documents, asked for and kept: they change only with a new version of a service. One that could not be
    reached is asked again, by one caller at a time and not at every request."""

    def __init__(self, app: FastAPI, transports: Mapping[str, Transport]) -> None:
        self.app = app
        self.transports = transports
        self._known: dict[str, dict[str, Any]] = {}
        self._merged: Document | None = None
        self._asked = 0.0
        self._asking: asyncio.Task[Document] | None = None

    async def of_all(self) -> Document:
        """All that could be reached, merged."""
        missing = self.transports.keys() - self._known.keys()
        if self._merged is None or (missing and monotonic() - self._asked > ASK_AGAIN_SECONDS):
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._gather(sorted(missing)))
            self._merged = await asyncio.shield(self._asking)
        return self._merged

    async def _gather(self, missing: Sequence[str]) -> Document:
        found = await asyncio.gather(*map(self._ask, missing))
        self._asked = monotonic()
        if self._merged is not None and not any(found):
            return self._merged
        # The gateway's own operations are a service of its name: both documents are the gateway's.
        known = [("gateway", openapi_of(self.app)), *sorted(self._known.items())]
        return Document(lambda: merged(known))

    async def _ask(self, name: str) -> bool:
        """Whether the service gave its document."""
        try:
            reply = await call(self.transports[name], "/openapi.json", "", [], ASK_SECONDS)
        except (Unavailable, UpstreamTimeout):
            return False
        if reply.status == 200:
            self._known[name] = msgspec.json.decode(reply.body)
        return reply.status == 200


def merged(documents: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """All paths together; schemas of equal name and other content bear the names of their services before them."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    known: dict[str, Any] = {}
    ambiguous = set()
    for _, document in documents:
        for name, schema in document["components"]["schemas"].items():
            if known.setdefault(name, schema) != schema:
                ambiguous.add(name)
    for service, document in documents:
        own = document["components"]["schemas"]
        renamed = renamed_schemas(document, {name: f"{service.title()}{name}" for name in own if name in ambiguous})
        schemas |= renamed["components"]["schemas"]
        paths |= renamed["paths"]
    for item in paths.values():
        for operation in item.values():
            operation["responses"]["429"] = LIMITED
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Careline",
            "version": version(),
            "description": "Clients' classes, tiers, points and service. Amounts are decimal strings, dates business "
            "dates in Asia/Shanghai, errors problem details (RFC 9457) in zh-CN or en by Accept-Language.",
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"api_key": []}],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(schemas.items())), "securitySchemes": SECURITY},
    }
