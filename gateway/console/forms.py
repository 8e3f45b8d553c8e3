"""Forms made from the body an operation publishes: its fields, and what was typed as that body."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import FormData

LONG = 200
LATER = ("at", "received_at", "recorded_at")
"""When something happened: asked for only where it is entered later."""


@dataclass(slots=True)
class Field:
    """One field as a form shows it: `kind` is how it is asked for."""

    name: str
    kind: str
    required: bool
    hint: str = ""
    choices: Sequence[str] = ()
    value: str = ""
    error: str = ""
    most: int | None = None

    @property
    def later(self) -> bool:
        """Whether it is asked for only where something is entered later."""
        return self.name in LATER and not self.required


@dataclass(slots=True)
class Form:
    """The fields of a body, with what is wrong of the whole."""

    fields: list[Field] = field(default_factory=list)
    error: str = ""

    def mark(self, errors: Sequence[Mapping[str, str]], *, below: str = "") -> None:
        """Name each field that is wrong; what names no field of ours is said of the whole. `below`: where in the body the
        form's fields lie."""
        known = {one.name: one for one in self.fields}
        rest = []
        for error in errors:
            place = error.get("pointer", "").strip("/").removeprefix(below).strip("/")
            name, _, rest_of = place.partition("/")
            member, _, rest_of_member = rest_of.partition("/")
            if f"{name}.{member}" in known:
                name, rest_of = f"{name}.{member}", rest_of_member
            elif name not in known:  # the whole object is missing: its first member says so
                name = next((one for one in known if one.startswith(f"{name}.")), name)
            if name in known:
                said = f"{rest_of}: {error['detail']}" if rest_of else error["detail"]
                known[name].error = "; ".join(filter(None, (known[name].error, said)))
            else:
                rest.append(f"{error.get('pointer', '')} {error['detail']}".strip())
        self.error = "; ".join(filter(None, (self.error, *rest)))


def form_of(
    schema: Mapping[str, Any] | None, fixed: Mapping[str, Any], typed: Mapping[str, str], *, without: Sequence[str] = ()
) -> Form:
    """The form of a body; what is fixed is not asked for."""
    properties = (schema or {}).get("properties", {})
    required = (schema or {}).get("required", ())
    found: list[Field] = []
    for name, kind in sorted(properties.items(), key=lambda one: (one[0] in LATER, one[0] not in required)):
        if name in fixed or name in without:
            continue
        if members := _members(kind):
            needed = _plain(kind).get("required", ()) if name in required else ()
            found += [
                _field(f"{name}.{member}", of, member in needed, typed.get(f"{name}.{member}"))
                for member, of in members.items()
            ]
        else:
            found.append(_field(name, kind, name in required, typed.get(name)))
    return Form(found)


def _plain(kind: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a member is when it is there."""
    return next((one for one in kind.get("anyOf", [kind]) if one.get("type") != "null"), kind)


def _members(kind: Mapping[str, Any]) -> Mapping[str, Any]:
    """The members of an object that has only plain ones; each is a field `object.member`."""
    members: Mapping[str, Any] = _plain(kind).get("properties", {}) if _plain(kind).get("type") == "object" else {}
    plain = all(_kind(_plain(one), True, None) != "json" for one in members.values())
    return members if plain else {}


def _field(name: str, kind: Mapping[str, Any], required: bool, typed: str | None) -> Field:
    plain = _plain(kind)
    default = kind.get("default")
    shown = "" if default is None else json.dumps(default) if isinstance(default, bool | list | dict) else str(default)
    return Field(
        name, _kind(plain, required, default), required, kind.get("description", ""),
        plain.get("enum", [plain["const"]] if "const" in plain else ()),
        shown if typed is None else typed, most=plain.get("maxLength"),
    )  # fmt: skip


def _kind(plain: Mapping[str, Any], required: bool, default: Any) -> str:
    if "enum" in plain or "const" in plain:
        return "choice"
    match plain.get("type"), plain.get("format"):
        case "boolean", _:
            return "yes_no" if required or default is None else "tick"
        case (("integer" | "number"), _):
            return "number"
        case "string", "date":
            return "day"
        case "string", "date-time":
            return "moment"
        case "array", _:
            return "lines" if plain.get("items", {}).get("type") == "string" else "json"
        case "string", _:
            return "text" if plain.get("maxLength", LONG) <= LONG else "words"
    return "json"


def typed_in(form: FormData) -> dict[str, str]:
    """What was typed, field by field; a field given several times has a line each."""
    typed: dict[str, list[str]] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            typed.setdefault(name, []).append(value)
    return {name: "\n".join(values) for name, values in typed.items()}


def body_of(form: Form, fixed: Mapping[str, Any], typed: Mapping[str, str]) -> dict[str, Any]:
    """The body as typed: empty fields are left out, so that the service says itself what it misses."""
    body: dict[str, Any] = dict(fixed)
    for one in form.fields:
        raw = typed.get(one.name, "")
        name, _, member = one.name.partition(".")
        if one.kind == "tick":
            one.value = "true" if raw == "true" else "false"
            if not member or raw == "true":
                _place(body, name, member)[member or name] = raw == "true"
        elif raw.strip():
            _place(body, name, member)[member or name] = _value(one.kind, raw)
    return body


def _place(body: dict[str, Any], name: str, member: str) -> dict[str, Any]:
    inside: dict[str, Any] = body.setdefault(name, {}) if member else body
    return inside


def _value(kind: str, raw: str) -> Any:
    if kind == "yes_no":
        return {"true": True, "false": False}.get(raw, raw)
    if kind == "number":
        return int(raw) if raw.strip().lstrip("-").isdecimal() else raw
    if kind == "moment":
        return instant(raw)
    if kind == "lines":
        return [line.strip() for line in raw.splitlines() if line.strip()]
    if kind == "json":
        try:
            return json.loads(raw)
        except ValueError:
            return raw  # the service says what it should be
    return raw.replace("\r\n", "\n")


def instant(raw: str) -> str:
    """A date and a time of day as typed in Shanghai, as an instant; anything else is the service's to judge."""
    day, _, time = raw.strip().partition("T")
    if time.count(":") == 1:
        time += ":00"
    return f"{day}T{time}+08:00" if time and "+" not in time and not time.endswith("Z") else raw
