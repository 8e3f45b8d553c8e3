"""Schemas, the AsyncAPI document, the event map and the parts of `deploy/` are what the code says."""

import json

import jsonschema_rs

from careline.generated import SCHEMAS, files
from contracts.asyncapi import ENVELOPE, publishers, schema_of
from contracts.vocabulary import FORMS, objects_in


def test_generated_files_are_up_to_date() -> None:
    stale = [str(path) for path, content in files().items() if not path.exists() or path.read_text() != content]
    assert not stale, f"run `python -m careline.generated` and review the difference: {stale}"
    assert {path for path in files() if path.parent == SCHEMAS} == set(SCHEMAS.glob("*.json"))


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = json.loads(files()[SCHEMAS / "asyncapi.json"])

    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
            return own + [r for inner in value.values() for r in references(inner)]
        return [r for inner in value for r in references(inner)] if isinstance(value, list) else []

    for reference in references(document):
        place = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step.replace("~1", "/")]
    assert document["asyncapi"] == "3.0.0"
    assert "broker.trade.settled" in document["channels"]["careline.broker.trades"]["messages"]


def test_every_field_of_the_asyncapi_document_is_described_with_an_example() -> None:
    document = json.loads(files()[SCHEMAS / "asyncapi.json"])
    schemas = document["components"]["schemas"] | {"envelope": ENVELOPE}
    said, shown = [], []
    for name, schema in schemas.items():
        for inner in objects_in(schema):
            for field, kind in inner["properties"].items():
                said += [] if kind.get("description") not in (None, *FORMS) else [f"{name}.{field}"]
                given = {"examples", "const", "enum"} & kind.keys() or "$ref" in str(kind)
                shown += [] if given else [f"{name}.{field}"]
    assert (said, shown) == ([], [])


def test_messages_channels_and_operations_say_where_and_how() -> None:
    document = json.loads(files()[SCHEMAS / "asyncapi.json"])
    assert document["servers"]["kafka"]["protocol"] == "kafka"
    for name, message in document["components"]["messages"].items():
        [kind] = [
            kind
            for kinds in publishers().values()
            for kind in kinds
            if (kind.type, kind.version) == (name, message["x-version"])
        ]
        assert jsonschema_rs.is_valid(schema_of(kind), message["examples"][0]["payload"]), name
        assert message["summary"], name
        assert message["bindings"]["kafka"]["key"]["description"], name
    for one in (*document["channels"].values(), *document["operations"].values()):
        assert one["description"]
