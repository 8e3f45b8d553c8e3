"""An app's OpenAPI 3.1 document: the framework's own, and what routes, guards and fields declare besides."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext

from chassis.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refusal,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UpstreamTimeout,
)
from chassis.http import problems
from chassis.http.declared import declared_by, headers_set_by
from chassis.http.edge import BodyTooSlow
from chassis.http.paging import Listing
from chassis.http.permissions import permission_of
from chassis.http.reads import LONGEST_PURPOSE, NOT_STAFF, PurposeRequired, is_recorded
from chassis.http.uploads import LARGEST_BODY
from contracts.vocabulary import describe, described

REFERENCE = {"schema": {"$ref": "#/components/schemas/Problem"}}
HEADERS: dict[str, dict[str, Any]] = {
    "ETag": {
        "description": "the version of the object: send it as If-Match to change it",
        "schema": {"type": "string"},
    },
    "Location": {"description": "where the object is", "schema": {"type": "string", "format": "uri-reference"}},
    "Retry-After": {"description": "seconds to wait before trying again", "schema": {"type": "integer", "minimum": 0}},
}
PURPOSE = {
    "name": "Purpose",
    "in": "header",
    "description": "why a member of staff reads this; percent-encoded UTF-8. A token may carry it instead",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_PURPOSE, "examples": ["callback"]},
}
WAITS = {409, 429, 503, 504}
"""Answers that may say when to come back."""
_SCHEMA = re.compile(r"^#/components/schemas/(.+)$")


def openapi_of(app: FastAPI, service: str, routes: Iterable[RouteContext]) -> dict[str, Any]:
    """The document of an app and its routes, made once."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    document = app.openapi()
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for route in routes:
        if isinstance(route.original_route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                operation = document["paths"][str(route.path)][method.lower()]
                operation["operationId"] = f"{service}_{route.name}"
                _complete(operation, method, route)
    for name, schema in schemas.items():
        if name.startswith("Listing_"):
            schema.setdefault("description", Listing.__doc__)
    renamed = renamed_schemas(document, {name: _plain(name) for name in schemas})
    describe(renamed["components"]["schemas"])
    renamed["components"]["schemas"]["Problem"] = problems.SCHEMA
    app.openapi_schema = renamed
    return renamed


def _complete(operation: dict[str, Any], method: str, route: RouteContext) -> None:
    """Add what the declarations of a route say: its headers, its answers by status."""
    dependant, own = route.dependant, route.original_route
    endpoint = own.endpoint if isinstance(own, APIRoute) else None
    guards = list(declared_by(dependant))
    permission = permission_of(dependant)
    parameters = [_parameter(one) for one in operation.get("parameters", [])]
    required = {guard.requires for guard in guards if guard.requires}
    for one in parameters:
        if one["in"] == "header" and one["name"].lower() in required:
            one["required"] = True
            one["schema"] = next(
                kind for kind in one["schema"].get("anyOf", [one["schema"]]) if kind != {"type": "null"}
            )
    refusals: set[type[Refusal]] = {kind for guard in guards for kind in guard.refusals}
    names = [one["name"] for one in parameters if one["in"] == "path"]
    staff = permission is not None and not permission.roles <= NOT_STAFF
    if staff and method == "GET" and "client_id" in names:
        refusals.add(PurposeRequired)
    asked = PurposeRequired in refusals
    if asked or (staff and method == "GET" and is_recorded(names, route.response_model)):
        parameters.append(PURPOSE | {"required": asked and not (permission and permission.roles & NOT_STAFF)})
    if parameters:
        operation["parameters"] = parameters
    refusals |= {Unavailable, UpstreamTimeout, problems.Unexpected}
    if permission is not None:
        refusals |= {Unauthenticated, Forbidden}
    if parameters or method != "GET":
        refusals |= {Invalid, NotFound}
    if method != "GET" or any("'date'" in str(one["schema"]) for one in parameters):  # the calendar may not reach there
        refusals |= {Conflict}
    if "requestBody" in operation:
        refusals |= {problems.Malformed, BodyTooSlow, TooLarge}
    if LARGEST_BODY in operation:
        refusals |= {problems.UnsupportedMediaType}
    answers = operation["responses"]
    answers.pop("422", None)  # the framework's own form of an error
    for name in headers_set_by(endpoint) if endpoint else ():
        for status, answer in answers.items():
            if status.startswith("2"):
                answer.setdefault("headers", {})[name] = HEADERS[name]
    for status, answer in answers.items():
        if status.startswith("2") and answer.get("description") in (None, "Successful Response"):
            answer["description"] = _first_sentence(operation)
    for answer in answers.values():
        for content in answer.get("content", {}).values():
            if str(content.get("schema", {}).get("title", "")).startswith("Response "):
                content["schema"].pop("title")
    answers |= _problems(refusals, answers)


def _parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    schema = described(parameter["name"], parameter["schema"] | _said(parameter))
    description = schema.pop("description", "")
    return parameter | {"description": description, "schema": schema}


def _said(parameter: dict[str, Any]) -> dict[str, Any]:
    return {"description": parameter["description"]} if "description" in parameter else {}


def _first_sentence(operation: dict[str, Any]) -> str:
    return str(operation.get("description") or operation["summary"]).split("\n\n")[0].replace("\n", " ")


def _problems(refusals: Iterable[type[Refusal]], given: Mapping[str, Any]) -> dict[str, Any]:
    by_status: dict[int, list[type[Refusal]]] = {}
    for kind in sorted(refusals, key=lambda kind: kind.__name__):
        by_status.setdefault(kind.status, []).append(kind)
    return {
        str(status): problem_answer(status, kinds)
        for status, kinds in sorted(by_status.items())
        if str(status) not in given
    }


def problem_answer(status: int, kinds: Iterable[type[Refusal]]) -> dict[str, Any]:
    """An error answer of a status, with the titles of what it may say."""
    answer: dict[str, Any] = {
        "description": "; ".join(kind.title.en for kind in kinds),
        "content": {problems.MEDIA_TYPE: REFERENCE},
    }
    return answer | ({"headers": {"Retry-After": HEADERS["Retry-After"]}} if status in WAITS else {})


def _plain(name: str) -> str:
    """A schema's name without the framework's marks: `Listing_Entry_` is a list of entries, `a__b__C` is B's C."""
    if generic := re.fullmatch(r"Listing_(\w+)_", name):
        return f"{_plain(generic[1])}List"
    *path, last = name.removesuffix("-Input").removesuffix("-Output").split("__")
    ending = "Given" if name.endswith("-Input") else ""
    return (path[-1].title().replace("_", "") if path else "") + last.replace("_", "") + ending


def renamed_schemas(document: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The document with its schemas under other names, each with its name as its title."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: f"#/components/schemas/{names.get(found[1], found[1])}"
                if key == "$ref" and isinstance(inner, str) and (found := _SCHEMA.match(inner))
                else walk(inner)
                for key, inner in value.items()
            }
        return [walk(inner) for inner in value] if isinstance(value, list) else value

    changed: dict[str, Any] = walk(document)
    schemas = changed.get("components", {}).get("schemas", {})
    changed["components"]["schemas"] = {
        names.get(name, name): schema | {"title": names.get(name, name)} for name, schema in schemas.items()
    }
    return changed
