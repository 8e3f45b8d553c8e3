"""Personal members of events: declared on the field, encrypted before the event is on any log.

    phone: Personal[Annotated[str, Meta(max_length=40)]] | None = None

Producers send them in clear to the door (`POST /v1/events`) and nowhere else. From there on the
member is absent, and `sealed` holds the value under the member's name, encrypted with the key of whose it is. Free
text that must stay readable is `FreeText`: masked at the door.
"""

from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from contracts.base import Event
from contracts.fields import Code, TextRule

T = TypeVar("T")
P = TypeVar("P", bound="PersonalEvent")
_PERSONAL, _FREE_TEXT = {"personal": True}, {"free_text": True}

Personal = Annotated[T, msgspec.Meta(extra=_PERSONAL, extra_json_schema={"x-personal": True})]
"""A value that names a person or reaches them, or what they said themselves."""
FreeText = Annotated[T, msgspec.Meta(extra=_FREE_TEXT, extra_json_schema={"x-masked": True})]
"""Text people write, in which such values are masked."""
_SEALED = TextRule(
    r"sealed:[0-9]{1,9}:[A-Za-z0-9_-]+", 10, 200_000, "a personal value under its owner's key",
    "sealed:1:q83vASNFZ4k", plainly=False,
)  # fmt: skip
Sealed = Annotated[str, _SEALED.meta, _SEALED]
"""A personal value, encrypted: `sealed:GENERATION:BASE64URL` of the key of whose it is."""


class PersonalEvent(Event, frozen=True, kw_only=True, gc=False):
    """A fact with personal members; on the log they lie in `sealed`, by name."""

    personal: ClassVar[bool] = True

    sealed: dict[Code, Sealed] = msgspec.field(default_factory=dict)

    @property
    def key_owner(self) -> str:
        """Under whose key the personal members lie: the client's, or that of the case, booking, call, ..."""
        return self.key


@cache
def personal_members(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """The names of the members declared `Personal`."""
    return _marked(kind, "personal")


@cache
def free_text_members(kind: type[msgspec.Struct]) -> dict[str, int | None]:
    """The members declared `FreeText` (texts, or mappings with such values) with how long they may be."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: _longest(hints[name]) for name in _marked(kind, "free_text")}


def clear_members(event: PersonalEvent) -> dict[str, str]:
    """What of an event is still in clear, by member."""
    return {name: value for name in personal_members(type(event)) if (value := getattr(event, name))}


def with_sealed(event: P, sealed: Mapping[str, str]) -> P:
    """The event with these members encrypted and none in clear."""
    blank = {
        field.name: "" if field.default == "" else None
        for field in msgspec.structs.fields(event)
        if field.name in personal_members(type(event))
    }
    return msgspec.structs.replace(event, sealed={**event.sealed, **sealed}, **blank)


def _marked(kind: type[msgspec.Struct], mark: str) -> tuple[str, ...]:
    hints = get_type_hints(kind, include_extras=True)
    return tuple(field.name for field in msgspec.structs.fields(kind) if mark in marks(hints[field.name]))


def marks(hint: Any) -> set[str]:
    """How a type is marked, at any depth: `personal`, `free_text`."""
    found: set[str] = set()
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        found |= {str(name) for note in notes if isinstance(note, msgspec.Meta) for name in note.extra or ()}
        return found | marks(inner)
    if get_origin(hint) in (Union, UnionType, dict, tuple, list):
        for inner in get_args(hint):
            found |= marks(inner)
    return found


def _longest(hint: Any) -> int | None:
    if get_origin(hint) is Annotated:
        inner, *notes = get_args(hint)
        lengths = [note.max_length for note in notes if isinstance(note, msgspec.Meta) and note.max_length is not None]
        return min(lengths) if lengths else _longest(inner)
    if get_origin(hint) in (Union, UnionType):
        return next((found for inner in get_args(hint) if (found := _longest(inner)) is not None), None)
    return None
