"""What under `deploy/` follows from the list of services: containers, addresses, scrape targets, dashboard rows.

Made by `python -m careline.generated`. In files that are written by hand the parts made stand between two comments.
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "# made from the list of services", "# until here"


def files(deploy: Path, services: Sequence[str]) -> dict[Path, str]:
    """Every file concerned, with its content for these services (the gateway apart)."""
    compose, prometheus = deploy / "compose.yaml", deploy / "prometheus" / "prometheus.yaml"
    return {
        compose: with_parts(compose.read_text("utf-8"), addresses, containers)(services),
        prometheus: with_parts(prometheus.read_text("utf-8"), targets)(services),
        deploy / "grafana" / "careline.json": json.dumps(dashboard(services), indent=2) + "\n",
    }


Lines = Callable[[Sequence[str]], list[str]]


def with_parts(text: str, *parts: Lines) -> Callable[[Sequence[str]], str]:
    """A file with each of its marked parts made anew, in their order. Raises: ValueError when marks are missing."""
    marked = re.compile(rf"(?m)^( *){BEGIN}\n(?:.*\n)*?^ *{END}\n")
    if len(marked.findall(text)) != len(parts):
        raise ValueError(f"{len(parts)} parts belong between '{BEGIN}' and '{END}'")

    def made(services: Sequence[str]) -> str:
        waiting = iter(parts)

        def part(found: re.Match[str]) -> str:
            indent = found.group(1)
            lines = (BEGIN, *next(waiting)(services), END)
            return "".join(f"{indent}{line}\n" for line in lines)

        return marked.sub(part, text)

    return made


def addresses(services: Sequence[str]) -> list[str]:
    """Where the gateway finds each service."""
    pairs = ", ".join(f'"{name}": "http://serve-{name}:8000"' for name in services)
    return ["CARELINE_SERVICE_URLS: >-", f"  {{{pairs}}}"]


def containers(services: Sequence[str]) -> list[str]:
    """A container for the requests and one for the work of each service."""
    return [
        line
        for name in services
        for line in (
            f"serve-{name}: {{ <<: *careline, command: [serve, {name}] }}",
            f'work-{name}: {{ <<: *careline, command: [work, {name}, --port, "8000"] }}',
        )
    ]


def targets(services: Sequence[str]) -> list[str]:
    """What Prometheus asks for metrics."""
    return [f"- {role}-{name}" for name in services for role in ("serve", "work")]


PANELS = {
    "Behind, seconds": 'max(careline_lag_seconds{{service="{0}"}})',
    "Requests a second": 'sum(rate(careline_http_seconds_count{{service="{0}"}}[5m]))',
    "p99 of requests, seconds": (
        'histogram_quantile(0.99, sum by (le) (rate(careline_http_seconds_bucket{{service="{0}"}}[5m])))'
    ),
    "Put aside in an hour": 'sum(increase(careline_dead_letters_total{{service="{0}"}}[1h]))',
}


def dashboard(services: Sequence[str]) -> dict[str, Any]:
    """A Grafana dashboard: a row for each service, with the figures operators look at first."""
    width, height = 24 // len(PANELS), 6
    panels: list[dict[str, Any]] = []
    for row, name in enumerate(("gateway", *services)):
        top = row * (height + 1)
        panels.append({"type": "row", "title": name, "gridPos": {"x": 0, "y": top, "w": 24, "h": 1}})
        panels += [
            {
                "type": "timeseries",
                "title": title,
                "datasource": {"type": "prometheus", "uid": "${datasource}"},
                "gridPos": {"x": column * width, "y": top + 1, "w": width, "h": height},
                "targets": [{"refId": "A", "expr": query.format(name)}],
            }
            for column, (title, query) in enumerate(PANELS.items())
        ]
    source = {"name": "datasource", "type": "datasource", "query": "prometheus"}
    return {"uid": "careline", "title": "Careline", "schemaVersion": 39, "refresh": "30s", "panels": panels,
            "time": {"from": "now-6h", "to": "now"}, "templating": {"list": [source]}}  # fmt: skip
