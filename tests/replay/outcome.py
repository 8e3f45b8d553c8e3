"""What a replay left, against the slow, obvious reference; shared with the tests that break things in its middle."""

from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from careline.export import EXPORTS
from careline.platform import Platform
from chassis.settings import Settings
from chassis.verify import verify
from tests.reference.exports import bonus_rows, client_rows, expired_rows, point_rows, tier_rows
from tests.reference.exports import replay as reference
from tests.reference.suitability import assessment_rows, mismatch_rows

BANK = Path(__file__).parents[1] / "data" / "bank"
LAST = date(2022, 11, 30)


async def rows_of(platform: Platform, name: str, as_of: date | None = None) -> list[tuple[str, ...]]:
    """The rows of an export."""
    return [row async for row in EXPORTS[name].rows(platform, as_of)]


async def points_by_trade(platform: Platform, as_of: date | None = None) -> list[tuple[str, ...]]:
    """Points in all of each client's trade: into how many entries they fell depends on the order of arrival."""
    totals: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for client_id, _, _, trade_id, *_, points in await rows_of(platform, "points", as_of):
        if trade_id:
            totals[client_id, trade_id] += Decimal(points)
    return sorted((*trade, f"{points:.2f}") for trade, points in totals.items() if points)


async def posted(platform: Platform, kind: str, as_of: date | None = None) -> list[tuple[str, ...]]:
    """Each client's points of a kind that is of no trade (bonus, expired), and the days they were posted on."""
    rows = await rows_of(platform, "points", as_of)
    return [(row[0], row[1], row[-1]) for row in rows if row[2] == kind]


async def assert_outcome(platform: Platform, until: date = LAST, customers: int | None = None) -> None:
    """Everything is as the reference says, nothing was put aside, and the sealed rows verify."""
    expected = reference(BANK, until, customers)
    assert await rows_of(platform, "clients") == client_rows(expected, until)
    assert await rows_of(platform, "tiers") == tier_rows(expected, until)
    assert await points_by_trade(platform) == point_rows(expected, until)
    assert await posted(platform, "expired") == expired_rows(expected, until)
    assert await posted(platform, "bonus") == bonus_rows(expected, until)
    made = await rows_of(platform, "assessments")
    assert sorted((client, level, *valid) for client, _, level, *valid, _ in made) == sorted(
        assessment_rows(expected, until)
    )
    assert await rows_of(platform, "mismatches") == mismatch_rows(expected, until)
    for name, worker in platform.workers.items():
        async with platform.databases[name].reading() as sql:
            assert await sql.fetchval("SELECT count(*) FROM dead_letters") == 0
            assert await sql.fetchval("SELECT count(*) FROM conflicts") == 0
        while await worker.sealer.step():
            pass
    assert await verify(platform.settings, platform.services, platform.databases) == []


async def heads(platform: Platform) -> list[Any]:
    """How much is on the log, by topic and partition."""
    database = platform.databases["gateway"]
    async with database.reading() as sql:
        query = f"SELECT topic, partition, next FROM {database.log.schema}.heads ORDER BY 1, 2"
        return [tuple(row) for row in await sql.fetch(query)]


class Quiet:
    """A progress that nobody sees."""

    started = 0.0
    published = 0

    def begin(self, total: int) -> None: ...

    def said(self, position: int) -> None: ...

    def applied(self, found: object) -> None: ...

    def trouble(self, words: str) -> None: ...


async def look(settings: Settings) -> Platform:
    """The platform's databases, nothing running; `disconnect` it."""
    platform = Platform(settings)
    platform.connect()
    return platform
