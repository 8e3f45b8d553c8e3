"""What no route can do anything with: query parameters it does not name, NUL characters, broken text, endless nesting."""

import json
from collections.abc import Iterator
from typing import Any

from fastapi import Request
from fastapi.dependencies.models import Dependant

from chassis.errors import FieldError, Invalid, Text
from chassis.http.problems import Malformed

NUL = "\0"
DEEPEST = 100
UNREADABLE = "contains a NUL character or half of a surrogate pair"


def query_names(dependant: Dependant) -> frozenset[str]:
    """The query parameters of a route and of what it depends on."""
    own = {field.alias for field in dependant.query_params}
    return frozenset(own.union(*(query_names(below) for below in dependant.dependencies)))


def body_of(dependant: Dependant) -> list[Any]:
    """The parts of the body that a route and what it depends on read as JSON."""
    return [*dependant.body_params, *(part for below in dependant.dependencies for part in body_of(below))]


async def require_readable(request: Request, known: frozenset[str], *, has_body: bool) -> None:
    """Refuse a request before its route sees it.

    Raises: Invalid, Malformed.
    """
    errors = [
        FieldError(f"path#/{name}", UNREADABLE) for name, value in request.path_params.items() if unreadable(value)
    ]
    for name, value in request.query_params.multi_items() if request.scope["query_string"] else ():
        if name not in known:
            errors.append(FieldError(f"query#/{name[:100]}", "unknown query parameter"))
        elif unreadable(value):
            errors.append(FieldError(f"query#/{name}", UNREADABLE))
    if errors:
        raise Invalid(errors=tuple(errors))
    if has_body:
        require_readable_body(await request.body())


def require_readable_body(body: bytes) -> None:
    """Refuse a JSON body with texts no database keeps, or nested without end; other faults are its reader's to say.

    Raises: Invalid, Malformed.
    """
    deep = body.count(b"[") + body.count(b"{") > DEEPEST
    if not deep and b"\\u" not in body:  # JSON can say such a character only by an escape
        return
    try:
        value = json.loads(body)
    except RecursionError:
        raise Malformed(Text("nested too deeply", "嵌套过深")) from None
    except ValueError:
        return
    if places := list(unreadable_places(value, "")):
        raise Invalid(errors=tuple(FieldError(f"body#{place}", UNREADABLE) for place in places[:100]))


def unreadable_places(value: Any, pointer: str, depth: int = 0) -> Iterator[str]:
    """Pointers to the texts in a value that no database keeps. Raises: Malformed when it is nested too deeply."""
    if depth > DEEPEST:
        raise Malformed(Text("nested too deeply", "嵌套过深"))
    if isinstance(value, str):
        if unreadable(value):
            yield pointer
    elif isinstance(value, dict):
        for name, inner in value.items():
            if unreadable(name):
                yield pointer
            yield from unreadable_places(inner, f"{pointer}/{name}", depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from unreadable_places(inner, f"{pointer}/{index}", depth + 1)


def unreadable(text: object) -> bool:
    """Whether a text holds NUL or half of a surrogate pair: no database keeps either."""
    if not isinstance(text, str):
        return False
    return NUL in text or (not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text))
