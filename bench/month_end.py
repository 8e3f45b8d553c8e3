"""A month end as classification closes it: classes, tiers, value, groups, with their history and every event told."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from bench.ground import Ground
from bench.retiering import DAY, FILL, TRADE_DAYS, tidy
from chassis.clock import month_end, months_after
from chassis.database import Database
from services.classification import closing

BEFORE = month_end(months_after(DAY.replace(day=1), -1))
# What each account was worth a year ago, and for every fiftieth three times as much since this month.
VALUATIONS = """
    INSERT INTO valuations (client_id, as_of, total, time, event)
    SELECT 'C' || to_char(n, 'FM00000000'), day, ((n::bigint * 7919) % 1200000) * factor, '2020-01-01Z', 'made'
    FROM generate_series(1, $1::int) n, (VALUES ($2::date - 370, 1), ($2::date - 20, 3)) v(day, factor)
    WHERE factor = 1 OR n % 50 = 0"""
STANDINGS = (
    "INSERT INTO standings (client_id, retained) SELECT 'C' || to_char(n, 'FM00000000'), 0 FROM generate_series(1, $1::int) n",
    "INSERT INTO group_standings (client_id) SELECT 'C' || to_char(n, 'FM00000000') FROM generate_series(1, $1::int) n",
)


@dataclass(frozen=True, slots=True)
class MonthEnd:
    """Seconds from the first statement to COMMIT, the most memory our process took meanwhile, and the events told."""

    clients: int
    seconds: float
    peak_mb: float
    told: int


async def measure(ground: Ground, sizes: Sequence[int]) -> list[MonthEnd]:
    """The second month end of homes of these sizes: the first evaluates everybody, the second is like any other."""
    return [await _one(ground, clients) for clients in sizes]


async def _one(ground: Ground, clients: int) -> MonthEnd:
    url = await ground.make("months", "template")
    database = Database(ground.settings(url, f"{ground.run}-months"), "classification")
    try:
        async with database.unit_of_work() as uow:
            for statement in (FILL, TRADE_DAYS, VALUATIONS, *STANDINGS):
                arguments = (DAY,) if "$2" in statement else ()
                await uow.sql.execute(statement, clients, *arguments, timeout=None)
        await tidy(url)
        await close(database, BEFORE)
        await tidy(url)
        _peak_begins_anew()
        before = await _told(database)
        began = time.perf_counter()
        await close(database, DAY)
        seconds = time.perf_counter() - began
        return MonthEnd(clients, seconds, _peak_mb(), await _told(database) - before)
    finally:
        await database.close()
        await ground.drop("months")


async def close(database: Database, day: date) -> None:
    """Close a day as the closer does."""
    async with database.unit_of_work() as uow:
        await closing.close_days([day], uow)
        await uow.sql.execute("UPDATE closed_days SET first = coalesce(first, $1), through = $1", day)


async def _told(database: Database) -> int:
    async with database.unit_of_work() as uow:
        told: int = await uow.sql.fetchval("SELECT count(*) FROM log")
    return told


def _peak_begins_anew() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    [line] = [one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM")]
    return int(line.split()[1]) / 1024
