"""Which fields of a piece of data are wrong: all of them, with JSON pointers, not only the first."""

import re
from collections.abc import Iterator
from typing import Any, get_type_hints

import msgspec

from contracts.fields import convert

_PLACE = re.compile(r"^(?P<words>.*?)(?: - at `(?:key in )?\$(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


def field_errors(kind: type[msgspec.Struct], data: Any) -> list[tuple[str, str]]:
    """Pairs of JSON pointer and reason for `data` read as `kind`; empty when it reads well."""
    if not isinstance(data, dict):
        return [("", f"Expected `object`, got `{'null' if data is None else type(data).__name__}`")]
    found = list(_of_fields(kind, data))
    if found:
        return found
    try:
        convert(data, kind)
    except msgspec.ValidationError as error:
        pointer, words = place_of(str(error))
        # A rule about the whole names the value it refuses: point at the field that holds it.
        holders = [
            f"/{_escaped(name)}" for name, value in data.items() if isinstance(value, str) and _same(value, words)
        ]
        return [(holder, words) for holder in holders] if not pointer and holders else [(pointer, words)]
    return []


def _of_fields(kind: type[msgspec.Struct], data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        if name not in data:
            if field.required:
                yield f"/{_escaped(name)}", "Field required"
            continue
        if field.type is msgspec.Raw or msgspec.Raw in getattr(field.type, "__args__", ()):
            continue
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            for pointer, words in field_errors(field.type, data[name]):
                yield f"/{_escaped(name)}{pointer}", words
            continue
        try:
            convert(data[name], hints[name])
        except msgspec.ValidationError as error:
            pointer, words = place_of(str(error))
            yield f"/{_escaped(name)}{pointer}", words


def place_of(sentence: str) -> tuple[str, str]:
    """The JSON pointer in a decoder's message, and its words; a value of a mapping is placed at the mapping."""
    found = _PLACE.match(sentence)
    assert found is not None
    steps = [step or index for step, index in _STEP.findall(found["path"] or "") if index != "..."]
    return "".join(f"/{_escaped(step)}" for step in steps), found["words"]


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _same(value: str, words: str) -> bool:
    return len(value) >= 10 and words.startswith(value[:10])
