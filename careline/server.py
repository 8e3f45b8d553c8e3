"""An HTTP server that starts, says where, and stops when told."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI
from prometheus_client import start_http_server
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from careline.refusals import WrongArgument
from careline.session import stop_signals
from chassis.settings import Settings

GRACE_SECONDS = 5
HEAD_SECONDS = 10.0
"""How long a connection may take to send the head of a request."""


class Server(uvicorn.Server):
    """A server that tells when it is there, and leaves signals to us."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self.tell = started

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are ours: uvicorn would raise them again at its end, before the platform has stopped."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self.tell()


class _Connections:
    """Connections by address, so that no address has all of them."""

    def __init__(self, of_one_address: int) -> None:
        self.limit = of_one_address
        self.counts: Counter[str] = Counter()


class _Protocol(HttpToolsProtocol):
    """HTTP on one connection: it begins its request in time, and is one of not too many of its address."""

    def __init__(self, *args: Any, by_address: _Connections, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.by_address = by_address
        self.address = ""
        self.head_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) else "local"
        self.by_address.counts[self.address] += 1
        if self.by_address.counts[self.address] > self.by_address.limit:
            transport.abort()
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_came()
        self.by_address.counts[self.address] -= 1
        if not self.by_address.counts[self.address]:
            del self.by_address.counts[self.address]
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        # The head of a second request on a connection is awaited from its first byte on; idling is uvicorn's own timer.
        self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_came()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head_came()
        self.head_due = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _head_came(self) -> None:
        if self.head_due is not None:
            self.head_due.cancel()
            self.head_due = None


def configured(app: ASGIApp, *, trusted_proxies: str, of_one_address: int) -> uvicorn.Config:
    """How an app is served. What `X-Forwarded-For` says of the caller's address is believed of `trusted_proxies`
    (comma-separated) alone."""
    connections = _Connections(of_one_address)
    return uvicorn.Config(
        app, lifespan="on", access_log=False, log_config=None, server_header=False, date_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS, proxy_headers=bool(trusted_proxies), forwarded_allow_ips=trusted_proxies,
        http=partial(_Protocol, by_address=connections),  # type: ignore[arg-type]
    )  # fmt: skip


@contextmanager
def metrics_at(settings: Settings) -> Iterator[None]:
    """Inside the block `/metrics` is answered at `CARELINE_METRICS_PORT`, by a thread of its own, where that is set.

    Raises: WrongArgument when nothing can listen there.
    """
    if settings.metrics_port is None:
        yield
        return
    try:
        server, thread = start_http_server(settings.metrics_port, settings.host)
    except OSError as error:
        raise WrongArgument(f"CARELINE_METRICS_PORT {settings.metrics_port}: {error.strerror}") from error
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def serve(
    app: FastAPI,
    listening: socket.socket,
    started: Callable[[], None],
    *,
    trusted_proxies: str,
    drain_seconds: float,
    of_one_address: int,
) -> None:
    """Serve until Ctrl-C or a termination; requests under way get a few seconds to end.

    Told to terminate, the app is first not ready any more, so that whoever sends it requests sends them elsewhere, and
    serves on for `drain_seconds`.
    """
    server = Server(configured(app, trusted_proxies=trusted_proxies, of_one_address=of_one_address), started)

    def stop() -> None:
        server.should_exit = True

    def drain() -> None:
        app.state.draining = True
        asyncio.get_running_loop().call_later(drain_seconds, stop)

    stop_signals(stop, drain)
    try:
        await server.serve(sockets=[listening])
    except asyncio.CancelledError:  # told by a cancellation: the socket is not left listening
        await server.shutdown(sockets=[listening])
        raise
