"""Connections to a provider over HTTP: kept for the length of a block, or made for one turn."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

SECONDS, IDLE_SECONDS = 10.0, 2.0
CONNECTIONS = 100


class Connections:
    """A provider's connections. One that rests is not used again: a server that closes it just then would leave a message
    unclear."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._kept: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Keep connections for the length of a block: a handshake for each message costs more than the message."""
        async with self._fresh() as self._kept:
            try:
                yield
            finally:
                self._kept = None

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[aiohttp.ClientSession]:
        if self._kept is not None:
            yield self._kept
            return
        async with self._fresh() as http:
            yield http

    def _fresh(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=IDLE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=self.seconds * 2, sock_connect=self.seconds, sock_read=self.seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
