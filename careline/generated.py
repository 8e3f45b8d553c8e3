"""What is made from contracts and services and checked in: JSON Schemas, AsyncAPI, the event map, parts of `deploy/`,
tables of acts in the pages of services, what the console offers, what events looked like when they were told first.

`python -m careline.generated` writes the files anew; a test holds them equal to the code.
"""

import json
from pathlib import Path

from careline import console_operations, deployment, kubernetes
from careline.services import SERVICES
from chassis.acts.printed import as_markdown
from contracts import released
from contracts.asyncapi import document, event_map, publishers, schema_of

ROOT = Path(__file__).parent.parent
SCHEMAS = ROOT / "contracts" / "schemas"


def files() -> dict[Path, str]:
    """Every generated file's path and content."""
    found = {SCHEMAS / "asyncapi.json": _json(document("0"))}
    for kinds in publishers().values():
        for kind in kinds:
            version = "" if kind.version == 1 else f".{kind.version}"
            found[SCHEMAS / f"{kind.type}{version}.json"] = _json(schema_of(kind))
    behind = [service for service in SERVICES if service.name != "gateway"]
    found |= {ROOT / "docs" / "event-map.md": event_map(listeners())} | deployment.files(ROOT / "deploy", behind)
    found[released.FILE] = released.written()
    found |= kubernetes.files(ROOT / "deploy" / "kubernetes", behind)
    found[console_operations.KEPT] = _json(console_operations.offered())
    found[console_operations.POLICY_TABLES] = _json(console_operations.policy_tables())
    return found | pages_of_acts()


def pages_of_acts() -> dict[Path, str]:
    """The pages of the services that have tables of acts, each with its tables between two marks."""
    found: dict[Path, str] = {}
    for service in SERVICES:
        path = ROOT / "docs" / f"{service.name}.md"
        for table in service.acts:
            page = found.get(path) or path.read_text("utf-8")
            begin, end = (f"<!-- acts of {table.aggregate.name}: {word} -->" for word in ("made from the code", "end"))
            before, _, rest = page.partition(begin)
            _, _, after = rest.partition(end)
            found[path] = f"{before}{begin}\n{as_markdown(table)}\n{end}{after}"
    return found


def listeners() -> dict[str, list[str]]:
    """The services that hear an event, by its type."""
    heard: dict[str, list[str]] = {}
    for service in SERVICES:
        waits = [kind for kind in service.waits_for if service.watermark_topics]
        for kind in {*service.hears, *waits}:
            heard.setdefault(kind.type, []).append(service.name)
    return {name: sorted(services) for name, services in heard.items()}


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write() -> None:
    """Write every file, and remove schemas of events that are no more."""
    wanted = files()
    SCHEMAS.mkdir(exist_ok=True)
    for path in set(SCHEMAS.glob("*.json")) - set(wanted):
        path.unlink()
    for path, content in wanted.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)


if __name__ == "__main__":
    write()
