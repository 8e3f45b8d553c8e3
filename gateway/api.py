"""The gateway's own routes: events in, the client's 360 view, the status of all, the documents."""

from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response

from chassis.actor import Actor, Role
from chassis.errors import NotFound, Refusal, Text
from chassis.http import Work, permits, router
from chassis.http.document import Document
from chassis.settings import Settings
from chassis.version import version
from contracts.asyncapi import document
from contracts.fields import Identifier
from gateway.client360 import client_view
from gateway.documents import Documents
from gateway.ingest import BATCH, STRUCTURED, ingest
from gateway.overview import overview
from gateway.service_client import ServiceClient
from gateway.transport import Headers

routes = router("/v1", "gateway")
STAFF = tuple(role for role in Role if role is not Role.CLIENT)
EVENTS = Document(lambda: document(version()))
_PASSED = ("accept-language", "purpose", "x-request-id", "traceparent")
_EVENT = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "data"],
    "properties": {
        "specversion": {"type": "string", "const": "1.0"},
        "id": {"type": "string", "maxLength": 200},
        "source": {"type": "string", "maxLength": 200},
        "type": {"type": "string", "description": "see /v1/asyncapi.json"},
        "time": {"type": "string", "format": "date-time"},
        "subject": {"type": "string"},
        "data": {"type": "object"},
    },
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            STRUCTURED: {"schema": _EVENT},
            BATCH: {"schema": {"type": "array", "items": _EVENT, "maxItems": 1000}},
            "application/json": {
                "schema": {"type": "object", "description": "binary mode: the data, with ce- headers"}
            },
        },
    }
}


class Durable(BaseModel):
    """The events are on disk; services apply them from there. What they make of each is theirs to say."""

    status: str = "durable"
    events: int


@routes.post("/events", status_code=202, openapi_extra=_BODY)
async def take_events(
    actor: Annotated[Actor, permits("events:write", Role.SYSTEM)], uow: Work, request: Request
) -> Durable:
    """Take facts of the broker's systems: one CloudEvent, or a batch of up to 1,000, all of them or none."""
    settings: Settings = request.app.state.settings
    facts = await ingest(uow, request.headers, await request.body(), settings.currency)
    return Durable(events=len(facts))


@routes.get("/clients/{client}")
async def read_client(
    actor: Annotated[Actor, permits("clients:read", *Role)], request: Request, client: Identifier
) -> dict[str, Any]:
    """The 360 view: class, tier and points, how each came about, and what else the services know."""
    services: ServiceClient = request.app.state.services
    return await client_view(services, actor, client, passed_on(request))


@routes.get("/status")
async def read_status(actor: Annotated[Actor, permits("status:read", *STAFF)], request: Request) -> dict[str, Any]:
    """All services: state, version, uptime, rate, errors, p95, lag in records and seconds, dead letters, conflicts."""
    services: ServiceClient = request.app.state.services
    return await overview(services)


@routes.get("/openapi.json", include_in_schema=False)
async def read_openapi(request: Request) -> Response:
    """The REST interface of all services."""
    documents: Documents = request.app.state.documents
    return await (await documents.of_all()).answer(request)


@routes.get("/asyncapi.json", include_in_schema=False)
async def read_asyncapi(request: Request) -> Response:
    """The events of all services, AsyncAPI 3.0."""
    return await EVENTS.answer(request)


def passed_on(request: Request) -> Headers:
    """What of a caller's request a service should see when the gateway asks on their behalf."""
    return [(name.encode(), request.headers[name].encode("latin-1")) for name in _PASSED if name in request.headers]


def kinds_of_problems(kind: type[Refusal] = Refusal) -> dict[str, type[Refusal]]:
    """Every kind of refusal by its stable name."""
    found = {kind.name(): kind}
    for below in kind.__subclasses__():
        found |= kinds_of_problems(below)
    return found


def problem_named(name: str) -> type[Refusal]:
    """The kind behind `/problems/<name>`.

    Raises: NotFound.
    """
    try:
        return kinds_of_problems()[name]
    except KeyError:
        raise NotFound(Text(f"no problem type {name[:60]!r}", "没有该问题类型")) from None
