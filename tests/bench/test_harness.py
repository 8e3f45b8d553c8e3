"""The benchmark's harness on tiny numbers: every lane runs on real servers and comes to the right sums."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import engine, late, month_end, together
from bench.ground import Ground, ground
from bench.lanes.lane import LaneResult
from bench.made_up import make_folder
from bench.plan import QUICK
from bench.report import KEYS, Report
from bench.services import service_named
from bench.throughput import LANES, Sizes, WrongSums, check, measure, prepare
from bench.trades import Expected, make
from careline.replay.source import read
from tests.conftest import Cluster

TINY = Sizes(message=30, batch=600, ours=3_000, limit=3_000, rounds=1)


async def test_every_lane_comes_to_the_right_sums(
    clusters: Callable[[str], Cluster], kafka_broker: str, tmp_path: Path
) -> None:
    there, lines = Ground(clusters("wheel").server.url, kafka_broker), list[str]()
    report = Report(lines.append)
    try:
        report.throughput(await measure(there, TINY, await prepare(there, TINY), lines.append))
        report.company(together.Company(1, 1, 1, *await together.behind(there, TINY.ours)))
    finally:
        await there.clear()
    report.write(tmp_path / "found.json")
    assert set(KEYS) <= set(report.figures)
    assert float(report.figures["vs_limit"] or 0) > 0
    assert float(report.figures["all_cpu_us"] or 0) > float(report.figures["client_us_per_event"] or 0)
    assert sum(line.startswith("  round 1") for line in lines) == len(LANES)


async def test_months_late_facts_and_the_engine_are_measured_on_servers_of_its_own() -> None:
    lines = list[str]()
    report = Report(lines.append)
    with ground() as own:
        try:
            await own.make_template("template", [service_named("classification")])
            report.month_ends(await month_end.measure(own, [1_000]))
            report.late(await late.measure(own, 400, 50))
            report.engine(await engine.measure(own, 1_000))
        finally:
            await own.clear()
    assert " 1,000 clients" in lines[0]
    for name in ("month_end_1k_s", "late_ratio", "statement_p99_ms", "verify_again_s", "publish_wait_dump_s"):
        assert float(report.figures[name] or 0) > 0, name


def test_a_lane_that_loses_or_doubles_an_event_is_refused() -> None:
    expected = Expected.of(list(make(10)))
    right = LaneResult(10, 1, 1, 1, expected.entries, expected.points, expected.points, expected.entries)
    check("ours", right, expected)
    right.balance_points += 1
    with pytest.raises(WrongSums):
        check("ours", right, expected)


def test_the_trades_are_the_same_each_time() -> None:
    assert list(make(50)) == list(make(60))[:50]


def test_a_made_up_folder_can_be_replayed(tmp_path: Path) -> None:
    data = read(make_folder(tmp_path / "data", customers=20, trades=100), None, "CNY")
    assert len([fact for fact in data.facts if fact.local_id.count("MADE-")]) == 100


def test_the_quick_plan_reads_prefixes_of_one_series() -> None:
    assert QUICK.lanes.message < QUICK.lanes.batch < QUICK.lanes.ours


def test_careline_bench_is_the_same_command() -> None:
    said = [
        subprocess.run([*command, "--only", "nothing"], capture_output=True, text=True, timeout=60, check=False)
        for command in ((sys.executable, "-m", "bench"), (Path(sys.executable).with_name("careline"), "bench"))
    ]
    assert [one.returncode for one in said] == [2, 2]
    assert said[0].stderr.replace("python -m bench", "careline bench") == said[1].stderr
    assert "there is no section 'nothing'" in said[1].stderr
