"""The published document of the REST interface: whole, typed, described, with an example of everything."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs
import pytest

from chassis.http import openapi_of
from contracts.vocabulary import FORMS, WORDS, objects_in
from gateway.documents import merged
from tests.walks.rest import apps

CHANGES = ("post", "put", "patch", "delete")


@cache
def document() -> dict[str, Any]:
    return merged([(name, openapi_of(app)) for name, app in apps().items()])


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def _fields() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, schema in document()["components"]["schemas"].items():
        for inner in objects_in(schema):
            for field, kind in inner["properties"].items():
                yield f"{name}.{field}", kind
    for path, method, operation in _operations():
        for one in operation.get("parameters", []):
            yield f"{method} {path} {one['name']}", one["schema"] | {"description": one["description"]}


def test_the_document_is_openapi_3_1() -> None:
    assert document()["openapi"] == "3.1.0"
    assert len(document()["paths"]) > 200


def test_ids_are_short_and_unique() -> None:
    ids = Counter(operation["operationId"] for *_, operation in _operations())
    assert [one for one, count in ids.items() if count > 1] == []
    assert [one for one in ids if len(one) > 50 or not one.isidentifier()] == []


def test_schemas_have_titles_of_their_own() -> None:
    schemas = document()["components"]["schemas"]
    assert {name: schema["title"] for name, schema in schemas.items() if schema["title"] != name} == {}
    assert [name for name in schemas if not name.isidentifier() or "__" in name] == []
    assert [name for name, schema in schemas.items() if not schema.get("description")] == []


def test_every_field_and_parameter_says_what_it_is() -> None:
    assert [place for place, field in _fields() if not field.get("description")] == []
    assert [place for place, field in _fields() if field["description"] in FORMS] == []


def test_every_field_and_parameter_has_an_example_that_is_one() -> None:
    without, wrong = [], []
    definitions = {"components": document()["components"]}
    for place, field in _fields():
        if "examples" not in field:
            without += [] if "$ref" in str(field) else [place]
            continue
        validator = jsonschema_rs.Draft202012Validator(field | definitions if "$ref" in str(field) else field)
        wrong += [(place, example) for example in field["examples"] if not validator.is_valid(example)]
    assert without == []
    assert wrong == []


def test_every_word_of_the_vocabulary_is_used() -> None:
    from contracts.asyncapi import publishers, schema_of

    used = {place.replace(".", " ").rpartition(" ")[2] for place, _ in _fields()}
    for kinds in publishers().values():
        for kind in kinds:
            used |= {name for inner in objects_in(schema_of(kind)) for name in inner["properties"]}
    assert sorted(WORDS.keys() - used) == []


def test_answers_are_typed_and_errors_are_told_by_status() -> None:
    wrong = []
    for path, method, operation in _operations():
        answers = operation["responses"]
        if "default" in answers or not any(status.startswith("2") for status in answers):
            wrong.append((method, path, "by status"))
        for status, answer in answers.items():
            if not answer.get("description") or answer["description"] == "Successful Response":
                wrong.append((method, path, status, "says nothing"))
            media = answer.get("content", {})
            if status >= "400" and list(media) != ["application/problem+json"]:
                wrong.append((method, path, status, "is no problem"))
            if status < "300" and any(content.get("schema", {}) == {} for content in media.values()):
                wrong.append((method, path, status, "is not typed"))
    assert wrong == []


@pytest.mark.parametrize(
    ("header", "status"), [("If-Match", "428"), ("Idempotency-Key", "400"), ("Purpose", "400")], ids=lambda one: one
)
def test_headers_that_are_enforced_are_declared(header: str, status: str) -> None:
    found = 0
    for path, method, operation in _operations():
        for one in operation.get("parameters", []):
            if one["in"] == "header" and one["name"].lower() == header.lower() and one.get("required"):
                found += 1
                assert status in operation["responses"], (method, path)
    assert found > 1


def test_answers_that_may_be_tried_again_say_when() -> None:
    for path, method, operation in _operations():
        for status in ("429", "503", "504"):
            assert "Retry-After" in operation["responses"][status]["headers"], (method, path)


def test_what_is_changed_with_if_match_is_read_with_an_etag() -> None:
    tagged = [o for *_, o in _operations() if any("ETag" in a.get("headers", {}) for a in o["responses"].values())]
    assert len(tagged) > 5
