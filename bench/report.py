"""What a run found, as lines for people and as JSON."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.checks import Checks
from bench.deadlines import Drained
from bench.engine import Engine
from bench.grouping import Grouping
from bench.hop import Hop
from bench.late import Late
from bench.memory import Memory
from bench.month_end import MonthEnd
from bench.replayed import Replayed
from bench.retiering import Retiering
from bench.throughput import LANES, Throughput
from bench.together import Company
from bench.visible import Visible

KEYS = (
    "events_per_second", "vs_message", "vs_batch", "vs_limit", "replay_events_per_second", "visible_p99_ms",
    "gateway_vs_httpx", "all_cpu_us", "month_end_100k_s", "month_end_1m_s", "month_end_peak_mb", "late_ratio", "statement_p99_ms",
    "verify_again_s", "publish_wait_dump_s",
)  # fmt: skip
"""Always in the JSON; null where the section was not run or failed."""


@dataclass(slots=True)
class Report:
    """Figures by name, and where lines go."""

    say: Callable[[str], None]
    figures: dict[str, float | int | str | None] = field(default_factory=lambda: dict.fromkeys(KEYS))
    failures: list[str] = field(default_factory=list)

    def heading(self, words: str) -> None:
        """A section begins."""
        self.say(f"\n== {words}")

    def failed(self, section: str, error: BaseException) -> None:
        """A section did not come to its end; the others go on."""
        self.failures.append(section)
        self.say(f"  FAILED: {type(error).__name__}: {error}")

    def throughput(self, found: Throughput) -> None:
        """The lanes' table."""
        self.say(f"  {'median':10}{'events/s':>12}{'client us':>12}{'database us':>12}{'ours is':>10}")
        for lane in LANES:
            times = "" if lane == "ours" else f"{found.against(lane):.2f}x"
            self.say(
                f"  {lane:10}{found.rate(lane):>12,.0f}{found.client_us(lane):>12.1f}{found.database_us(lane):>12.1f}"
                f"{times:>10}"
            )
            self.figures |= {
                f"{lane}_events_per_second": round(found.rate(lane), 1),
                f"{lane}_client_us": round(found.client_us(lane), 2),
                f"{lane}_database_us": round(found.database_us(lane), 2),
            }
        first = found.outcomes["ours"][0]
        self.say(
            f"  sums checked in every run: ledger = balances = expected; ours {first.entries:,} entries,"
            f" {first.ledger_points:,} hundredths of a point, {first.told:,} events told"
        )
        self.figures |= {
            "events_per_second": round(found.rate("ours"), 1),
            "client_us_per_event": round(found.client_us("ours"), 2),
            "vs_message": round(found.against("message"), 2),
            "vs_batch": round(found.against("batch"), 2),
            "vs_limit": round(found.against("limit"), 3),
        }

    def company(self, found: Company) -> None:
        """Workers, classification, relay."""
        relay = found.relay
        drained = relay.events / relay.seconds
        self.say(
            f"  one worker {found.one_worker:,.0f}/s, two {found.two_workers:,.0f}/s"
            f" ({found.two_workers / found.one_worker:.2f}x);"
            f" points and classification side by side {found.with_classification:,.0f}/s each"
        )
        self.say(f"  relay drains {drained:,.0f}/s, client {relay.client_cpu / relay.events * 1e6:.1f} us an event")
        ours = [self.figures.get(name) for name in ("client_us_per_event", "ours_database_us")]
        if all(isinstance(one, float) for one in ours):
            self.figures["all_cpu_us"] = round(sum(float(one or 0) for one in ours) + found.behind_us, 2)
            self.say(f"  all CPU a trade, both sides, with relay and sealing: {self.figures['all_cpu_us']} us")
        self.figures |= {
            "relay_and_seal_us": round(found.behind_us, 2),
            "one_worker_events_per_second": round(found.one_worker, 1),
            "two_workers_events_per_second": round(found.two_workers, 1),
            "with_classification_events_per_second": round(found.with_classification, 1),
            "relay_events_per_second": round(drained, 1),
        }

    def visible(self, found: list[Visible]) -> None:
        """Percentiles at each pace; the last one's p99 is the one aimed at."""
        for one in found:
            self.say(
                f"  at {one.rate:,}/s: p50 {one.p50_ms:.1f} ms, p95 {one.p95_ms:.1f} ms, p99 {one.p99_ms:.1f} ms"
                f" ({one.probes} probes)"
            )
            self.figures[f"visible_p99_ms_at_{one.rate}"] = round(one.p99_ms, 2)
        self.figures["visible_p99_ms"] = round(found[-1].p99_ms, 2)

    def hop(self, found: Hop) -> None:
        """The gateway's hop."""
        self.say(
            f"  16 connections: our gateway {found.ours:,.0f}/s (p99 {found.ours_p99_ms:.1f} ms), default httpx"
            f" {found.httpx:,.0f}/s (p99 {found.httpx_p99_ms:.1f} ms): {found.ratio:.2f}x;"
            f" the service itself {found.direct:,.0f}/s"
        )
        self.figures |= {
            "gateway_vs_httpx": round(found.ratio, 2),
            "gateway_requests_per_second": round(found.ours, 1),
            "httpx_requests_per_second": round(found.httpx, 1),
            "service_requests_per_second": round(found.direct, 1),
        }

    def replayed(self, found: Replayed) -> None:
        """The replay."""
        self.say(f"  {found.data}: {found.facts:,} facts in {found.seconds:.1f} s: {found.per_second:,.0f}/s")
        self.figures["replay_events_per_second"] = round(found.per_second, 1)

    def memory(self, found: Memory) -> None:
        """The embedded platform with its database."""
        self.say(
            f"  idle {found.idle_mb:.0f} MB, at most {found.burst_mb:.0f} MB in a burst of {found.events:,} trades"
            f" (points and classification worked it off at {found.per_second:,.0f}/s)"
        )
        self.figures |= {
            "memory_idle_mb": round(found.idle_mb, 1),
            "memory_burst_mb": round(found.burst_mb, 1),
            "embedded_burst_events_per_second": round(found.per_second, 1),
        }

    def retiering(self, found: Retiering) -> None:
        """A month end."""
        self.say(
            f"  {found.clients:,} clients, {found.moved:,} found changed: {found.evaluated:.2f} s; with history and events"
            f" {found.recorded:.2f} s; by hand {found.by_hand:.2f} s:"
            f" {found.ratio:.2f}x and {found.ratio_recorded:.2f}x its time"
        )
        self.figures |= {
            "retiering_vs_hand": round(found.ratio, 2),
            "retiering_recorded_vs_hand": round(found.ratio_recorded, 2),
        }

    def deadlines(self, found: Drained) -> None:
        """Deadlines due within one second."""
        self.say(
            f"  {found.count:,} deadlines due within one second: all fired after {found.seconds:.1f} s; REST p99"
            f" {found.quiet_p99_ms:.1f} ms before, {found.busy_p99_ms:.1f} ms meanwhile: {found.slower:.1f}x"
        )
        self.figures |= {"deadlines_seconds": round(found.seconds, 2), "deadlines_rest_p99": round(found.slower, 2)}

    def grouping(self, found: Grouping) -> None:
        """One evaluation of groups."""
        self.say(
            f"  {found.clients:,} clients, {found.changed:,} changed: {found.ours:.2f} s, by hand {found.by_hand:.2f} s:"
            f" {found.ratio:.2f}x its time"
        )
        self.figures["groups_vs_hand"] = round(found.ratio, 2)

    def month_ends(self, found: list[MonthEnd]) -> None:
        """A close of each size; the memory is that of the largest."""
        for one in found:
            self.say(
                f"  {one.clients:,} clients: {one.seconds:.1f} s until all is committed, {one.told:,} events told,"
                f" at most {one.peak_mb:.0f} MB of ours"
            )
            size = "1m" if one.clients == 1_000_000 else f"{one.clients // 1000}k"
            self.figures |= {f"month_end_{size}_s": round(one.seconds, 1), "month_end_peak_mb": round(one.peak_mb)}

    def late(self, found: Late) -> None:
        """Late facts of many clients against those of few."""
        self.say(
            f"  {found.clients // 4:,} of {found.clients:,} clients over eight closed months: {found.together_ms:.2f} ms each;"
            f" {found.alone:,} alone {found.alone_ms:.2f} ms: {found.ratio:.2f}x"
        )
        self.figures["late_ratio"] = round(found.ratio, 2)

    def engine(self, found: Engine) -> None:
        """Reads of a long history, verifying again, publishing beside a backup."""
        self.say(
            f"  a client with {found.entries:,} entries: statement, ends, holds and balance p99 {found.statement_p99_ms:.1f} ms;"
            f" verify {found.verify_s:.2f} s, again {found.verify_again_s:.2f} s; {found.published:,} published while pg_dump ran"
            f" ({found.dump_s:.1f} s), the slowest {found.publish_wait_dump_s:.2f} s"
        )
        self.figures |= {
            "statement_p99_ms": round(found.statement_p99_ms, 1),
            "verify_again_s": round(found.verify_again_s, 3),
            "publish_wait_dump_s": round(found.publish_wait_dump_s, 3),
        }

    def checks(self, found: Checks) -> None:
        """Decisions over REST."""
        told = ", ".join(f"{outcome} {count:,}" for outcome, count in sorted(found.outcomes.items()))
        self.say(f"  {found.asked:,} decisions: p50 {found.p50_ms:.1f} ms, p99 {found.p99_ms:.1f} ms ({told})")
        self.figures["suitability_p99_ms"] = round(found.p99_ms, 2)

    def write(self, path: Path) -> None:
        """Everything as JSON."""
        path.write_text(json.dumps(self.figures, indent=2) + "\n")
