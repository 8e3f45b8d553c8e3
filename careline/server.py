"""An HTTP server that starts, says where, and stops when told."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from careline.session import stop_signals

GRACE_SECONDS = 5


class _Server(uvicorn.Server):
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


async def serve(
    app: ASGIApp, listening: socket.socket, started: Callable[[], None], *, trusted_proxies: str = ""
) -> None:
    """Serve until Ctrl-C or a termination; requests under way get a few seconds to end.

    What `X-Forwarded-For` says of the caller's address is believed of `trusted_proxies` (comma-separated) alone.
    """
    config = uvicorn.Config(
        app, lifespan="on", access_log=False, log_config=None, server_header=False, date_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS, proxy_headers=bool(trusted_proxies),
        forwarded_allow_ips=trusted_proxies,
    )  # fmt: skip
    server = _Server(config, started)

    def stop() -> None:
        server.should_exit = True

    stop_signals(stop)
    await server.serve(sockets=[listening])
