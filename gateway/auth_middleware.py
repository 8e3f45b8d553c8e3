"""The door: who is calling, whether they may go on at this speed, and which way the request goes."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace
from http.cookies import CookieError, SimpleCookie
from time import monotonic

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.actor import Actor, Role
from chassis.errors import Forbidden, Refusal, Text, Unauthenticated
from chassis.http.identity import HEADER
from chassis.http.problems import answer
from gateway.access import SESSION, TOKEN, Access
from gateway.keys import PREFIX, Keys
from gateway.limits import Buckets, Strangers
from gateway.settings import GatewaySettings
from gateway.tokens import PURPOSE, GatewayTokens
from gateway.transport import Headers, Transport

COOKIE = "careline_session"
CSRF_HEADER = b"x-csrf-token"
# What outside callers say about identity never reaches a service; the gateway's own pages need their cookies.
_IDENTITY = frozenset((HEADER.encode(),))
_DROPPED = _IDENTITY | frozenset((b"authorization", b"cookie", b"x-api-key", CSRF_HEADER))
_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_SYSTEMS = frozenset((Role.SYSTEM, Role.OPERATIONS))
# Whoever is let in stays so for the age of what is known of them (`gateway.access`) and the life of this token: under 15 s.
INTERNAL_SECONDS = 10
RENEW_SECONDS = 3.0
_POLICY = (
    b"default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
    b"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
SECURITY_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", _POLICY),
]
# The viewer of events compiles the schemas it shows into functions.
_EVENTS_PAGE_HEADERS = [
    *SECURITY_HEADERS[:-1],
    (b"content-security-policy", _POLICY + b"; script-src 'self' 'unsafe-eval'"),
]


class CrossSite(Forbidden):
    """The request came with a browser's session, but without the page's token: it was not made by our pages."""

    title = Text("Not sent by this console", "请求并非由本控制台发出")


class Identities:
    """Internal tokens of callers, made anew every 3 seconds: signing each request would cost more than the hop."""

    def __init__(self, tokens: GatewayTokens) -> None:
        self.tokens = tokens
        self._made: dict[Actor, tuple[float, bytes]] = {}

    def of(self, actor: Actor) -> bytes:
        """A token that is good for at least 6 seconds, in which a request has to arrive."""
        now = monotonic()
        at, token = self._made.get(actor, (-RENEW_SECONDS, b""))
        if now - at >= RENEW_SECONDS:
            if len(self._made) > 10_000:
                self._made.clear()
            token = self.tokens.internal.make(actor, INTERNAL_SECONDS).encode()
            self._made[actor] = (now, token)
        return token


class AuthMiddleware:
    """ASGI: everything from outside comes through here. `inside` is the gateway's own app."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        tokens: GatewayTokens,
        identities: Identities,
        keys: Keys,
        access: Access,
        services: Mapping[str, Transport],
        settings: GatewaySettings,
        scrapes: Callable[[str], bool],
    ) -> None:
        self.app = app
        self.tokens = tokens
        self.keys = keys
        self.access = access
        self.services = services
        self.identities = identities
        self.people = Buckets(settings.rate_people, settings.rate_people * 2)
        self.strangers = Strangers(settings.rate_anonymous)
        self.scrapes = scrapes
        self.systems = Buckets(settings.rate_systems, settings.rate_systems * 2)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = _EVENTS_PAGE_HEADERS if scope["path"] == "/events" else SECURITY_HEADERS
                message["headers"] = [*message["headers"], *own]
            await send(message)

        try:
            await self._let_in(scope, receive, send_safely)
        except Refusal as refusal:
            await answer(scope, refusal)(scope, receive, send_safely)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = dict(scope["headers"])
        actor = await self._known(scope, given)
        service = self._service(scope["path"])
        dropped = _DROPPED if service else _IDENTITY
        headers: Headers = [header for header in scope["headers"] if header[0] not in dropped]
        if actor is not None:
            (self.systems if actor.role in _SYSTEMS else self.people).take(actor.subject)
            headers.append((HEADER.encode(), self.identities.of(actor)))
        if service is None:
            scope["actor"] = actor
            scope["headers"] = headers
            await self.app(scope, receive, send)
            return
        if actor is None:
            raise Unauthenticated
        headers = [header for header in headers if header[0] != b"x-request-id"]
        headers.append((b"x-request-id", scope["request_id"].encode()))
        await service(scope, headers, receive, send)

    async def _known(self, scope: Scope, given: Mapping[bytes, bytes]) -> Actor | None:
        """Who is calling. None when the request names nobody, which an address may do only so often.

        Raises: as `_actor`; TooManyRequests.
        """
        if scope["path"] in ("/metrics", "/readyz") and self.scrapes(
            given.get(b"authorization", b"").decode("latin-1")
        ):
            return None
        address = (scope.get("client") or ("", 0))[0]
        try:
            actor = await self._actor(scope, given)
        except Unauthenticated:
            await self.strangers.take(address)
            raise
        if actor is None:
            await self.strangers.take(address)
        return actor

    def _service(self, path: str) -> Transport | None:
        if not path.startswith("/v1/"):
            return None
        return self.services.get(path[4:].partition("/")[0])

    async def _actor(self, scope: Scope, given: Mapping[bytes, bytes]) -> Actor | None:
        """Who is calling: by bearer token, API key or session. None when the request names nobody.

        Raises: Unauthenticated for a token or key that is not good, or of somebody who left; CrossSite; Unavailable.
        """
        key = given.get(b"x-api-key", b"").decode("latin-1")
        kind, _, credentials = given.get(b"authorization", b"").decode("latin-1").partition(" ")
        if kind.lower() == "bearer":
            credentials = credentials.strip()
            if not credentials.startswith(PREFIX):
                signed = self.tokens.bearer.check(credentials)
                caller = await self.access.of_token(signed, TOKEN)
                return caller if caller.purpose else replace(caller, purpose=PURPOSE)
            key = credentials
        elif kind:
            raise Unauthenticated(
                Text("use Authorization: Bearer, or X-API-Key", "请使用 Authorization: Bearer 或 X-API-Key")
            )
        if key:
            actor = await self.keys.actor(key)
            if actor is None:
                raise Unauthenticated(Text("the API key is not valid", "API 密钥无效"))
            return await self.access.of_key(actor)
        if session := _cookie(given.get(b"cookie", b"")):
            return await self._of_session(scope, given, session)
        return None

    async def _of_session(self, scope: Scope, given: Mapping[bytes, bytes], session: str) -> Actor | None:
        try:
            signed = self.tokens.session.check(session)
            actor = await self.access.of_token(signed, SESSION)
        except Unauthenticated:
            return None  # an old session is no session: pages lead to the sign-in
        scope["session"], scope["session_id"] = session, signed.id
        if scope["method"] not in _SAFE and not scope["path"].startswith("/sign-in"):
            proof = given.get(CSRF_HEADER, b"").decode("latin-1")
            if not hmac.compare_digest(proof.encode(), self.tokens.csrf(session).encode()):
                raise CrossSite
        return actor


def _cookie(header: bytes) -> str | None:
    if not header:
        return None
    try:
        morsel = SimpleCookie(header.decode("latin-1")).get(COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel else None
