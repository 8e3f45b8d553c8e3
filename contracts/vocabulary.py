"""What a field's name says, once for all events, bodies and answers: `vocabulary.csv`, a row each.

A field that means something of its own says so itself (`Field(description=...)`); its kind says the form it has.
"""

import csv
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, NamedTuple

from contracts import fields
from contracts.fields import Amount, Rule

_BY_FORMAT = {
    "date": "2024-03-04",
    "date-time": "2024-03-04T09:30:00+08:00",
    "uuid": "01890a5d-ac96-774b-bcce-b302099a8057",
}


class Word(NamedTuple):
    """What a name says, and what a plain text of that name looks like."""

    said: str
    example: str


def _read() -> dict[str, Word]:
    lines = (files("contracts") / "vocabulary.csv").read_text("utf-8").splitlines()
    return {row["name"]: Word(row["said"], row["example"]) for row in csv.DictReader(lines)}


WORDS = _read()
FORMS = {rule.schema["description"] for rule in vars(fields).values() if isinstance(rule, Rule)} | {
    kind.said for kind in vars(fields).values() if isinstance(kind, type) and issubclass(kind, Amount)
}
"""What the field types say of their form; a name says the meaning beside it."""


def describe(schemas: dict[str, Any]) -> None:
    """Give each field of these JSON Schemas the meaning of its name and an example, where it has none of its own."""
    for schema in schemas.values():
        for inner in objects_in(schema):
            for name, field in inner["properties"].items():
                inner["properties"][name] = described(name, field)


def objects_in(schema: Any) -> Iterator[dict[str, Any]]:
    """The objects with named fields in a schema, itself included."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield schema
        for name, inner in schema.items():
            if name not in ("examples", "example", "default", "const", "enum"):
                yield from objects_in(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from objects_in(inner)


def described(name: str, field: dict[str, Any]) -> dict[str, Any]:
    """A field's schema with a description and an example."""
    word, alternatives = WORDS.get(name), _alternatives(field)
    own = field.get("description") or next((one["description"] for one in alternatives if "description" in one), None)
    if word and (own is None or own in FORMS):
        own = f"{word.said}: {own}" if own and alternatives[0].get("type") != "integer" else word.said
    found = dict(field)
    if own:
        found["description"] = own
    if "examples" not in found and (example := _example(word, found)) is not None:
        found["examples"] = [example]
    return found


def _alternatives(field: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in field.get("anyOf", [field]) if one != {"type": "null"}]


def _example(word: Word | None, field: dict[str, Any]) -> Any:
    one = _alternatives(field)[0]
    if "examples" in one:
        return one["examples"][0]
    if "const" in one or "enum" in one:
        return one.get("const", one.get("enum", [None])[0])
    match one.get("type"):
        case "boolean":
            return True
        case "integer" | "number":
            return max(1, one.get("minimum", 1))
        case "string":
            return _BY_FORMAT.get(one.get("format", ""), word.example or None if word else None)
        case "array":
            inner = [_example(word, item) for item in one.get("prefixItems", [one.get("items", {})])]
            return None if None in inner else inner
        case "object" if isinstance(one.get("additionalProperties"), dict):
            value = _example(word, one["additionalProperties"])
            return None if value is None else {"key": value}
        case "object" if "properties" not in one:
            return {"key": word.example if word and word.example else "text"}
        case None if "$ref" not in one:
            return word.example or None if word else None
    return None
