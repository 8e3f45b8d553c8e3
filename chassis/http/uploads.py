"""Files in: taken off the wire onto disk part by part, so that their size is nobody's memory.

    @routes.post("/cases/{case_id}/attachments", openapi_extra=takes(100_000_000))
    async def attach(actor: ..., upload: Uploaded, uow: Work) -> ...:

`takes` lifts the app's limit of a body for that route alone; the edge refuses what is larger (413), as soon as the
request says so or the byte too many comes. Name `Uploaded` before `Work`: nothing is locked while a slow line sends.
"""

import hashlib
import re
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import IO, Annotated, Any, NamedTuple

from fastapi import Depends, Request
from fastapi.routing import RouteContext

LARGEST_BODY = "x-largest-body-bytes"
IN_MEMORY_BYTES = 1 << 20
PART_BYTES = 1 << 20
SLOWEST_BYTES_A_SECOND = 250_000
Large = list[tuple[re.Pattern[str], int]]
"""Paths that take larger bodies than others, and how large."""


class Upload(NamedTuple):
    """A file that was received whole."""

    file: IO[bytes]
    size: int
    sha256: str

    def head(self, count: int) -> bytes:
        """Its first bytes."""
        self.file.seek(0)
        return self.file.read(count)

    def parts(self) -> Iterator[bytes]:
        """Its bytes in order, some at a time."""
        self.file.seek(0)
        while part := self.file.read(PART_BYTES):
            yield part


async def received(request: Request) -> AsyncIterator[Upload]:
    """The request's body as a file, gone when the request is answered.

    Raises: TooLarge, at the edge.
    """
    digest, size = hashlib.sha256(), 0
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as file:
        async for part in request.stream():
            digest.update(part)
            file.write(part)
            size += len(part)
        yield Upload(file, size, digest.hexdigest())


Uploaded = Annotated[Upload, Depends(received)]


def takes(largest: int) -> dict[str, Any]:
    """What a route says in `openapi_extra` to take bodies up to so many bytes."""
    return {
        LARGEST_BODY: largest,
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        },
    }


def gives(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """What a route says in `responses` (with `response_class=Response`) to answer with a file."""
    content = {one: {"schema": {"type": "string", "format": "binary"}} for one in media_types}
    return {200: {"content": content, "description": "the file"}}


def large_of(routes: Iterable[RouteContext]) -> Large:
    """The paths whose routes take larger bodies."""
    found: Large = []
    for route in routes:
        extra = getattr(route.original_route, "openapi_extra", None) or {}
        if LARGEST_BODY in extra:
            pattern = re.sub(r"\\\{[^/]*?\\\}", "[^/]+", re.escape(str(route.path)))
            found.append((re.compile(pattern), extra[LARGEST_BODY]))
    return found


def largest(path: str, usual: int, large: Sequence[tuple[re.Pattern[str], int]]) -> int:
    """How large a body a path takes."""
    return max((limit for pattern, limit in large if pattern.fullmatch(path)), default=usual)


def seconds_for(size: int, usual: float) -> float:
    """How long a request may take whose body is so large: a slow line is no fault."""
    return usual + size / SLOWEST_BYTES_A_SECOND if size > IN_MEMORY_BYTES else usual
