"""The AsyncAPI 3.0 document, JSON Schemas and event map, made from the event classes themselves."""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from typing import Any

import msgspec

import contracts
from contracts.base import DayClosed, Event
from contracts.fields import schema_custom

ENVELOPE: dict[str, Any] = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": {"type": "string"},
        "ce_source": {"type": "string"},
        "ce_type": {"type": "string"},
        "ce_time": {"type": "string", "format": "date-time"},
        "ce_subject": {"type": "string"},
        "content-type": {"type": "string", "const": "application/json"},
        "traceparent": {"type": "string"},
    },
}


def publishers() -> dict[str, list[type[Event]]]:
    """Every publisher's events, by the module that owns them."""
    found: dict[str, list[type[Event]]] = {}
    for module in pkgutil.iter_modules(contracts.__path__):
        events = getattr(importlib.import_module(f"contracts.{module.name}"), "EVENTS", None)
        if events:
            found[module.name] = list(events)
    return found


def topics_of(kind: type[Event]) -> list[str]:
    """Where an event is published: its topic, or, for the broker's closed day, all of the broker's."""
    from contracts.broker import TOPICS

    return [kind.topic] if kind.topic else list(TOPICS)


def schema_of(kind: type[Event]) -> dict[str, Any]:
    """The JSON Schema of an event's data, complete in itself."""
    (_, parts) = msgspec.json.schema_components([kind], schema_hook=schema_custom, ref_template="#/$defs/{name}")
    own = parts.pop(kind.__name__)
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:careline:{kind.type}:{kind.version}",
        **own,
        "title": kind.type,
        "description": inspect.cleandoc(kind.__doc__ or ""),
    }
    return schema | ({"$defs": parts} if parts else {})


def example_of(schema: Mapping[str, Any], parts: Mapping[str, Any] | None = None) -> Any:
    """A value the schema accepts, made of its fields' own examples."""
    parts = schema.get("$defs", {}) if parts is None else parts
    if "$ref" in schema:
        return example_of(parts[schema["$ref"].rpartition("/")[2]], parts)
    for given in ("const", "enum", "examples"):
        if given in schema:
            return schema[given] if given == "const" else schema[given][0]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], parts)
    match schema.get("type"):
        case "object" if "properties" in schema:
            return {name: example_of(field, parts) for name, field in schema["properties"].items()}
        case "object":
            return {"key": example_of(schema.get("additionalProperties", {}), parts)}
        case "array" if "prefixItems" in schema:
            return [example_of(item, parts) for item in schema["prefixItems"]]
        case "array":
            return [example_of(schema["items"], parts)]
        case "boolean":
            return schema.get("default", False)
        case "integer":
            return max(1, schema.get("minimum", 1))
    return "text"


def document(version: str) -> dict[str, Any]:
    """AsyncAPI 3.0 of everything the platform hears and says."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for publisher, kinds in publishers().items():
        _, parts = msgspec.json.schema_components(
            kinds, schema_hook=schema_custom, ref_template=f"#/components/schemas/{publisher}.{{name}}"
        )
        schemas |= {f"{publisher}.{name}": part for name, part in parts.items()}
        for kind in kinds:
            messages[kind.type] = _message(publisher, kind)
            for topic in topics_of(kind):
                channel = channels.setdefault(topic, {"address": topic, "messages": {}})
                channel["messages"][kind.type] = {"$ref": f"#/components/messages/{kind.type}"}
        for topic in sorted({topic for kind in kinds for topic in topics_of(kind)}):
            heard = publisher == "broker"
            operations[f"{'receive' if heard else 'send'}.{topic}"] = {
                "action": "receive" if heard else "send",
                "channel": {"$ref": f"#/channels/{topic}"},
                "summary": f"Facts of the broker's systems on {topic}" if heard else f"What {publisher} says",
            }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Careline events",
            "version": version,
            "description": "CloudEvents 1.0 in binary mode. The record's key is the client's id; amounts are decimal "
            "strings; dates are business dates in Asia/Shanghai. Adding optional fields is compatible.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages,
            "schemas": schemas,
            "messageTraits": {"cloudEvent": {"headers": ENVELOPE}},
        },
    }


def _message(publisher: str, kind: type[Event]) -> dict[str, Any]:
    first, _, rest = inspect.cleandoc(kind.__doc__ or "").partition("\n")
    return {
        "name": kind.type,
        "title": kind.type,
        "summary": first,
        **({"description": rest.strip()} if rest.strip() else {}),
        "contentType": "application/json",
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {"$ref": f"#/components/schemas/{publisher}.{kind.__name__}"},
        "x-version": kind.version,
    }


def event_map(listeners: dict[str, list[str]]) -> str:
    """docs/event-map.md: each event, its topic, who says it and who listens (`listeners`: event type to services)."""
    lines = [
        "# Event map",
        "",
        "Made by `python -m careline.generated`; a test holds it equal to the code.",
        "",
        "| event | topic | said by | heard by | what it says |",
        "|---|---|---|---|---|",
    ]
    for publisher, kinds in publishers().items():
        for kind in kinds:
            said = inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].replace("\n", " ").replace("|", "\\|")
            heard = ", ".join(listeners.get(kind.type, [])) or "-"
            places = (
                ", ".join(f"`{topic}`" for topic in topics_of(kind))
                if not issubclass(kind, DayClosed)
                else ("every partition of " + ", ".join(f"`{topic}`" for topic in topics_of(kind)))
            )
            lines.append(f"| `{kind.type}` | {places} | {publisher} | {heard} | {said} |")
    return "\n".join(lines) + "\n"
