"""Lists: opaque cursors, `limit` up to 200, a stable order."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode

import msgspec
from fastapi import Depends, Query, Request
from pydantic import BaseModel

from chassis.errors import FieldError, Invalid
from chassis.secrets import key_bytes
from chassis.settings import Settings
from contracts.fields import number_of, text_of

Item = TypeVar("Item")
LARGEST = 200
SIGNATURE_BYTES = 16


class Listing(BaseModel, Generic[Item]):
    """One page of a list: `next` is the cursor of the following page, absent on the last."""

    items: list[Item]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is wanted: read `limit + 1` rows in the order of the key, from behind `after` on.

    `after` holds the key of the last row of the page before (JSON values: texts, numbers), None on the first page.
    """

    limit: int
    after: tuple[Any, ...] | None
    cursors: "Cursors"

    def result(self, rows: Sequence[Any], key: Callable[[Any], Sequence[Any]]) -> dict[str, Any]:
        """`{"items": ..., "next": ...}` of up to `limit + 1` rows; `key` gives a row's place in the order."""
        items = list(rows[: self.limit])
        more = len(rows) > self.limit
        return {"items": items, "next": self.cursors.encode(key(items[-1])) if more else None}


@dataclass(frozen=True, slots=True)
class Cursors:
    """Cursors of one list with its filters: texts nobody else can make or change."""

    key: bytes
    list_name: str

    def encode(self, place: Sequence[Any]) -> str:
        """An opaque place in the list: the values a row is ordered by."""
        body = msgspec.json.encode(list(place), enc_hook=str)
        return base64.urlsafe_b64encode(self._signature(body) + body).decode().rstrip("=")

    def decode(self, cursor: str) -> tuple[Any, ...]:
        """The place inside a cursor.

        Raises: Invalid when it was not made here for this list.
        """
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        signature, body = raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]
        if not body or not hmac.compare_digest(signature, self._signature(body)):
            raise Invalid(errors=(FieldError("query#/cursor", "this text is not a cursor of this list"),))
        return tuple(msgspec.json.decode(body, type=list))

    def _signature(self, body: bytes) -> bytes:
        return hmac.digest(self.key, self.list_name.encode() + b"\n" + body, "sha256")[:SIGNATURE_BYTES]


def cursor_key(settings: Settings) -> bytes:
    """The key that signs cursors: derived, the same in every process of a service."""
    return hmac.digest(key_bytes(settings, "field"), b"careline cursors", "sha256")


async def page_request(
    request: Request,
    limit: Annotated[int, number_of(1, LARGEST, "how many at most"), Query()] = 50,
    cursor: Annotated[Annotated[str, text_of(2000)] | None, Query(description="`next` of the page before")] = None,
) -> PageRequest:
    """The wanted page, from the query."""
    filters = sorted((name, value) for name, value in request.query_params.multi_items() if name not in _PAGING)
    key: bytes = request.app.state.cursor_key
    cursors = Cursors(key, hashlib.sha256(f"{request.url.path}?{urlencode(filters)}".encode()).hexdigest())
    return PageRequest(limit, cursors.decode(cursor) if cursor else None, cursors)


_PAGING = {"limit", "cursor"}
Page = Annotated[PageRequest, Depends(page_request)]
