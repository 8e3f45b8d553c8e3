"""Reads by staff of what belongs to a client: they carry a purpose and are recorded, one row a request.

Nothing is to be remembered by a route: which ones are recorded follows from the ids in its path and in what it answers
(`OBJECTS`), and the ids that were shown are taken from the answer itself. A client's own pages are not shown without a
purpose of the caller's; elsewhere the work the route is for is the purpose, where the caller names none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, get_args
from urllib.parse import unquote

import msgspec
from fastapi import Depends, Request
from pydantic import BaseModel
from starlette.responses import Response

from chassis.actor import Actor, Role
from chassis.database import Database
from chassis.errors import Refusal, Text
from chassis.http.declared import declares
from chassis.http.identity import identified
from chassis.objections import NOT_LIMITED, require_no_objection
from chassis.uow import UnitOfWork

NOT_STAFF = {Role.CLIENT, Role.SYSTEM}
LONGEST_PURPOSE = 200
NAMED = 50
"""So many ids are named in the row; of more the count tells."""
OBJECTS = {
    "client_id": "client", "case_id": "case", "task_id": "task", "finding_id": "finding", "attempt_id": "attempt",
    "message_id": "message", "visit_id": "visit", "decision_id": "decision", "assessment_id": "assessment",
    "submission_id": "submission", "hold_id": "hold", "evidence_id": "evidence",
    "prospect_id": "prospect",
}  # fmt: skip
"""Ids by which something can be traced to a person, and what the row calls the object."""
_READ = "careline.read"
_ACTOR = "careline.actor"


class PurposeRequired(Refusal):
    """Staff who read a client's record say why: send a `Purpose` header."""

    status = 400
    title = Text("A purpose is required", "须说明查阅目的")


def purpose_of(request: Request, actor: Actor) -> str:
    """Why the caller reads, as they say or as their token does; empty without."""
    # Headers are Latin-1: a purpose in Chinese comes percent-encoded.
    return unquote(request.headers.get("purpose", "")).strip()[:LONGEST_PURPOSE] or actor.purpose or ""


def note_actor(request: Request, actor: Actor, permission: str) -> None:
    """Who asks, and by which permission, for the record of the read."""
    request.scope[_ACTOR] = (actor, permission)


def note_read(
    request: Request, uow: UnitOfWork, actor: Actor, permission: str, clients: Sequence[str], **more: Any
) -> None:
    """Record a read inside a unit of work, for routes that read by POST.

    Raises: PurposeRequired.
    """
    if not (purpose := purpose_of(request, actor)):
        raise PurposeRequired
    request.scope[_READ] = True
    uow.audit(
        "read", permission, permission=permission, purpose=purpose, path=request.url.path,
        client_id=list(clients[:NAMED]), count=len(clients), **more,
    )  # fmt: skip


async def record_read(request: Request, actor: Actor, permission: str, client_id: str) -> Actor:
    """Leave a row about a staff member's read of a client's pages, before it is done; clients and systems read without.

    Raises: PurposeRequired; ViewingObjected.
    """
    if actor.role in NOT_STAFF:
        return actor
    if not (purpose := purpose_of(request, actor)):
        raise PurposeRequired
    actor = replace(actor, purpose=purpose)
    database: Database = request.app.state.database
    async with database.unit_of_work(actor) as uow:
        await require_no_objection(uow.sql, actor, client_id, purpose)
        uow.audit(
            "read", f"client/{client_id}", key=client_id, permission=permission, purpose=purpose, path=request.url.path
        )
    request.scope[_READ] = True
    return actor


async def require_sight_of(request: Request, actor: Actor, client_id: str) -> None:
    """A list about one client, who may object to it.

    Raises: ViewingObjected.
    """
    if actor.role in NOT_LIMITED:
        return
    database: Database = request.app.state.database
    async with database.reading() as sql:
        await require_no_objection(sql, actor, client_id, purpose_of(request, actor))


@declares(PurposeRequired)
async def stated_purpose(request: Request, actor: Annotated[Actor, Depends(identified)]) -> str:
    """The purpose of a route that reveals personal data; `reveal` leaves the row.

    Raises: PurposeRequired.
    """
    purpose = purpose_of(request, actor)
    if not purpose and actor.role not in NOT_STAFF:
        raise PurposeRequired
    request.scope[_READ] = True
    return purpose or "own data"


Purpose = Annotated[str, Depends(stated_purpose)]


def is_recorded(path_names: Sequence[str], answers: Any) -> bool:
    """Whether what a route shows can be traced to persons: by an id in its path, or in the model of its answer."""
    return not OBJECTS.keys().isdisjoint(path_names) or any(_names_of(answers, set()))


def _names_of(shape: Any, seen: set[Any]) -> Iterator[bool]:
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        if shape not in seen:
            seen.add(shape)
            for name, field in shape.model_fields.items():
                if name in OBJECTS:
                    yield True
                yield from _names_of(field.annotation, seen)
        return
    for inner in get_args(shape):
        yield from _names_of(inner, seen)


async def record_shown(request: Request, response: Response) -> None:
    """Leave the row of a read that is answered: what was shown, by id, or how many."""
    actor, permission = request.scope.get(_ACTOR, (None, ""))
    if actor is None or actor.role in NOT_STAFF or request.scope.get(_READ) or response.status_code >= 300:
        return
    named = {name: str(value) for name, value in request.path_params.items() if name in OBJECTS}
    shown: dict[str, dict[str, None]] = {}
    if str(response.headers.get("content-type", "")).startswith("application/json"):
        _collect(msgspec.json.decode(response.body), shown)
    ids = {name: list(values) for name, values in shown.items() if name not in named}
    if not named and not ids:
        return  # a page with nobody on it
    subject = next((f"{OBJECTS[name]}/{value}" for name, value in named.items()), permission)
    clients = ids.get("client_id", [])
    database: Database = request.app.state.database
    more: dict[str, Any] = named | {name: values[:NAMED] for name, values in ids.items()}
    if ids:
        more["count"] = max(map(len, ids.values()))
    async with database.unit_of_work(actor) as uow:
        uow.audit(
            "read",
            subject,
            key=named.get("client_id") or (clients[0] if len(clients) == 1 else None),
            permission=permission,
            purpose=purpose_of(request, actor) or permission,
            path=request.url.path,
            **more,
        )


def _collect(value: Any, shown: dict[str, dict[str, None]]) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in OBJECTS and isinstance(inner, str):
                shown.setdefault(name, {})[inner] = None
            elif isinstance(inner, dict | list):
                _collect(inner, shown)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, shown)
