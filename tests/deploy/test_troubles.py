"""Troubles of a running platform, each brought about as it comes about, and what Prometheus makes of its metrics: the right
alert fires, and no other.

What two readings of one minute show is taken to go on: counters count as they did between them, moments that moved move on, the
rest stands. The rules that are shipped are judged on that by promtool.
"""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack, asynccontextmanager, suppress
from datetime import date, timedelta
from pathlib import Path
from time import time
from typing import Any

import asyncpg
import httpx
import pytest
import structlog.testing
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from careline.asgi import platform_app
from careline.platform import Platform
from careline.server import metrics_at
from chassis.actor import Actor, Role
from chassis.calendar import shipped
from chassis.calendar.table import ALWAYS_CLOSED
from chassis.clock import business_date, end_of, utc_now
from chassis.database import connect
from chassis.http import mint
from chassis.http.identity import HEADER, INTERNAL, Tokens
from chassis.operations import conflicts, dead_letters, gauges
from chassis.operations.lag import lags
from chassis.servers.ports import free_port
from chassis.timeline import Timeline, announce
from contracts.broker import BrokerDayClosed, TradeSettled
from tests.classification.facts import opened, trade
from tests.deploy.test_alerts import NAME, RULES, UP, healthy, rules
from tests.world import OPERATOR, World

HOURS = 170
"""In minutes: how long a trouble goes on, unless its alert comes sooner and brings others later."""
MOMENTS = ("_seconds",)
SERVICES = ("gateway", "classification", "points")
HQ = Actor("hq", Role.HQ, purpose="test")
Series = dict[str, float]
Trouble = Callable[["Running"], AbstractAsyncContextManager[None]]


class Running:
    """A running platform, what its operators would see of it, and hands to harm it."""

    def __init__(self, world: World, platform: Platform, admin: asyncpg.Connection, port: int) -> None:
        self.world = world
        self.platform = platform
        self.admin = admin
        self.port = port
        self.named = {name for rule in rules() for name in NAME.findall(rule["expr"])}
        self.counted: Series = {}
        self.today = business_date(utc_now())
        self.scraped = ExitStack()

    async def until(self, come: Callable[[], Awaitable[Any]]) -> None:
        """Wait for the platform's own loops."""
        async with asyncio.timeout(120):
            while not await come():
                await self.platform.wake.wait(self.platform.wake.count, 0.1)

    async def applied(self) -> bool:
        found = await lags(self.platform.services, self.platform.databases, self.platform.settings)
        return not any(one.records for one in found)

    async def asked(self, times: int = 1, **headers: str) -> list[int]:
        """Points asked about the client so many times."""
        headers = headers or {HEADER: mint(HQ, self.platform.settings)}
        async with self.world.client("points", HQ) as http:
            answers = [await http.get("/v1/points/clients/c-1", headers=headers) for _ in range(times)]
        return [answer.status_code for answer in answers]

    async def read(self) -> None:
        """What every process does again and again: seal, and read the state."""
        for service in self.platform.services:
            while await self.platform.workers[service.name].sealer.step():
                pass
            with suppress(asyncpg.LockNotAvailableError):  # the trouble of one of them
                await gauges.read(service, self.platform.databases[service.name], self.platform.settings)

    async def _scrape(self) -> tuple[Series, Series]:
        """Gauges, and all that counts."""
        async with httpx.AsyncClient() as http:
            text = (await http.get(f"http://127.0.0.1:{self.port}/metrics")).text
        held, counted = dict[str, float](), dict[str, float]()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name in self.named and sample.labels.get("service", "gateway") in SERVICES:
                    labels = ", ".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
                    (held if family.type == "gauge" else counted)[f"{sample.name}{{{labels}}}"] = sample.value
        return held, counted

    async def observed(self) -> dict[str, str]:
        """The series as they would be if what there is to see went on; services that do not run here are well."""
        elsewhere = {
            series: values
            for series, values in healthy().items()
            if not any(f'service="{name}"' in series for name in SERVICES)
        }
        try:
            await self.read()
            before, _ = await self._scrape()
            await self.read()
            after, counted = await self._scrape()
        except httpx.ConnectError:
            return elsewhere | {UP: f"0x{HOURS}"}
        now, found = time(), elsewhere
        for series, value in after.items():
            name = series.partition("{")[0]
            moves = 60 if name.endswith(MOMENTS) and value > before.get(series, value) else 0
            start = value - now if value > 1e9 else value  # promtool's time begins at nought
            found[series] = f"{start:.3f}+{moves}x{HOURS}"
        for series, value in counted.items():
            found[series] = f"0+{value - self.counted.get(series, 0.0):.0f}x{HOURS}"
        self.counted = counted
        return found


@pytest.fixture
async def running(world: World) -> AsyncIterator[Running]:
    """The platform with all its loops, in a real home that closed yesterday, with a calendar for the coming year."""
    for collector in set(REGISTRY._names_to_collectors.values()):
        if getattr(collector, "_labelnames", ()):
            collector.clear()  # type: ignore[attr-defined]  # what other tests of this process left
    async with AsyncExitStack() as stack:
        platform = await stack.enter_async_context(Platform(world.settings, world.platform.services))
        platform_app(platform)
        admin = await connect(world.settings.database_url or "")
        stack.push_async_callback(admin.close)
        at = Running(world, platform, admin, free_port())
        scraped = world.settings.model_copy(update={"metrics_port": at.port})
        at.scraped.enter_context(metrics_at(scraped))
        stack.callback(at.scraped.close)
        async with world.database("gateway").unit_of_work() as uow:
            announce(uow, Timeline.REAL, utc_now() - timedelta(days=1))
        for service in platform.services:
            await publish_calendar(admin, service.name, 1, date(at.today.year + 1, 12, 31))
        await world.publish(opened(on=at.today), trade("t-1", at.today, "10.00"), at=utc_now())
        await at.until(at.applied)
        yield at


async def publish_calendar(admin: asyncpg.Connection, service: str, number: int, last: date) -> None:
    """A version of the calendar that ends on a day."""
    known = [row for row in shipped().rows if row.first <= last]
    rows = [row.as_mapping() | {"last": min(row.last, last).isoformat()} for row in known]
    for year in range(max(row.last for row in known).year + 1, last.year + 1):
        rows.append({"first": f"{year}-01-01", "last": f"{year}-12-31", "kind": "notice", "source": "test"})
        closed = [date(year, month, day).isoformat() for month, day in ALWAYS_CLOSED]
        rows += [{"first": day, "last": day, "kind": "holiday", "source": "test"} for day in closed]
    await admin.execute(
        f"""INSERT INTO {service}.calendars (number, rows, hours, published_at, published_by, checked_by)
            VALUES ($1, $2, '[]', now(), 'one', 'other')""",
        number, rows,
    )  # fmt: skip


async def close_day(at: Running, day: date) -> None:
    await at.world.publish(BrokerDayClosed(business_date=day), at=end_of(day))

    async def closed() -> bool:
        return await at.admin.fetchval("SELECT through FROM points.closed_days") == day

    await at.until(closed)


@asynccontextmanager
async def days_stay_open(at: Running) -> AsyncIterator[None]:
    """The broker's systems say no more that a day is over."""
    await close_day(at, at.today - timedelta(days=4))
    yield
    await close_day(at, at.today - timedelta(days=1))


@asynccontextmanager
async def a_broken_record(at: Running) -> AsyncIterator[None]:
    """A system sends what is no JSON."""
    await at.world.publish_raw(trade("x", at.today, "1").topic, "c-1", TradeSettled.type, b"{broken")
    databases = [at.platform.databases[name] for name in ("classification", "points")]

    async def aside() -> bool:
        return all([await dead_letters.open_ids(database) for database in databases])

    await at.until(aside)
    yield
    for database in databases:
        await dead_letters.skip(database, OPERATOR, await dead_letters.open_ids(database), "a test")


@asynccontextmanager
async def another_content(at: Running) -> AsyncIterator[None]:
    """A known trade comes again with another commission."""
    await at.world.publish(trade("t-1", at.today, "11.00"), at=utc_now())
    await at.until(at.applied)
    yield
    for service in at.platform.services:
        for found in await conflicts.listed(at.platform.databases[service.name]):
            database = at.platform.databases[service.name]
            await conflicts.decide(service, database, OPERATOR, found["id"], "rejected", "a test")


@asynccontextmanager
async def held(at: Running, statement: str) -> AsyncIterator[None]:
    """Somebody's transaction is left open over something."""
    theirs = await connect(at.world.settings.database_url or "")
    try:
        await theirs.execute(f"BEGIN; {statement}")
        yield
    finally:
        await theirs.close()


async def arm(at: Running, object_: str, due: str) -> None:
    await at.admin.execute(
        """INSERT INTO points.deadlines (object, kind, step, key, due, payload, armed_at)
           VALUES ($1, 'redemption-unanswered', '', 'c-1', clock_timestamp() + $2::text::interval, '{}', clock_timestamp())""",
        object_, due,
    )  # fmt: skip
    at.platform.wake.notice("deadlines:points")


@asynccontextmanager
async def a_deadline_is_held(at: Running) -> AsyncIterator[None]:
    """A transaction that somebody forgot keeps the schedulers from what is due."""
    await arm(at, "redemption/00000000-0000-0000-0000-000000000001", "1 h")
    async with held(at, "SELECT FROM points.deadlines FOR KEY SHARE"):
        await at.admin.execute("UPDATE points.deadlines SET due = clock_timestamp() - interval '2 min'")
        yield
    at.platform.wake.notice("deadlines:points")

    async def fired() -> bool:
        return not await at.admin.fetchval("SELECT count(*) FROM points.deadlines")

    await at.until(fired)


@asynccontextmanager
async def a_deadline_fails(at: Running) -> AsyncIterator[None]:
    """Its handler cannot do anything with it."""
    await arm(at, "redemption/none", "-1 s")

    async def failed() -> bool:
        return bool(await at.admin.fetchval("SELECT count(failed_at) FROM points.deadlines"))

    await at.until(failed)
    yield
    await at.admin.execute("DELETE FROM points.deadlines")


@asynccontextmanager
async def next_year_is_missing(at: Running) -> AsyncIterator[None]:
    """Nobody has published the coming year's days."""
    await publish_calendar(at.admin, "points", 2, at.today + timedelta(days=30))
    yield
    await at.admin.execute("DELETE FROM points.calendars WHERE number = 2")


@asynccontextmanager
async def history_is_shortened(at: Running) -> AsyncIterator[None]:
    """Somebody sets back what was sealed."""
    name, partition = await at.admin.fetchrow("SELECT name, partition FROM points.seals LIMIT 1")
    move = "UPDATE points.sealed_heads SET next = next + $3 WHERE name = $1 AND partition = $2"
    await at.admin.execute(move, name, partition, -1)
    yield
    await at.admin.execute(move, name, partition, 1)
    sealer = at.platform.workers["points"].sealer

    async def seals_again() -> bool:
        await sealer.step()
        return not sealer.alarm

    await at.until(seals_again)


@asynccontextmanager
async def nobody_seals(at: Running) -> AsyncIterator[None]:
    """The process that seals hangs, and holds the witness."""
    with at.platform.workers["points"].sealer.witness.held(wait=True):
        await at.world.publish(trade("t-2", at.today, "10.00"), at=utc_now())
        await at.until(at.applied)
        yield
    await at.read()


@asynccontextmanager
async def state_is_unreadable(at: Running) -> AsyncIterator[None]:
    """Somebody changes a table and does not end."""
    async with held(at, "LOCK TABLE points.conflicts"):
        yield


@asynccontextmanager
async def a_right_is_missing(at: Running) -> AsyncIterator[None]:
    """A service's login has lost a right."""
    await at.admin.execute("REVOKE INSERT ON points.entries FROM careline_points")
    await at.world.publish(trade("t-3", at.today, "10.00"), at=utc_now())
    worker = at.platform.workers["points"]

    async def stands() -> bool:
        return not worker.healthy

    await at.until(stands)
    yield
    await at.admin.execute("GRANT INSERT ON points.entries TO careline_points")
    await at.until(at.applied)
    await at.until(lambda: asyncio.sleep(0, worker.healthy))


@asynccontextmanager
async def nobody_reads(at: Running) -> AsyncIterator[None]:
    """A worker that hangs has claimed the partitions."""
    async with held(at, "SELECT FROM points.consumer_partitions FOR UPDATE"):
        await at.world.publish(trade("t-4", at.today, "10.00"), at=utc_now())
        yield
    at.platform.wake.set()
    await at.until(at.applied)


@asynccontextmanager
async def requests_fail(at: Running) -> AsyncIterator[None]:
    """A table cannot be read: each request that needs it is answered 500."""
    await at.admin.execute("REVOKE SELECT ON points.balances FROM careline_points")
    with structlog.testing.capture_logs():  # tracebacks for a person to look at take a second each
        assert set(await at.asked(5)) == {500}
    yield
    await at.admin.execute("GRANT SELECT ON points.balances TO careline_points")


@asynccontextmanager
async def requests_are_slow(at: Running) -> AsyncIterator[None]:
    """Each waits for a table that somebody works on."""
    async with held(at, "LOCK TABLE points.balances"):
        asked = asyncio.create_task(at.asked())
        await asyncio.sleep(1.2)  # the trouble itself
    assert await asked == [200]
    yield


@asynccontextmanager
async def clocks_differ(at: Running) -> AsyncIterator[None]:
    """The gateway's machine is behind: its word is over when it comes."""
    over = Tokens(at.platform.settings, INTERNAL).make(HQ, seconds=-5)
    assert await at.asked(1, **{HEADER: over}) == [503]
    yield


@asynccontextmanager
async def the_process_is_gone(at: Running) -> AsyncIterator[None]:
    """Nothing answers at its port."""
    at.scraped.close()
    yield


TROUBLES: list[tuple[str, Trouble, int]] = [
    ("DayNotClosed", days_stay_open, HOURS),
    ("DeadLetters", a_broken_record, HOURS),
    ("FactsInConflict", another_content, HOURS),
    ("DeadlinesLate", a_deadline_is_held, HOURS),
    ("DeadlinesFailed", a_deadline_fails, HOURS),
    ("CalendarEnds", next_year_is_missing, HOURS),
    ("HistoryAltered", history_is_shortened, HOURS),
    ("SealsBehind", nobody_seals, HOURS),
    ("StateNotRead", state_is_unreadable, HOURS),
    ("WorkerStandsStill", a_right_is_missing, 4),  # later what it does not apply is old
    ("LagGrowsOld", nobody_reads, HOURS),
    ("Failing", requests_fail, HOURS),
    ("SlowAnswers", requests_are_slow, HOURS),
    ("ClocksDiffer", clocks_differ, 3),  # later its refusals are more than a percent of all answers
    ("TargetDown", the_process_is_gone, 4),  # later its services are missed one by one
]


def scenario(name: str, series: dict[str, str], firing: Sequence[str], minutes: int) -> dict[str, Any]:
    """All alerts at one moment: exactly these fire."""
    expected = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in firing]
    asked = 'group by (alertname) (ALERTS{alertstate="firing"})'
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "promql_expr_test": [{"expr": asked, "eval_time": f"{minutes}m", "exp_samples": expected}],
    }


@pytest.mark.services("classification", "points")
async def test_each_trouble_is_paged_by_its_alert_and_by_no_other(running: Running, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        assert "CI" not in os.environ, "promtool is needed: Debian's package prometheus"
        pytest.skip("promtool is not installed: Debian's package prometheus")
    tests = []
    for alert, trouble, minutes in TROUBLES:
        async with trouble(running):
            tests.append(scenario(alert, await running.observed(), [alert], minutes))
        if len(tests) in (1, len(TROUBLES) - 1):
            tests.append(scenario(f"well again after {alert}", await running.observed(), [], HOURS))
    file = tmp_path / "tests.yaml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}), "utf-8")
    done = await asyncio.to_thread(
        subprocess.run, [promtool, "test", "rules", str(file)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len({alert for alert, _, _ in TROUBLES}) >= 12
