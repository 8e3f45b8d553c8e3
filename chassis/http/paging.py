"""Lists: opaque cursors, `limit` up to 200, a stable order."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode

import msgspec
from fastapi import Depends, Query, Request
from pydantic import BaseModel

from chassis.errors import FieldError, Invalid

Item = TypeVar("Item")
LARGEST = 200


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
    list_name: str

    def result(self, rows: Sequence[Any], key: Callable[[Any], Sequence[Any]]) -> dict[str, Any]:
        """`{"items": ..., "next": ...}` of up to `limit + 1` rows; `key` gives a row's place in the order."""
        items = list(rows[: self.limit])
        more = len(rows) > self.limit
        return {"items": items, "next": encode_cursor(self.list_name, key(items[-1])) if more else None}


def encode_cursor(list_name: str, key: Sequence[Any]) -> str:
    """An opaque place in a list; `list_name` ties it to the list and its filters."""
    return base64.urlsafe_b64encode(msgspec.json.encode([list_name, *key], enc_hook=str)).decode().rstrip("=")


def decode_cursor(list_name: str, cursor: str) -> tuple[Any, ...]:
    """The key inside a cursor.

    Raises: Invalid when it is no cursor of this list.
    """
    try:
        name, *key = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=list)
    except (ValueError, msgspec.MsgspecError):
        name, key = None, []
    if name != list_name or not key:
        raise Invalid(errors=(FieldError("query#/cursor", "this text is not a cursor of this list"),))
    return tuple(key)


async def page_request(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=LARGEST, description="how many at most")] = 50,
    cursor: Annotated[str | None, Query(max_length=2000, description="`next` of the page before")] = None,
) -> PageRequest:
    """The wanted page, from the query."""
    filters = sorted((name, value) for name, value in request.query_params.multi_items() if name not in _PAGING)
    list_name = hashlib.sha256(f"{request.url.path}?{urlencode(filters)}".encode()).hexdigest()[:8]
    return PageRequest(limit, decode_cursor(list_name, cursor) if cursor else None, list_name)


_PAGING = {"limit", "cursor"}
Page = Annotated[PageRequest, Depends(page_request)]
