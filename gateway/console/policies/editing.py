"""A policy's body as a form: each number and word of it a field, named by where it stands."""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

PREFIX = "b:"


class Leaf(NamedTuple):
    """One value of a body: its JSON pointer, and the value."""

    pointer: str
    value: Any

    @property
    def kind(self) -> str:
        """How it is asked for."""
        return "yes_no" if isinstance(self.value, bool) else "number" if isinstance(self.value, int | float) else "text"

    @property
    def shown(self) -> str:
        """The value as it is typed."""
        return self.value if isinstance(self.value, str) else json.dumps(self.value, ensure_ascii=False)


def leaves(body: Any, pointer: str = "") -> Iterator[Leaf]:
    """Every value of a body in order; an empty list or object is a value too."""
    if isinstance(body, dict) and body:
        for name, value in body.items():
            yield from leaves(value, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(body, list) and body:
        for place, value in enumerate(body):
            yield from leaves(value, f"{pointer}/{place}")
    else:
        yield Leaf(pointer, body)


def with_typed(body: Mapping[str, Any], typed: Mapping[str, str]) -> dict[str, Any]:
    """The body with what was typed in its places; what is no value of its kind stays as typed, for the check to name."""
    edited = deepcopy(dict(body))
    for leaf in leaves(body):
        raw = typed.get(f"{PREFIX}{leaf.pointer}")
        if raw is not None and raw != leaf.shown:
            _put(edited, leaf.pointer, _value(leaf, raw))
    return edited


def _value(leaf: Leaf, raw: str) -> Any:
    if isinstance(leaf.value, str):
        return raw
    try:
        return json.loads(raw)
    except ValueError:
        return raw


def _put(body: Any, pointer: str, value: Any) -> None:
    *path, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for part in path:
        body = body[int(part)] if isinstance(body, list) else body[part]
    if isinstance(body, list):
        body[int(last)] = value
    else:
        body[last] = value
