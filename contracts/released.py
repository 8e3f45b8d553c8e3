"""What events looked like when they were told first: `released.csv`, a row a member. A member that goes, is of another kind, becomes
required or optional, or has other values is the event's next version; an optional member may be added to any. A member that has to be there is added to
none: records of before, which lie in logs and letters without it, are read by the type alone.

The file is added to and never rewritten (`python -m careline.generated`), so that a change of shape stays in sight.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from contracts.asyncapi import publishers, schema_of

FILE = Path(__file__).with_name("released.csv")
HEAD = ("type", "version", "member", "required", "is")
SHAPE = ("type", "format", "enum", "const")


class Member(NamedTuple):
    """A member of an event, at its place inside it (`stretches[].since`): whether it has to be there, and of what kind it is."""

    required: bool
    kind: str


Released = dict[tuple[str, int], dict[str, Member]]


def now() -> Released:
    """Every event as the code tells it."""
    return {
        (kind.type, kind.version): dict(_members(schema_of(kind))) for kinds in publishers().values() for kind in kinds
    }


def before() -> Released:
    """Every event as it was told first."""
    found: Released = {}
    for name, version, member, required, kind in list(csv.reader(FILE.read_text("utf-8").splitlines()))[1:]:
        found.setdefault((name, int(version)), {})[member] = Member(required == "required", kind)
    return found


def changed(old: Released, new: Released) -> list[str]:
    """What differs from before without a version of its own."""
    wrong = []
    for event in sorted(new.keys() - old.keys()):
        earlier = [members for (name, version), members in old.items() if name == event[0] and version < event[1]]
        wrong += [
            f"{event[0]} {event[1]}: {member} has to be there" for was in earlier[-1:] for member in new[event].keys() - was.keys()
            if new[event][member].required and not _inside_new(member, was)
        ]  # fmt: skip
    for event in sorted(old.keys() & new.keys()):
        was, found = old[event], new[event]
        name = f"{event[0]} {event[1]}"
        wrong += [f"{name}: {member} is gone" for member in was.keys() - found.keys()]
        wrong += [
            f"{name}: {member} is another" for member in was.keys() & found.keys() if was[member] != found[member]
        ]
        wrong += [
            f"{name}: {member} has to be there" for member in found.keys() - was.keys()
            if found[member].required and not _inside_new(member, was)
        ]  # fmt: skip
    return sorted(wrong)


def _inside_new(member: str, was: Mapping[str, Member]) -> bool:
    """Whether it is part of something that is new itself, and may be left out."""
    parts = member.replace("[]", "").split(".")
    outer = {name.replace("[]", "") for name in was}
    return len(parts) > 1 and ".".join(parts[:-1]) not in outer


def written() -> str:
    """The file: what is in it stays, new events and members that may be left out come in. A member that has to be there makes an event
    another, and does not."""
    old, new = before() if FILE.exists() else {}, now()
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(HEAD)
    for event in sorted(old.keys() | new.keys()):
        was, found = old.get(event), new.get(event, {})
        added = {name: one for name, one in found.items() if was is None or not one.required or _inside_new(name, was)}
        for member, one in sorted((added | (was or {})).items()):
            rows.writerow([*event, member, "required" if one.required else "optional", one.kind])
    return out.getvalue()


def _members(schema: Mapping[str, Any]) -> Iterator[tuple[str, Member]]:
    yield from _of(schema, "", schema.get("$defs", {}))


def _of(part: Mapping[str, Any], place: str, parts: Mapping[str, Any]) -> Iterator[tuple[str, Member]]:
    for name, field in part.get("properties", {}).items():
        inner = f"{place}.{name}" if place else name
        yield inner, Member(name in part.get("required", ()), _kind(field, parts))
        yield from _inside(field, inner, parts)


def _inside(field: Mapping[str, Any], place: str, parts: Mapping[str, Any]) -> Iterator[tuple[str, Member]]:
    field = _resolved(field, parts)
    for choice in field.get("anyOf", ()):
        yield from _inside(choice, place, parts)
    if isinstance(field.get("items"), dict):
        yield from _inside(field["items"], f"{place}[]", parts)
    yield from _of(field, place, parts)


def _kind(field: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    field = _resolved(field, parts)
    if "anyOf" in field:
        return " or ".join(sorted({_kind(one, parts) for one in field["anyOf"]}))
    said = {name: sorted(field[name], key=str) if name == "enum" else field[name] for name in SHAPE if name in field}
    if isinstance(field.get("items"), dict):
        said["items"] = _kind(field["items"], parts)
    return json.dumps(said, ensure_ascii=False)


def _resolved(field: Mapping[str, Any], parts: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in field:
        field = parts[field["$ref"].rpartition("/")[2]]
    return field
