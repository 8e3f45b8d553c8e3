"""Every field that comes in over REST has a type of `contracts/fields.py`: paths, queries, headers and bodies."""

import enum
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from fastapi import UploadFile
from pydantic import BaseModel

from contracts.fields import Amount, rules_of
from tests.walks.rest import fields_of, routes

# Whole documents, whose own readers say what they take: a policy table, a questionnaire, a mail provider's event.
DOCUMENTS = {"PolicyDraft.body", "PolicyTrial.body", "Form.form", "draft_template(body)", "take_mail_event(given)"}


def _without_type(kind: Any, place: str, seen: set[Any]) -> Iterator[str]:
    origin, inner = get_origin(kind), get_args(kind)
    if place in DOCUMENTS or any(rules_of(kind)) or origin is Literal or kind is bool:
        return
    if origin is Annotated:
        yield from _without_type(inner[0], place, seen)
    elif origin in (Union, UnionType, list, tuple, dict, set, frozenset):
        for one in inner:
            if one not in (NoneType, Ellipsis):
                yield from _without_type(one, place, seen)
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind not in seen:
            seen.add(kind)
            for name, hint in get_type_hints(kind, include_extras=True).items():
                if name in kind.model_fields:
                    yield from _without_type(hint, f"{kind.__name__}.{name}", seen)
    elif not (
        isinstance(kind, type) and issubclass(kind, Amount | enum.Enum | UploadFile)
    ):  # files: the edge bounds them
        yield f"{place}: {kind}"


def test_every_field_that_comes_in_has_a_type_of_its_own() -> None:
    seen, wrong, count = set[Any](), [], 0
    for service, route in routes():
        for field in fields_of(route.dependant):
            count += 1
            kind, rules = field.field_info.annotation, tuple(field.field_info.metadata)
            full = Annotated[(kind, *rules)] if rules else kind
            place = f"{route.original_route.endpoint.__name__}({field.name})"
            wrong += [f"{service} {route.path} {found}" for found in _without_type(full, place, seen)]
    assert wrong == []
    assert count > 500
    assert len(seen) > 50
