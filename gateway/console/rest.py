"""The services' published operations, by their ids: what a form is made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from gateway.documents import Documents


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the published document: how it is called and what its body says."""

    name: str
    method: str
    path: str
    path_names: tuple[str, ...]
    query_names: tuple[str, ...]
    needs: frozenset[str]
    schema: Mapping[str, Any] | None
    about: str

    def address(self, given: Mapping[str, str]) -> str:
        """The path with what is in it. Raises KeyError for what is not given."""
        return self.path.format(**{name: quote(given[name], safe="") for name in self.path_names})


async def operations(documents: Documents) -> Mapping[str, Operation]:
    """Every operation of every service that could be reached."""
    return {name: one for document in await documents.known() for name, one in operations_of(document).items()}


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
        item["operationId"], method.upper(), path, tuple(places["path"]), tuple(places["query"]),
        frozenset(name.lower() for name in places["header"]),
        resolved(schema, document["components"]["schemas"]) if schema else None, item.get("description", ""),
    )  # fmt: skip


def resolved(schema: Any, schemas: Mapping[str, Any]) -> Any:
    """A schema with what it refers to in its place."""
    if isinstance(schema, list):
        return [resolved(one, schemas) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        rest = {name: value for name, value in schema.items() if name != "$ref"}
        return resolved(schemas[schema["$ref"].rpartition("/")[2]], schemas) | rest
    return {name: resolved(value, schemas) for name, value in schema.items()}
