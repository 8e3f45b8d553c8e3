"""The hop from the gateway to a service: a call of its app when it lives in this process, else HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from yarl import URL

from chassis.errors import Text, Unavailable, UpstreamTimeout
from chassis.http.uploads import seconds_for

if TYPE_CHECKING:
    import aiohttp  # heavy to load, and needed only where a service lives in another process

Headers = list[tuple[bytes, bytes]]
CONNECT_SECONDS = 2.0
# Meant for one connection, or written anew by each side.
_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"proxy-connection",
        b"date",
        b"server",
    )
)


class Transport(Protocol):
    """Sends a request to a service and its answer back."""

    async def __call__(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        """`scope` is the caller's; `headers` replace its headers.

        Raises: Unavailable, UpstreamTimeout.
        """

    async def close(self) -> None:
        """Give connections back."""


class InProcess:
    """Calls the service's app directly."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        """A fresh scope: what the gateway's own routing left in the old one is none of the service's business."""
        inner: dict[str, Any] = {
            "type": "http",
            "asgi": scope["asgi"],
            "http_version": scope["http_version"],
            "method": scope["method"],
            "scheme": scope["scheme"],
            "path": scope["path"],
            "raw_path": scope["raw_path"],
            "query_string": scope["query_string"],
            "root_path": "",
            "headers": headers,
            "client": scope.get("client"),
            "server": scope.get("server"),
        }
        try:
            await self.app(inner, receive, send)
        finally:
            scope["route"] = inner.get("route")  # for the metrics

    async def close(self) -> None:
        """Nothing to give back."""


class OverHttp:
    """One pool of connections to a service's base URL, both ways streamed."""

    def __init__(self, base_url: str, seconds: float) -> None:
        self.base_url = base_url.rstrip("/")
        self.seconds = seconds
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> "aiohttp.ClientSession":
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=0, keepalive_timeout=30),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )
        return self._session

    def _timeout(self, headers: Headers, has_body: bool) -> "aiohttp.ClientTimeout":
        """Time for the whole of a body to go there, or for each part of an answer to come: the edge limits the rest."""
        import aiohttp

        if not has_body:
            return aiohttp.ClientTimeout(sock_connect=CONNECT_SECONDS, sock_read=self.seconds)
        length = next((value for name, value in headers if name == b"content-length"), b"")
        seconds = seconds_for(int(length) if length.isdigit() else 0, self.seconds)
        return aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)

    async def __call__(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        """The request over HTTP; its body and the answer's are passed on as they come."""
        import aiohttp

        query = scope["query_string"]
        raw = scope["raw_path"] + (b"?" + query if query else b"")
        passed = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in headers if k not in _HOP and k != b"host"]
        has_body = any(k in (b"content-length", b"transfer-encoding") for k, _ in headers)
        try:
            async with self._open().request(
                scope["method"],
                URL(self.base_url + raw.decode("ascii"), encoded=True),
                headers=passed,
                data=_body(receive) if has_body else None,
                allow_redirects=False,
                timeout=self._timeout(headers, has_body),
            ) as answer:
                await _pass_on(answer, send)
        except TimeoutError:
            raise UpstreamTimeout from None
        except aiohttp.ClientConnectionError as error:
            raise Unavailable(Text("the service cannot be reached", "无法连接服务"), retry_after=1) from error

    async def close(self) -> None:
        """Give the connections back."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class Unset:
    """A service of which nobody has said where it is."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def __call__(self, *_: object, **__: object) -> None:
        """Raises: Unavailable, naming the setting."""
        raise Unavailable(
            Text(
                f"the gateway does not know where {self.name} is: set CARELINE_SERVICE_URLS",
                f"网关不知道 {self.name} 的地址：请设置 CARELINE_SERVICE_URLS",
            )
        )

    async def close(self) -> None:
        """Nothing to give back."""


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("the caller went away")
        more = message.get("more_body", False)
        if part := message.get("body", b""):
            yield part


async def _pass_on(answer: "aiohttp.ClientResponse", send: Send) -> None:
    headers = [(k.lower(), v) for k, v in answer.raw_headers if k.lower() not in _HOP]
    body = answer.content
    first = await body.readany()
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    while not body.at_eof():
        await send({"type": "http.response.body", "body": first, "more_body": True})
        first = await body.readany()
    await send({"type": "http.response.body", "body": first})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer read to its end."""

    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


async def call(
    transport: Transport,
    path: str,
    query: str,
    headers: Headers,
    seconds: float,
    *,
    method: str = "GET",
    body: bytes = b"",
) -> Reply:
    """A request of the gateway's own, answer and all.

    Raises: Unavailable, UpstreamTimeout.
    """
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": URL.build(path=path).raw_path.encode(),
        "query_string": query.encode(),
        "headers": headers,
    }
    started: dict[str, Any] = {}
    parts: list[bytes] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            started.update(message)
        else:
            parts.append(message.get("body", b""))

    try:
        async with asyncio.timeout(seconds):
            await transport(scope, headers, receive, send)
    except TimeoutError:
        raise UpstreamTimeout from None
    return Reply(started["status"], dict(started["headers"]), b"".join(parts))
