"""What a field's published schema refuses is refused, what it accepts is accepted: every event, every field type."""

import copy
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import jsonschema_rs
import msgspec
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import fields
from contracts.asyncapi import example_of, publishers, schema_of
from contracts.base import Event
from contracts.fields import Amount, convert, encode_custom, reader, rules_of, schema_custom

EVENTS = [kind for kinds in publishers().values() for kind in kinds]
TYPES: dict[str, Any] = {
    name: kind
    for name, kind in vars(fields).items()
    if any(rules_of(kind)) or (isinstance(kind, type) and issubclass(kind, Amount))
}
ODD_TEXTS = [
    "", " ", "a", "a/b", "a\nb", "a\n", "\na", "a\tb", "a\0b", "\x7f", "\x85", "\u202e", "\ufeffa", ".", "..", "...",
    "x" * 41, "x" * 64, "x" * 65, "x" * 201, "x" * 501, "王芳", "１２", "1_000.5", " 12.5 ", "12.5\n", "+5", "-5", "5", "5.",
    ".5", "0.001", "0.01", "12.50", "-0", "1e400", "1E-7", "1e-20", "1e-21", "NaN", "Infinity", "1" * 15, "1" * 16, "0." + "1" * 40,
    "0." + "1" * 41, "2024-03-04", "1989-12-31", "1990-01-01", "2099-12-31", "2100-01-01", "9999-12-31", "0001-01-01",
    "1900-01-01", "1899-12-31", "2024-3-4", "2024-03-04T09:30:00+08:00", "2024-03-04T09:30:00", "2024-03-04 09:30:00Z",
    "2024-03-04T09:30:00.123456z", "2024-03-04T09:30:00+0800", "2024-03-04T09:30:00Z\n", "2100-01-01T00:00:00Z",
    "1989-12-31T23:59:59Z", "CNY", "CNY\n", "cny", "ＣＮＹ", "2024-03", "2024-13", "13800000000", "+86 (21) 6888-1234 转 8",
    "138.0000.0000", "name@example.com", "a@b@c", "@", "E12345678", "31010119800517123X", "buy", "in",
    "01890a5d-ac96-774b-bcce-b302099a8057", "01890A5DAC96774BBCCEB302099A8057", "01890a5d-ac96-774b-bcce-b302099a805",
]  # fmt: skip
OTHERS = [None, True, False, 0, 1, -1, 150, 151, 2**31 - 1, 2**31, 2**53, 2**70, 0.5, 1.5, [], {}, ["a"], {"a": "b"}]
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=OFFSETS).map(datetime.isoformat)  # noqa: DTZ001 - hypothesis wants them so
VALUES = (
    st.sampled_from(ODD_TEXTS)
    | st.sampled_from(OTHERS)
    | st.text(st.characters(codec="utf-8"), max_size=70)
    | st.from_regex(r"[-+]?[0-9]{0,17}\.?[0-9]{0,42}([eE][-+]?[0-9]{1,3})?", fullmatch=True)
    | st.dates().map(str)
    | INSTANTS
    | st.uuids().map(str)
)
NUMBERS = {"Count", "Number", "Positive", "Seconds", "Years"}
"""A query says a number as a text, so pydantic reads one."""
# Rules over several fields, which no schema says.
TOGETHER = ("ends before it begins", "own deputy", "one client or one member of staff")


def _refused(read: Any, value: Any) -> str | None:
    try:
        read(value)
    except (msgspec.MsgspecError, pydantic.ValidationError, UnicodeDecodeError) as error:
        return str(error)
    return None


def _agree(validator: Any, read: Any, value: Any) -> None:
    refused = _refused(read, value)
    if refused and any(words in refused for words in TOGETHER):
        return
    accepted = validator.is_valid(value)
    assert accepted == (refused is None), (value, refused, [str(e) for e in validator.iter_errors(value)])


@pytest.mark.parametrize("name", sorted(TYPES))
def test_the_schema_of_a_field_type_and_both_of_its_readers_say_the_same(name: str) -> None:
    kind = TYPES[name]
    published = msgspec.json.schema(kind, schema_hook=schema_custom)
    validator = jsonschema_rs.Draft202012Validator(published)
    adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(kind)
    for_rest = jsonschema_rs.Draft202012Validator(adapter.json_schema())
    wrapped = msgspec.defstruct("Wrapped", [("value", kind)])
    read = reader(wrapped)

    @given(VALUES)
    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def holds(value: Any) -> None:
        if isinstance(value, str):
            _agree(validator, lambda v: read(msgspec.json.encode({"value": v})), value)
            if name not in NUMBERS:
                _agree(for_rest, lambda v: adapter.validate_json(msgspec.json.encode(v)), value)

    holds()
    for odd in ODD_TEXTS:
        _agree(validator, lambda v: read(msgspec.json.encode({"value": v})), odd)
        if name not in NUMBERS:
            _agree(for_rest, lambda v: adapter.validate_json(msgspec.json.encode(v)), odd)
    assert published["description"]
    assert validator.is_valid(published["examples"][0])


def _places(value: Any) -> Iterator[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in steps:
        yield (step,)
        for below in _places(inner):
            yield (step, *below)


def _with(value: Any, place: tuple[Any, ...], other: Any) -> Any:
    changed = copy.deepcopy(value)
    holder = changed
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = other
    return changed


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.type)
def test_an_event_is_read_exactly_when_its_schema_accepts_it(kind: type[Event]) -> None:
    schema = schema_of(kind)
    validator = jsonschema_rs.Draft202012Validator(schema)
    read = reader(kind)
    example = example_of(schema)
    _agree(validator, lambda data: read(msgspec.json.encode(data)), example)
    assert validator.is_valid(example), list(validator.iter_errors(example))
    assert msgspec.json.decode(msgspec.json.encode(convert(example, kind), enc_hook=encode_custom))
    places = list(_places(example))

    @given(st.sampled_from(places), VALUES)
    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def holds(place: tuple[Any, ...], value: Any) -> None:
        _agree(validator, lambda data: read(msgspec.json.encode(data)), _with(example, place, value))

    holds()
    for place in places:
        for odd in ODD_TEXTS:
            _agree(validator, lambda data: read(msgspec.json.encode(data)), _with(example, place, odd))


def _bare(schema: dict[str, Any], place: str) -> Iterator[str]:
    """Fields of a schema that have no description or no example."""
    for name, field in schema.get("properties", {}).items():
        alternatives = [one for one in field.get("anyOf", [field]) if one != {"type": "null"}]
        for one in alternatives:
            while one.get("type") == "array" and one.get("items"):
                one = one["items"]
            values = one.get("additionalProperties") if one.get("type") == "object" else one
            values = values if isinstance(values, dict) else one
            closed = "enum" in values or "const" in values or "$ref" in values or values.get("type") == "boolean"
            if not closed and not ({"description", "examples"} <= values.keys()) and "prefixItems" not in values:
                yield f"{place}.{name}"
    for name, inner in schema.get("$defs", {}).items():
        yield from _bare(inner, f"{place}/{name}")


def test_every_field_of_every_event_has_a_type_of_its_own() -> None:
    assert [place for kind in EVENTS for place in _bare(schema_of(kind), kind.type)] == []


@pytest.mark.parametrize("text", ["1_000.5", " 12.5 ", "+5", "１２", "1e400", "NaN", "12.5\n", ""])
def test_no_amounts(text: str) -> None:
    for kind in (fields.Amount, fields.Quantity, fields.Rate, fields.Money):
        with pytest.raises(msgspec.ValidationError):
            convert(text, kind)
    with pytest.raises(msgspec.ValidationError):
        convert("0.001", fields.Money)


@pytest.mark.parametrize("escape", [r"\u0000", r"\n", r"\/", r"\u007f", r"\u0085", r"\u202e"])
def test_an_escape_hides_nothing_from_an_identifier(escape: str) -> None:
    held = msgspec.defstruct("Held", [("value", fields.Identifier | None, None), ("many", dict[fields.Code, list[fields.Identifier]], {})])  # fmt: skip
    for body in (f'{{"value":"a{escape}b"}}', f'{{"many":{{"k":["ok","a{escape}b"]}}}}'):
        with pytest.raises(msgspec.ValidationError, match=r"identifier.* - at `\$\."):
            reader(held)(body.encode())
    with pytest.raises(msgspec.MsgspecError):
        reader(held)(b'{"value":"\\ud800"}')
