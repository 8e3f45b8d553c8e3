"""One run: sections in order on one ground, each bounded in time; one that fails does not end the others."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

from bench import (
    checks,
    deadlines,
    engine,
    grouping,
    hop,
    late,
    memory,
    month_end,
    replayed,
    retiering,
    throughput,
    together,
    visible,
)
from bench.ground import Ground
from bench.plan import Plan
from bench.report import Report

ON_STACK = (
    "lanes",
    "together",
    "visible",
    "gateway",
    "retiering",
    "groups",
    "month_ends",
    "late",
    "engine",
    "deadlines",
    "suitability",
)
SECTIONS = (*ON_STACK, "replay", "memory")
SECTION_SECONDS = 1_800
T = TypeVar("T")


async def _section(
    report: Report, chosen: Collection[str], name: str, heading: str, work: Callable[[], Awaitable[T]],
    tell: Callable[[T], None],
) -> None:  # fmt: skip
    if name not in chosen:
        return
    report.heading(heading)
    began = time.monotonic()
    try:
        tell(await asyncio.wait_for(work(), SECTION_SECONDS))
    except Exception as error:  # told, and the run ends with code 1; the other sections still measure
        report.failed(name, error)
    report.say(f"  ({time.monotonic() - began:.0f} s)")


async def on_stack(ground: Ground, plan: Plan, report: Report, chosen: Collection[str]) -> None:
    """The sections that need PostgreSQL and Kafka."""

    async def section(name: str, heading: str, work: Callable[[], Awaitable[Any]], tell: Callable[[Any], None]) -> None:
        await _section(report, chosen, name, heading, work, tell)

    try:
        expected = await throughput.prepare(ground, plan.lanes)
        await section(
            "lanes", "From Kafka to commit, interleaved; slow lanes read a prefix of the same trades",
            lambda: throughput.measure(ground, plan.lanes, expected, report.say), report.throughput,
        )  # fmt: skip
        await section(
            "together", "The points service with company",
            lambda: together.measure(ground, plan.lanes.ours), report.company,
        )  # fmt: skip
        await section(
            "visible", "From publishing to visible over REST, separate processes on Kafka",
            lambda: visible.measure(ground, plan.visible_rates, plan.visible_seconds), report.visible,
        )  # fmt: skip
        await section(
            "gateway", "The gateway's hop", lambda: hop.measure(ground, plan.hop_seconds, plan.hop_rounds), report.hop
        )
        await section(
            "retiering", "A month end for many clients against one statement by hand",
            lambda: retiering.measure(ground, plan.retiered_clients, plan.retiering_rounds), report.retiering,
        )  # fmt: skip
        await section(
            "groups", "Groups of many clients against one statement by hand",
            lambda: grouping.measure(ground, plan.retiered_clients, plan.retiering_rounds), report.grouping,
        )  # fmt: skip
        await section(
            "month_ends", "A month's close with its history and every event told",
            lambda: month_end.measure(ground, plan.month_ends), report.month_ends,
        )  # fmt: skip
        await section(
            "late", "Late facts of many clients over closed months, against those of few alone",
            lambda: late.measure(ground, plan.late_clients, 1_000), report.late,
        )  # fmt: skip
        await section(
            "engine", "A long history read, verified again, and published beside a backup",
            lambda: engine.measure(ground, plan.history_entries), report.engine,
        )  # fmt: skip
        await section(
            "deadlines", "Many deadlines due within one second",
            lambda: deadlines.measure(ground, plan.deadlines), report.deadlines,
        )  # fmt: skip
        await section(
            "suitability", "Suitability checks at 500 requests a second, through the gateway",
            lambda: checks.measure(ground, plan.visible_seconds), report.checks,
        )  # fmt: skip
    finally:
        await ground.clear()


async def embedded(plan: Plan, report: Report, data: Path, chosen: Collection[str]) -> None:
    """The sections of the embedded form, each in a home of its own."""
    with tempfile.TemporaryDirectory(prefix="careline-bench-") as folder:
        home = Path(folder)
        await _section(
            report, chosen, "replay", "Embedded: a whole replay", lambda: replayed.measure(data, home), report.replayed
        )
        await _section(
            report, chosen, "memory", "Embedded: memory (PSS) with its database",
            lambda: memory.measure(home / "memory", plan.burst_events), report.memory,
        )  # fmt: skip
