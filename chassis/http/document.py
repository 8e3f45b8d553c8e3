"""Documents that change only with the program: made once, beside the requests, and sent again only to who has another one."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from fastapi import Request
from starlette.responses import Response


class _Made(NamedTuple):
    body: bytes
    etag: str


class Document:
    """A JSON document, made when it is first asked for: in a thread, as it may take a second, and for all who wait."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make
        self._made: _Made | None = None
        self._making: asyncio.Task[_Made] | None = None

    async def answer(self, request: Request) -> Response:
        """The document, or 304 to who has it."""
        body, etag = await self.made()
        headers = {"etag": etag, "cache-control": "no-cache"}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    async def made(self) -> _Made:
        """The document as it is sent, and what tells it from another."""
        if self._made is None:
            if self._making is None or self._making.done():
                self._making = asyncio.create_task(asyncio.to_thread(self._encoded))
            self._made = await asyncio.shield(self._making)  # one caller's leaving does not begin it anew
        return self._made

    def _encoded(self) -> _Made:
        body = msgspec.json.encode(self.make())
        return _Made(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
