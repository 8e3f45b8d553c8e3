"""Safe retries: the answer to a request with an `Idempotency-Key` is stored in the transaction of its work.

The same key and body gives the stored answer, another body 422, a key still being worked on 409. "In progress" is an
advisory lock of the transaction: it goes with the work, whatever becomes of it. Refused requests leave nothing, so a
retry is judged afresh.
"""

import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute

from chassis.actor import Actor
from chassis.database import Database
from chassis.errors import Conflict, IdempotencyKeyRequired, Refusal, Text
from chassis.http.changes import record_change
from chassis.http.declared import declares
from chassis.http.persons import with_persons
from chassis.http.readable import body_of, query_names, require_readable
from chassis.http.reads import is_recorded, record_shown
from chassis.http.work import Work
from chassis.uow import UnitOfWork
from contracts.fields import text_of

KEPT = timedelta(hours=48)
IdempotencyKey = Annotated[
    str, text_of(200, 1, "a key of the caller's own: the same in every retry of a request", "5f0c")
]
_SCOPE = "careline.once"
_STORED_HEADERS = ("content-type", "location", "etag")


class IdempotencyKeyReused(Refusal):
    """The key was used before for another request: take a new key."""

    status = 422
    title = Text("Idempotency-Key was used for another request", "Idempotency-Key 已用于其他请求")


class StillInProgress(Conflict):
    """The first request with this key is still being worked on: try again in a moment."""

    title = Text("The same request is still in progress", "相同请求仍在处理中")


class AnsweredBefore(Exception):
    """Carries the stored answer out of the route."""

    def __init__(self, response: Response) -> None:
        self.response = response


@dataclass(frozen=True, slots=True)
class FirstTime:
    """A request worked on under its key for the first time."""

    uow: UnitOfWork
    caller: str
    key: str
    fingerprint: bytes

    async def store(self, response: Response) -> None:
        """Keep the answer, in the transaction of the work."""
        headers = {name: response.headers[name] for name in _STORED_HEADERS if name in response.headers}
        await self.uow.sql.execute(
            """INSERT INTO idempotency_keys (caller, key, fingerprint, status, headers, body, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7)""",
            self.caller,
            self.key,
            self.fingerprint,
            response.status_code,
            headers,
            bytes(response.body),
            self.uow.now,
        )


@declares(IdempotencyKeyRequired, IdempotencyKeyReused, StillInProgress, requires="idempotency-key")
async def once(
    request: Request,
    uow: Work,
    idempotency_key: Annotated[IdempotencyKey | None, Header()] = None,
) -> FirstTime:
    """Answer a repeat from the store, or let the request through.

    Raises: IdempotencyKeyRequired, IdempotencyKeyReused, StillInProgress, AnsweredBefore.
    """
    if idempotency_key is None:
        raise IdempotencyKeyRequired
    # An answer is for whoever got it as who they were: in another role, branch or seat it is another request.
    caller = "\n".join(map(str, _as_who(uow.actor)))
    head = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    first = FirstTime(uow, caller, idempotency_key, hashlib.sha256(head + await request.body()).digest())
    if not await uow.sql.fetchval(
        "SELECT pg_try_advisory_xact_lock(hashtextextended(current_schema() || $1 || chr(10) || $2, 1))",
        caller,
        idempotency_key,
    ):
        raise StillInProgress(retry_after=1)
    stored = await uow.sql.fetchrow(
        "SELECT * FROM idempotency_keys WHERE caller = $1 AND key = $2", caller, idempotency_key
    )
    if stored is None:
        request.scope[_SCOPE] = first
        uow.idempotency_key = idempotency_key
        return first
    if stored["fingerprint"] != first.fingerprint:
        raise IdempotencyKeyReused
    raise AnsweredBefore(
        Response(stored["body"], stored["status"], stored["headers"] | {"idempotency-replayed": "true"})
    )


def _as_who(actor: Actor) -> tuple[object, ...]:
    seats = ",".join(sorted(f"{unit}/{seat}" for unit, seat in actor.seats))
    return actor.subject, actor.role, actor.person or "", actor.client_id or "", actor.branch_id or "", seats


Once = Annotated[FirstTime, Depends(once, scope="function")]


class Route(APIRoute):
    """A route that takes only the query it names, stores its answer when its request carried a key (after the handler,
    before the commit), leaves a row of what staff were shown or of what was changed without one, and gives its handler staff ids for names in the body."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, with_persons(endpoint), **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, the check before it and the store behind it."""
        handler = super().get_route_handler()
        self.known = known = query_names(self.dependant)
        has_body = bool(body_of(self.dependant))
        self.recorded = recorded = "GET" in (self.methods or ()) and is_recorded(
            list(self.param_convertors), self.response_model
        )

        async def answer(request: Request) -> Response:
            await require_readable(request, known, has_body=has_body)
            response = await handler(request)
            if recorded:
                await record_shown(request, response)
            await record_change(request, response)
            first: FirstTime | None = request.scope.get(_SCOPE)
            if first is not None:
                await first.store(response)
            return response

        return answer


class Router(APIRouter):
    """A router whose routes are analysed when they are first asked for (FastAPI takes milliseconds for each): a command that
    serves nothing starts without them."""

    def __init__(self, **options: Any) -> None:
        self._later: list[Callable[[], None]] = []
        super().__init__(**options)

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self._later.append(partial(super().add_api_route, path, endpoint, **options))

    def join(self, other: APIRouter) -> None:
        """The routes of another as well. They are shared, not made again: FastAPI's `include_router` analyses every route
        once more for every app."""
        self._later.append(lambda: self.routes.extend(other.routes))

    @property
    def routes(self) -> list[BaseRoute]:
        later, self._later = self._later, []
        for add in later:
            add()
        return self._routes

    @routes.setter
    def routes(self, given: list[BaseRoute]) -> None:
        self._routes = given


def router(prefix: str, *tags: str) -> APIRouter:
    """A service's router: `Once` understood, reads and changes recorded."""
    return Router(prefix=prefix, tags=list(tags), route_class=Route)


def joined(*routers: APIRouter) -> APIRouter:
    """The routes of several routers as one."""
    whole = Router()
    for one in routers:
        whole.join(one)
    return whole


async def answer_again(_: Request, error: Exception) -> Response:
    """FastAPI's handler of a repeat."""
    assert isinstance(error, AnsweredBefore)
    return error.response


async def purge(database: Database, before: datetime) -> int:
    """Forget answers stored before an instant (callers keep them `KEPT` long). Returns how many."""
    async with database.unit_of_work() as uow:
        done: str = await uow.sql.execute("DELETE FROM idempotency_keys WHERE created_at < $1", before)
    return int(done.split()[-1])
