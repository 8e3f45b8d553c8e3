"""What every page stands on: who visits, what they may open, and the services' REST in their name."""

import asyncio
import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Request
from starlette.responses import RedirectResponse, Response

from chassis.actor import Actor, Role
from chassis.clock import SHANGHAI
from chassis.errors import Forbidden, Refusal
from chassis.http.permissions import Permission
from gateway.console.areas import STAFF
from gateway.console.render import language_of
from gateway.service_client import Part, ServiceClient
from gateway.timeline import effective_now
from gateway.transport import Headers, InProcess


class SignInFirst(Refusal):
    """A page was asked for without a session."""

    status = 401


async def to_sign_in(request: Request, _: Exception) -> Response:
    """Lead to the sign-in, and back here from it."""
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.headers.get("hx-request"):
        return Response(headers={"hx-redirect": f"/sign-in?{urlencode({'next': '/'})}"})
    return RedirectResponse(f"/sign-in?{urlencode({'next': back})}", 303)


def visitors(name: str, *roles: Role) -> Any:
    """The visitor of a page that is for these roles.

    Raises: SignInFirst, Forbidden.
    """
    permission = Permission(name, frozenset(roles))

    async def check(request: Request) -> Actor:
        actor: Actor | None = request.scope.get("actor")
        if actor is None:
            raise SignInFirst
        if actor.role not in permission.roles:
            raise Forbidden
        return actor

    check.permission = permission  # type: ignore[attr-defined]
    return Depends(check)


Staff = Annotated[Actor, visitors("console:read", *STAFF)]
Anybody = Annotated[Actor, visitors("console:own", *Role)]


class Desk:
    """The services' REST in the visitor's name and language. `/v1/NAME/...` goes to that service, the rest to the gateway."""

    def __init__(self, request: Request, visitor: Actor) -> None:
        self.request = request
        self.visitor = visitor
        self.language = language_of(request)
        self.services: ServiceClient = request.app.state.services

    async def get(self, path: str, query: Mapping[str, Any] | None = None, *, purpose: str = "") -> Part:
        """One GET; filters that are empty are left out."""
        said = urlencode({name: value for name, value in (query or {}).items() if value not in (None, "")}, doseq=True)
        return await self._ask("GET", path, said, None, self._headers(purpose))

    async def all(self, *paths: str, purpose: str = "") -> list[Part]:
        """Several GETs at once, in the order asked."""
        asked = (path.partition("?") for path in paths)
        return list(
            await asyncio.gather(
                *(self._ask("GET", path, query, None, self._headers(purpose)) for path, _, query in asked)
            )
        )

    async def send(
        self, method: str, path: str, body: Any = None, *, query: str = "", key: str = "", match: str = "",
        purpose: str = "",
    ) -> Part:  # fmt: skip
        """One change, under its form's idempotency key and against the version the visitor saw."""
        headers = self._headers(purpose)
        headers += [(b"idempotency-key", key.encode())] if key else []
        headers += [(b"if-match", match.encode("latin-1", "replace"))] if match else []
        headers += [(b"content-type", b"application/json")] if body is not None else []
        content = json.dumps(body, ensure_ascii=False).encode() if body is not None else b""
        return await self._ask(method, path, query, content, headers)

    async def now(self) -> datetime:
        """The home's now, in Shanghai: in a replayed one the time of its facts."""
        async with self.request.app.state.database.reading() as sql:
            return (await effective_now(sql)).astimezone(SHANGHAI)

    async def today(self) -> date:
        """The home's business date."""
        return (await self.now()).date()

    async def upload(self, path: str, query: str, media_type: str, content: bytes, *, method: str = "POST") -> Part:
        """Send a file as it is."""
        headers = [*self._headers(""), (b"content-type", media_type.encode("latin-1", "replace"))]
        return await self._ask(method, path, query, content, headers)

    def _headers(self, purpose: str) -> Headers:
        given = [
            (b"accept-language", self.language.encode()),
            (b"x-request-id", self.request.scope["request_id"].encode()),
        ]
        return given + ([(b"purpose", f"console: {purpose}".encode("ascii", "replace"))] if purpose else [])

    async def _ask(self, method: str, path: str, query: str, content: bytes | None, headers: Headers) -> Part:
        name = path.split("/")[2]
        if name in self.services.transports:
            if content is None:
                return await self.services.get(name, path, self.visitor, query=query, passed=headers)
            return await self.services.send(method, name, path, self.visitor, content, query=query, passed=headers)
        own = InProcess(self.request.app)
        return await self.services.through(own, method, path, query, content or b"", [*headers, *self._session()])

    def _session(self) -> Headers:
        """What the gateway's own door knows the visitor by: their session and its proof, or their token."""
        scope = self.request.scope
        kept: Headers = [one for one in scope["headers"] if one[0] in (b"cookie", b"authorization", b"x-api-key")]
        session = scope.get("session")
        return kept + (
            [(b"x-csrf-token", self.request.app.state.gateway_tokens.csrf(session).encode())] if session else []
        )


def rows_of(part: Part) -> list[Any]:
    """The rows of a list, whole or by pages; none where the service did not answer."""
    if not part.found:
        return []
    found: list[Any] = part.data["items"] if isinstance(part.data, dict) else part.data
    return found


def desk(request: Request) -> Desk:
    """The desk of whoever the page's permission let in."""
    return Desk(request, request.scope["actor"])


AtDesk = Annotated[Desk, Depends(desk)]
