"""What can be checked of deploy/ without a container engine: names, commands, settings and metrics that exist."""

import json
import re
from pathlib import Path
from typing import Any

import prometheus_client
import yaml

import careline.services
import chassis.http  # noqa: F401 - registers the HTTP metrics
from chassis.settings import Settings
from gateway.settings import GatewaySettings

DEPLOY = Path(__file__).parents[2] / "deploy"
SERVICES = {service.name for service in careline.services.SERVICES}


def read(name: str) -> Any:
    return yaml.safe_load((DEPLOY / name).read_text("utf-8"))


def test_every_metric_in_the_alerts_and_the_dashboard_exists() -> None:
    known = set()
    for metric in prometheus_client.REGISTRY.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(metric.type, [""])
        known |= {metric.name + suffix for suffix in suffixes}
    named = set()
    for group in read("prometheus/alerts.yaml")["groups"]:
        for rule in group["rules"]:
            named |= set(re.findall(r"careline_[a-z_]+", rule["expr"]))
            assert rule["annotations"]["summary"]
            assert rule["labels"]["severity"] in ("page", "ticket")
    assert named
    shown = json.loads((DEPLOY / "grafana" / "careline.json").read_text("utf-8"))["panels"]
    named |= {
        name
        for panel in shown
        for one in panel.get("targets", ())
        for name in re.findall(r"careline_[a-z_]+", one["expr"])
    }
    assert named - known == set()
    assert [panel["title"] for panel in shown if panel["type"] == "row"] == [s.name for s in careline.services.SERVICES]


def test_the_compose_file_runs_every_service_by_commands_that_exist() -> None:
    services = read("compose.yaml")["services"]
    ran = {
        " ".join(map(str, one["command"][:2]))
        for name, one in services.items()
        if name.split("-")[0] in ("serve", "work", "gateway")
    }
    assert {f"{role} {name}" for name in SERVICES for role in ("serve", "work")} == ran


def test_every_setting_in_the_compose_file_exists() -> None:
    fields = {f"CARELINE_{name.upper()}" for model in (Settings, GatewaySettings) for name in model.model_fields}
    environment = read("compose.yaml")["x-careline"]["environment"]
    assert set(environment) <= fields
    urls = Settings.model_validate({"service_urls": yaml.safe_load(environment["CARELINE_SERVICE_URLS"])}).service_urls
    assert set(urls) == SERVICES - {"gateway"}


def test_prometheus_scrapes_every_container_of_ours() -> None:
    scraped = set(read("prometheus/prometheus.yaml")["scrape_configs"][0]["dns_sd_configs"][0]["names"])
    ours = {name for name in read("compose.yaml")["services"] if name.split("-")[0] in ("serve", "work", "gateway")}
    assert scraped == ours


def test_the_image_is_not_root_and_holds_every_package() -> None:
    said = (DEPLOY / "Dockerfile").read_text("utf-8")
    assert re.search(r"^USER (?!root)\w+", said, re.M)
    for package in ("contracts", "chassis", "services", "gateway", "careline", "bench"):
        assert f"COPY {package} {package}" in said
    assert "--require-hashes" in said
