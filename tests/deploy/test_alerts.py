"""Alerts: every name exists on a running platform, and each fires when it must and is silent when not."""

import json
import os
import re
import shutil
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

import careline.services
from chassis.clock import end_of
from chassis.operations import gauges
from chassis.telemetry import CLOSED_THROUGH, DEAD_LETTERS, STATE_READ_AT
from tests.world import World

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yaml"
NAME = re.compile(r"\bcareline_[a-z_]+[a-z]\b(?!_)")
SERVICES = [service.name for service in careline.services.SERVICES]
UP = 'up{job="careline", instance="a:8000"}'


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((ROOT / "deploy" / "grafana" / "careline.json").read_text("utf-8"))[
        "panels"
    ]
    return found


def named_metrics() -> dict[str, set[str]]:
    """Metrics by the place that names them."""
    operations = (ROOT / "docs" / "operations.md").read_text("utf-8")
    metrics = operations[operations.index("## Metrics") :]
    return {
        "alerts": {name for rule in rules() for name in NAME.findall(rule["expr"])},
        "dashboard": {n for panel in panels() for one in panel.get("targets", ()) for n in NAME.findall(one["expr"])},
        "docs": set(NAME.findall(metrics[: metrics.index("\n## ", 5)])),
    }


async def test_a_running_platform_shows_every_metric_that_is_named(world: World) -> None:
    for service in world.platform.services:
        gauges.start_at_zero(service)
        await gauges.read(service, world.database(service.name), world.settings)
    text = (await world.client("gateway").get("/metrics")).text
    shown = set()
    for family in text_string_to_metric_families(text):
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum", ""]}.get(family.type, [""])
        shown |= {family.name + suffix for suffix in suffixes}
    for place, names in named_metrics().items():
        assert names, place
        assert names - shown == set(), place
    for name in SERVICES:
        assert DEAD_LETTERS.labels(name)._value.get() is not None
        for open_state in (
            "dead_letters_open",
            "conflicts_open",
            "deadlines_failed_open",
            "calendar_days_left",
            "unsealed_rows",
        ):
            assert f'careline_{open_state}{{service="{name}"}}' in text


async def test_a_process_that_closed_nothing_tells_the_last_closed_day(world: World) -> None:
    [points] = [service for service in world.platform.services if service.name == "points"]
    async with world.database("points").unit_of_work() as uow:
        await uow.sql.execute("UPDATE closed_days SET first = $1, through = $1", date(2024, 5, 6))
        await uow.sql.execute(
            """INSERT INTO dead_letters (at, topic, partition, "offset", value, reason) VALUES (now(), 't', 0, 1, '', 'x')"""
        )
    CLOSED_THROUGH.labels("points").set(0)
    await gauges.read(points, world.database("points"), world.settings)
    text = (await world.client("gateway").get("/metrics")).text
    assert CLOSED_THROUGH.labels("points")._value.get() == end_of(date(2024, 5, 6)).timestamp()
    assert 'careline_dead_letters_open{service="points"} 1.0' in text
    age = datetime.now(UTC) - datetime.fromtimestamp(STATE_READ_AT.labels("points")._value.get(), UTC)
    assert abs(age) < timedelta(minutes=5)


def test_each_alert_says_what_happened_and_what_to_do() -> None:
    for rule in rules():
        assert rule["annotations"]["summary"], rule["alert"]
        assert rule["annotations"]["action"], rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket"), rule["alert"]
    runbook = (ROOT / "docs" / "operations.md").read_text("utf-8")
    assert {rule["alert"] for rule in rules()} - set(re.findall(r"^\| `(\w+)` \|", runbook, re.M)) == set()


def test_services_that_vanish_are_missed_one_by_one() -> None:
    for alert, metric in (("WorkerGone", "careline_worker_up"), ("ServiceGone", "careline_serving")):
        missed = [rule["expr"] for rule in rules() if rule["alert"] == alert]
        assert missed == [f'absent({metric}{{service="{name}"}})' for name in SERVICES]


def test_the_dashboard_has_a_row_for_every_service() -> None:
    assert [panel["title"] for panel in panels() if panel["type"] == "row"] == SERVICES


def healthy(**other: str) -> dict[str, str]:
    """Two processes of every service for three hours, as Prometheus sees them; `other` replaces series of points."""
    series = {UP: "1x180"}
    for name in SERVICES:
        for instance in "ab":
            labels = f'{{service="{name}", instance="{instance}"}}'
            series |= {
                f"careline_worker_up{labels}": "1x180",
                f"careline_serving{labels}": "1x180",
                f"careline_state_read_seconds{labels}": "0+60x180",
                f"careline_dead_letters_open{labels}": "0x180",
                f"careline_conflicts_open{labels}": "0x180",
                f"careline_deadlines_failed_open{labels}": "0x180",
                f"careline_deadlines_overdue_seconds{labels}": "0x180",
                f"careline_lag_seconds{labels}": "0x180",
                f"careline_calendar_days_left{labels}": "300x180",
                f"careline_sealing_stopped{labels}": "0x180",
                f"careline_disk_free_ratio{labels}": "0.4x180",
                f"careline_unsealed_rows{labels}": "0x180",
                f"careline_sealed_at_seconds{labels}": "0+60x180",
                f"careline_closed_through_seconds{labels}": "0+60x180",
            }
    for name, values in other.items():
        metric, _, instances = name.rpartition("_on_")
        for instance in instances:
            key = f'{metric}{{service="points", instance="{instance}"}}'
            assert key in series, key
            series[key] = values
    return series


FIRES = {
    "WorkerStandsStill": {"careline_worker_up_on_a": "0x180"},
    "HistoryAltered": {"careline_sealing_stopped_on_b": "1x180"},
    "LagGrowsOld": {"careline_lag_seconds_on_a": "301x180"},
    "DeadLetters": {"careline_dead_letters_open_on_ab": "1x180"},
    "FactsInConflict": {"careline_conflicts_open_on_ab": "1x180"},
    "DayNotClosed": {"careline_closed_through_seconds_on_ab": "-150000x180"},
    "DeadlinesLate": {"careline_deadlines_overdue_seconds_on_a": "61x180"},
    "DeadlinesFailed": {"careline_deadlines_failed_open_on_b": "1x180"},
    "CalendarEnds": {"careline_calendar_days_left_on_ab": "59x180"},
    "SealsBehind": {"careline_unsealed_rows_on_ab": "5x180", "careline_sealed_at_seconds_on_ab": "0x180"},
    "DiskFillsUp": {"careline_disk_free_ratio_on_b": "0.09x180"},
    "StateNotRead": {"careline_state_read_seconds_on_ab": "0x180"},
    "WorkerGone": {"careline_worker_up_on_ab": "1x100 _x80"},
    "ServiceGone": {"careline_serving_on_ab": "1x100 _x80"},
}
SILENT = {
    "another process closed": {"careline_closed_through_seconds_on_a": "-150000x180"},
    "a restart": {"careline_closed_through_seconds_on_a": "0+60x100 _x5 6300+60x75"},
    "another process read": {"careline_state_read_seconds_on_a": "0x180"},
    "one of two workers gone": {"careline_worker_up_on_a": "1x100 _x80"},
    "rows written since the last seal": {"careline_unsealed_rows_on_ab": "5x180"},
}
AT = "170m"


def scenario(name: str, series: dict[str, str], firing: str | None) -> dict[str, Any]:
    """All alerts at one moment: the one that must fire does, for points, and no other."""
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": AT,
                "exp_samples": [{"labels": f'{{alertname="{firing}"}}', "value": 1}] if firing else [],
            }
        ],
    }


def test_alerts_fire_when_they_must_and_no_others(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        assert "CI" not in os.environ, "promtool is needed: Debian's package prometheus"
        pytest.skip("promtool is not installed: Debian's package prometheus")
    tests = [scenario("healthy", healthy(), None)]
    tests += [scenario(alert, healthy(**series), alert) for alert, series in FIRES.items()]
    tests += [scenario(name, healthy(**series), None) for name, series in SILENT.items()]
    down = healthy() | {UP: "0x180"}
    tests.append(scenario("TargetDown", down, "TargetDown"))
    tokens = healthy() | {"careline_internal_tokens_expired_total": "0x167 1x20"}
    tests.append(scenario("ClocksDiffer", tokens, "ClocksDiffer"))
    answers = {
        f'careline_http_seconds_count{{service="points", status="{s}"}}': f"0+{n}x180" for s, n in ((200, 9), (500, 1))
    }
    tests.append(scenario("Failing", healthy() | answers, "Failing"))
    slow = {
        f'careline_http_seconds_bucket{{service="points", le="{le}"}}': f"0+{n}x180"
        for le, n in (("1", 0), ("5", 9), ("+Inf", 9))
    }
    tests.append(scenario("SlowAnswers", healthy() | slow, "SlowAnswers"))
    fired = {*FIRES, "TargetDown", "ClocksDiffer", "Failing", "SlowAnswers"}
    assert fired == {rule["alert"] for rule in rules()}, "an alert without a scenario"
    (tmp_path / "tests.yaml").write_text(
        json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}), "utf-8"
    )
    done = subprocess.run(
        [promtool, "test", "rules", str(tmp_path / "tests.yaml")], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
