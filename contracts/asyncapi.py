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
from contracts.vocabulary import describe

ENVELOPE: dict[str, Any] = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0", "description": "the version of CloudEvents"},
        "ce_id": {"type": "string", "description": "the event's id: with its source it says the event once", "examples": ["f-20240304-17"]},
        "ce_source": {"type": "string", "description": "the system that says it", "examples": ["broker/trading"]},
        "ce_type": {"type": "string", "description": "what kind of fact it is", "examples": ["broker.trade.settled"]},
        "ce_time": {
            "type": "string", "format": "date-time", "description": "when it happened, with an offset",
            "examples": ["2024-03-04T09:30:00+08:00"],
        },
        "ce_subject": {"type": "string", "description": "the record's key once more", "examples": ["c-1"]},
        "content-type": {"type": "string", "const": "application/json", "description": "how the data is written"},
        "traceparent": {
            "type": "string", "description": "the trace it belongs to (W3C)",
            "examples": ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
        },
    },
}  # fmt: skip
SERVERS: dict[str, Any] = {
    "kafka": {
        "host": "{host}:{port}",
        "protocol": "kafka",
        "title": "Apache Kafka",
        "description": "The bus of a platform in several processes: CARELINE_BUS_URL=kafka://HOST:PORT/PREFIX. A topic's name on Kafka "
        "is PREFIX.ADDRESS, the prefix belongs to one home. Without it the same facts lie in PostgreSQL, and systems "
        "send theirs to POST /v1/events.",
        "variables": {
            "host": {"default": "localhost", "description": "a broker to begin with"},
            "port": {"default": "9092", "description": "its port"},
        },
    }
}
KEY: dict[str, Any] = {
    "type": "string",
    "description": "whom it is about, mostly the client: facts of one key lie in one partition, in order",
    "examples": ["c-1"],
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
    whole = schema | ({"$defs": parts} if parts else {})
    describe({kind.type: whole})
    return whole


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
            values = schema.get("additionalProperties")
            return {"key": example_of(values if isinstance(values, Mapping) else {}, parts)}
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
                channel = channels.setdefault(topic, _channel(topic, publisher))
                channel["messages"][kind.type] = {"$ref": f"#/components/messages/{kind.type}"}
        for topic in sorted({topic for kind in kinds for topic in topics_of(kind)}):
            heard = publisher == "broker"
            operations[f"{'receive' if heard else 'send'}.{topic}"] = {
                "action": "receive" if heard else "send",
                "channel": {"$ref": f"#/channels/{topic}"},
                "summary": f"Facts of the broker's systems on {topic}" if heard else f"What {publisher} says",
                "description": "A fact may come twice, late, or after others of its key: what was known changes nothing."
                if heard
                else "Told once what is said has been committed; a receiver may be given it twice.",
            }
    describe(schemas)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Careline events",
            "version": version,
            "description": "CloudEvents 1.0 in binary mode. The record's key is the client's id; amounts are decimal "
            "strings; dates are business dates in Asia/Shanghai. Adding optional fields is compatible.",
        },
        "defaultContentType": "application/json",
        "servers": SERVERS,
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages,
            "schemas": schemas,
            "messageTraits": {"cloudEvent": {"headers": ENVELOPE}},
        },
    }


def _channel(topic: str, publisher: str) -> dict[str, Any]:
    return {
        "address": topic,
        "title": topic,
        "description": "Facts of the broker's systems."
        if publisher == "broker"
        else f"What {publisher} tells the others.",
        "servers": [{"$ref": "#/servers/kafka"}],
        "messages": {},
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
        "bindings": {"kafka": {"key": KEY, "bindingVersion": "0.5.0"}},
        "examples": [
            {
                "name": "example",
                "summary": "every field, each with an example of its own",
                "payload": example_of(schema_of(kind)),
            }
        ],
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
