"""The services' published operations that pages offer: what a form is made from, kept in `operations.json`.

The file is made from the services' own documents (`careline.generated`, a test holds it equal to them), so that a form needs
no service to be asked what it would take.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

KEPT = Path(__file__).parent / "operations.json"


class Operation(msgspec.Struct, frozen=True):
    """One operation of the published document: how it is called and what its body says."""

    method: str
    path: str
    path_names: tuple[str, ...]
    query_names: tuple[str, ...]
    needs: tuple[str, ...]
    schema: dict[str, Any] | None

    def address(self, given: Mapping[str, str]) -> str:
        """The path with what is in it. Raises KeyError for what is not given."""
        return self.path.format(**{name: quote(given[name], safe="") for name in self.path_names})


@cache
def operations() -> Mapping[str, Operation]:
    """Every operation that a page offers, by its id."""
    return msgspec.json.decode(KEPT.read_bytes(), type=dict[str, Operation])


def operations_of(document: Mapping[str, Any]) -> Mapping[str, Operation]:
    """A service's operations by id, with bodies resolved."""
    return {
        item["operationId"]: _operation(item, method, path, document)
        for path, methods in document["paths"].items()
        for method, item in methods.items()
    }


def _operation(item: Mapping[str, Any], method: str, path: str, document: Mapping[str, Any]) -> Operation:
    places: dict[str, list[str]] = {"path": [], "query": [], "header": [], "cookie": []}
    for one in item.get("parameters", []):
        places[one["in"]].append(one["name"])
    content = item.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return Operation(
        method.upper(), path, tuple(places["path"]), tuple(places["query"]),
        tuple(sorted(name.lower() for name in places["header"])),
        _resolved(schema, document["components"]["schemas"]) if schema else None,
    )  # fmt: skip


def _resolved(schema: Any, schemas: Mapping[str, Any]) -> Any:
    """A schema with what it refers to in its place, and without what no form shows."""
    if isinstance(schema, list):
        return [_resolved(one, schemas) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        rest = {name: value for name, value in schema.items() if name != "$ref"}
        return _resolved(schemas[schema["$ref"].rpartition("/")[2]], schemas) | rest
    return {name: _resolved(value, schemas) for name, value in schema.items() if name not in ("pattern", "examples")}
