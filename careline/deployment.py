"""What under `deploy/` follows from the list of services: containers, addresses, scrape targets, dashboard rows.

Made by `python -m careline.generated`. In files that are written by hand the parts made stand between two comments.
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chassis.service import Service

BEGIN, END = "# made from the list of services", "# until here"


def files(deploy: Path, services: Sequence[Service]) -> dict[Path, str]:
    """Every file concerned, with its content for these services (the gateway apart)."""
    compose, prometheus = deploy / "compose.yaml", deploy / "prometheus" / "prometheus.yaml"
    alerts, logins = deploy / "prometheus" / "alerts.yaml", deploy / "postgres-logins.sh"
    return {
        compose: with_parts(compose.read_text("utf-8"), addresses, passwords, containers)(services),
        logins: with_parts(logins.read_text("utf-8"), roles)(services),
        prometheus: with_parts(prometheus.read_text("utf-8"), targets)(services),
        alerts: with_parts(alerts.read_text("utf-8"), vanished)(services),
        deploy / "grafana" / "careline.json": json.dumps(dashboard(services), indent=2) + "\n",
    }


Lines = Callable[[Sequence[Service]], list[str]]


def with_parts(text: str, *parts: Lines) -> Callable[[Sequence[Service]], str]:
    """A file with each of its marked parts made anew, in their order. Raises: ValueError when marks are missing."""
    marked = re.compile(rf"(?m)^( *){BEGIN}\n(?:.*\n)*?^ *{END}\n")
    if len(marked.findall(text)) != len(parts):
        raise ValueError(f"{len(parts)} parts belong between '{BEGIN}' and '{END}'")

    def made(services: Sequence[Service]) -> str:
        waiting = iter(parts)

        def part(found: re.Match[str]) -> str:
            indent = found.group(1)
            lines = (BEGIN, *next(waiting)(services), END)
            return "".join(f"{indent}{line}\n" for line in lines)

        return marked.sub(part, text)

    return made


def addresses(services: Sequence[Service]) -> list[str]:
    """Where the gateway finds each service."""
    pairs = ", ".join(f'"{one.name}": "http://serve-{one.name}:8000"' for one in services)
    return ["CARELINE_SERVICE_URLS: >-", f"  {{{pairs}}}"]


def roles(services: Sequence[Service]) -> list[str]:
    """Who gets a login of the database."""
    return [f'services="{" ".join(("gateway", *(one.name for one in services)))}"']


def passwords(services: Sequence[Service]) -> list[str]:
    """What the logins of the database are made with."""
    return [f"{one.name.upper()}_PASSWORD: ${{{one.name.upper()}_PASSWORD:?set it}}" for one in services]


def containers(services: Sequence[Service]) -> list[str]:
    """A container for the requests and one for the work of each service, with its own login and its own keys."""
    return [line for one in services for role in ("serve", "work") for line in _container(one, role)]


def _container(service: Service, role: str) -> list[str]:
    name, port = service.name, ', --port, "8000"' if role == "work" else ""
    password = f"${{{name.upper()}_PASSWORD:?set it}}"
    keys = ["FIELD_KEY", "INTERNAL_PUBLIC_KEY", *(["SEAL_KEY"] if service.signs else [])]
    return [
        f"{role}-{name}:",
        "  <<: *careline",
        f"  command: [{role}, {name}{port}]",
        "  environment:",
        "    <<: *environment",
        f"    CARELINE_DATABASE_URL: postgresql://careline_{{service}}:{password}@postgres/careline",
        *(f"    CARELINE_{key}: ${{CARELINE_{key}:?set it}}" for key in keys),
        *(["  volumes: [evidence:/home/careline/var/evidence]"] if service.keeps_evidence else []),
    ]


def targets(services: Sequence[Service]) -> list[str]:
    """What Prometheus asks for metrics."""
    return [f"- {role}-{one.name}" for one in services for role in ("serve", "work")]


def vanished(services: Sequence[Service]) -> list[str]:
    """The alerts for what runs no more, two a service, the gateway's first: `absent` sees only the series it names."""
    found = []
    for name in ("gateway", *(service.name for service in services)):
        for alert, metric, words, start in (
            ("WorkerGone", "careline_worker_up", f"No worker of {name} runs", f"careline work {name}"),
            ("ServiceGone", "careline_serving", f"Nothing answers for {name}", f"careline serve {name}"),
        ):
            found += [
                f"- alert: {alert}",
                f'  expr: absent({metric}{{service="{name}"}})',
                "  for: 5m",
                "  labels: { severity: page }",
                f'  annotations: {{ summary: "{words}", action: "Start `{start}`; its log says why it ended." }}',
            ]
    return found


PANELS = {
    "Behind, seconds": 'max(careline_lag_seconds{{service="{0}"}})',
    "Requests a second": 'sum(rate(careline_http_seconds_count{{service="{0}"}}[5m]))',
    "p99 of requests, seconds": (
        'histogram_quantile(0.99, sum by (le) (rate(careline_http_seconds_bucket{{service="{0}"}}[5m])))'
    ),
    "Put aside in an hour": 'sum(increase(careline_dead_letters_total{{service="{0}"}}[1h]))',
}


def dashboard(services: Sequence[Service]) -> dict[str, Any]:
    """A Grafana dashboard: a row for each service, with the figures operators look at first."""
    width, height = 24 // len(PANELS), 6
    panels: list[dict[str, Any]] = []
    for row, name in enumerate(("gateway", *(one.name for one in services))):
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
