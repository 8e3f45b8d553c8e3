"""The outermost layer of every app, in pure ASGI: request id, limits of size and time, metrics, a sampled log line."""

import asyncio
import random
import re
from time import perf_counter, time

import structlog
from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid_utils import uuid7

from chassis.errors import Refusal, Text, TooLarge, UpstreamTimeout
from chassis.http.problems import Unexpected, answer, of_unexpected
from chassis.http.traffic import REQUESTS, Traffic
from chassis.http.uploads import IN_MEMORY_BYTES, Large, largest, seconds_for
from chassis.live import MEDIA_TYPE, STREAMED

log = structlog.get_logger()
SLOW_SECONDS = 1.0
SAMPLED = 0.01
BODY_SECONDS = 5.0
SLOWEST_BODY_BYTES_A_SECOND = 100_000
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")


class BodyTooSlow(Refusal):
    """The body did not come in time: nothing was done."""

    status = 408
    title = Text("The body did not come in time", "请求体未及时送达")


class Edge:
    """Wraps an app; whatever goes wrong inside becomes a problem with the request's id."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        service: str,
        traffic: Traffic,
        body_bytes: int,
        seconds: float,
        large: Large | None = None,
    ) -> None:
        self.app = app
        self.service = service
        self.traffic = traffic
        self.body_bytes = body_bytes
        self.seconds = seconds
        self.large: Large = [] if large is None else large
        self._times: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _Request(scope, receive, send, self.body_bytes, self.large)
        scope["arrived"] = time()
        started = perf_counter()
        try:
            async with asyncio.timeout(seconds_for(request.expected, self.seconds)) as limit:
                request.limit, request.seconds = limit, self.seconds
                if request.has_body and not request.refusal and request.body_bytes <= self.body_bytes:
                    # Before anything is asked for it: no slow sender holds a connection to the database.
                    await request.read_ahead()
                if not request.refusal:
                    await self.app(scope, request.receive, request.send)
            if request.refusal and not request.status:
                await answer(scope, request.refusal)(scope, receive, request.reply)
        except Exception as error:  # the edge: what nobody expected is logged and answered here
            refusal = request.refusal or (UpstreamTimeout() if limit.expired() else of_unexpected(error))
            if isinstance(refusal, Unexpected):
                log.exception("request failed", service=self.service, request_id=request.id, path=scope["path"])
            else:
                log.warning("request refused", service=self.service, request_id=request.id, error=error)
            if request.status:
                raise  # half an answer is out: only the connection's end can tell
            await answer(scope, refusal)(scope, receive, request.reply)
        finally:
            self._note(scope, request, perf_counter() - started)

    def _note(self, scope: Scope, request: "_Request", seconds: float) -> None:
        if scope.get(STREAMED) and request.status < 400:
            return  # how long somebody followed says nothing about how fast we are
        status = request.status or 499  # the caller went away before an answer
        route = getattr(scope.get("route"), "path_format", None) or "other"
        self.traffic.note(seconds, status)
        seen = scope["method"], route, status
        if (times := self._times.get(seen)) is None:
            times = self._times[seen] = REQUESTS.labels(self.service, *seen)
        times.observe(seconds)
        if status >= 500 or seconds >= SLOW_SECONDS or random.random() < SAMPLED:  # noqa: S311 - a sample
            log.info(
                "request",
                service=self.service,
                request_id=request.id,
                method=scope["method"],
                route=route,
                status=status,
                ms=round(seconds * 1000, 1),
            )


class _Request:
    """One request on its way through the edge."""

    __slots__ = (
        "_read", "_receive", "_send", "body_bytes", "body_left", "expected", "has_body", "id", "limit", "personal", "refusal", "scope", "seconds", "status",
    )  # fmt: skip

    def __init__(self, scope: Scope, receive: Receive, send: Send, body_bytes: int, large: Large) -> None:
        self.scope = scope
        given, length, chunked = "", "", False
        for name, value in scope["headers"]:  # once over them: names are in lower case here
            if name == b"x-request-id":
                given = given or value.decode("latin-1")
            elif name == b"content-length":
                length = length or value.decode("latin-1")
            elif name == b"transfer-encoding":
                chunked = True
        self.id = scope["request_id"] = given if _REQUEST_ID.fullmatch(given) else str(uuid7())
        self.personal = not scope["path"].startswith("/static/")
        self.status = 0
        self.limit: asyncio.Timeout | None = None
        self.seconds = 0.0
        self.refusal: Refusal | None = None
        self._receive = receive
        self._read: list[Message] = []
        self._send = send
        self.expected = int(length) if length.isdigit() else 0
        if large and (self.expected > body_bytes or chunked):
            body_bytes = largest(scope["path"], body_bytes, large)
            self.expected = self.expected or body_bytes  # sent in chunks: how many is not known
        self.has_body = bool(self.expected) or chunked
        self.body_bytes = self.body_left = body_bytes
        if self.expected > body_bytes:
            self._refuse_body()

    def _refuse_body(self) -> Refusal:
        limit = self.body_bytes
        self.refusal = TooLarge(Text(f"at most {limit} bytes", f"至多 {limit} 字节"), limit_bytes=limit)
        return self.refusal

    async def read_ahead(self) -> None:
        """Take the whole body off the wire, if there is one; it is given to the app as it came."""
        read, parts, more = list[Message](), [], True
        try:
            async with asyncio.timeout(BODY_SECONDS + (self.expected or self.body_bytes) / SLOWEST_BODY_BYTES_A_SECOND):
                while more:
                    read.append(await self.receive())
                    parts.append(read[-1].get("body", b""))
                    more = read[-1]["type"] == "http.request" and read[-1].get("more_body", False)
        except TimeoutError:
            self.refusal = BodyTooSlow()
            return
        if read[-1]["type"] == "http.request":
            read = [{"type": "http.request", "body": b"".join(parts), "more_body": False}]
        self._read = read

    async def receive(self) -> Message:
        """The body's next part, unless it grew too large."""
        if self._read:
            return self._read.pop(0)
        message = await self._receive()
        if message["type"] == "http.request":
            self.body_left -= len(message.get("body", b""))
            if self.body_left < 0:
                raise self._refuse_body()
        return message

    async def send(self, message: Message) -> None:
        """The app's answer; dropped when the body was refused, as the app has only seen that reading it failed."""
        if self.refusal is None or self.status:
            await self.reply(message)

    async def reply(self, message: Message) -> None:
        """The answer's next part, with the request's id on it."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            length, kept = b"", False
            headers = [header for header in message.get("headers", ()) if header[0] != b"x-request-id"]
            for name, value in headers:
                if name == b"content-length":
                    length = value
                elif name == b"cache-control":
                    kept = True
                elif name == b"content-type" and value.startswith(MEDIA_TYPE.encode()):
                    self.scope[STREAMED] = True
            headers.append((b"x-request-id", self.id.encode()))
            if self.personal and not kept:
                headers.append((b"cache-control", b"no-store"))
            message["headers"] = headers
            if self.limit is not None and length.isdigit() and int(length) > IN_MEMORY_BYTES:
                now = asyncio.get_running_loop().time()
                self.limit.reschedule(now + seconds_for(int(length), self.seconds))  # a slow line is no fault
        await self._send(message)
