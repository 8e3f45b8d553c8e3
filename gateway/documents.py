"""One OpenAPI 3.1 document of all services, made from their own."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

import msgspec
from fastapi import FastAPI

from chassis.errors import Unavailable, UpstreamTimeout
from chassis.http import openapi_of
from chassis.http.document import Document
from chassis.http.problems import SCHEMA
from chassis.version import version
from gateway.transport import Transport, call

ASK_SECONDS = 5.0
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
_REFERENCE = re.compile(r"^#/components/schemas/(.+)$")


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
        known = dict(sorted(self._known.items()))
        return Document(lambda: merged({"": openapi_of(self.app), **known}))

    async def _ask(self, name: str) -> bool:
        """Whether the service gave its document."""
        try:
            reply = await call(self.transports[name], "/openapi.json", "", [], ASK_SECONDS)
        except (Unavailable, UpstreamTimeout):
            return False
        if reply.status == 200:
            self._known[name] = msgspec.json.decode(reply.body)
        return reply.status == 200


def merged(documents: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """All paths together; schemas of equal name and other content are told apart by their service's name."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Problem": SCHEMA}
    for service, document in documents.items():
        own = document.get("components", {}).get("schemas", {})
        names = {name: _name(service, name, schema, schemas) for name, schema in own.items()}
        for name, schema in own.items():
            schemas[names[name]] = _renamed(schema, names)
        for path, item in document.get("paths", {}).items():
            paths[path] = _renamed(item, names)
    for item in paths.values():
        for operation in item.values():
            # Identity travels in a header of the gateway's own making: no caller sends it.
            operation["parameters"] = [p for p in operation.get("parameters", []) if p["name"] != "careline-identity"]
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


def _name(service: str, name: str, schema: Any, taken: Mapping[str, Any]) -> str:
    return name if name not in taken or taken[name] == schema else f"{service}.{name}"


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: f"#/components/schemas/{names.get(found[1], found[1])}"
            if key == "$ref" and isinstance(inner, str) and (found := _REFERENCE.match(inner))
            else _renamed(inner, names)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_renamed(inner, names) for inner in value]
    return value
