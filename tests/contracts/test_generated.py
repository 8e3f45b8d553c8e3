"""Schemas, the AsyncAPI document, the event map and the parts of `deploy/` are what the code says."""

import json

from careline.generated import SCHEMAS, files


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
