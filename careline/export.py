"""Exports as CSV, streamed from the services' own generators."""

import csv
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypeVar, cast

from careline.platform import Platform
from services.callbacks import exports as callbacks
from services.classification import exports as classification
from services.complaints import exports as complaints
from services.points import exports as points
from services.suitability import exports as suitability

Rows = AsyncIterator[tuple[str, ...]]
T = TypeVar("T")
ROWS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Export:
    """Columns, and the rows of a platform as of a day, sorted by their key."""

    columns: Sequence[str]
    rows: Callable[[Platform, date | None], Rows]


def _closing(rows: AsyncIterator[T]) -> aclosing[AsyncGenerator[T, None]]:
    """Rows that give their cursor back before their connection goes, also when nobody reads them to the end."""
    return aclosing(cast(AsyncGenerator[T, None], rows))


async def _clients(platform: Platform, as_of: date | None) -> Rows:
    """Classification's rows with what the points ledger holds for each: both come sorted by client."""
    async with (
        platform.databases["classification"].reading() as of_class,
        platform.databases["points"].reading() as of_points,
        _closing(points.balances(of_points, as_of)) as balances,
        _closing(classification.clients(of_class, as_of)) as clients,
    ):
        nobody: tuple[str, Decimal, Decimal] = ("", Decimal(0), Decimal(0))
        held: tuple[str, Decimal, Decimal] | None = nobody
        async for row in clients:
            while held is not None and held[0] < row[0]:
                held = await anext(balances, None)
            _, owned, owed = held if held is not None and held[0] == row[0] else nobody
            yield (*row, f"{owned:.2f}", f"{owed:.2f}")


def _of(service: str, rows: Callable[..., Rows]) -> Callable[[Platform, date | None], Rows]:
    async def read(platform: Platform, as_of: date | None) -> Rows:
        async with platform.databases[service].reading() as sql, _closing(rows(sql, as_of)) as found:
            async for row in found:
                yield row

    return read


EXPORTS: dict[str, Export] = {
    "clients": Export((*classification.CLIENT_COLUMNS, "points", "debt"), _clients),
    "tiers": Export(classification.TIER_COLUMNS, _of("classification", classification.tiers)),
    "groups": Export(classification.GROUP_COLUMNS, _of("classification", classification.groups)),
    "points": Export(points.POINTS_COLUMNS, _of("points", points.points)),
    "assessments": Export(suitability.ASSESSMENT_COLUMNS, _of("suitability", suitability.assessments)),
    "mismatches": Export(suitability.MISMATCH_COLUMNS, _of("suitability", suitability.mismatches)),
    "callbacks": Export(callbacks.CALLBACK_COLUMNS, _of("callbacks", callbacks.callbacks)),
    "cases": Export(complaints.CASE_COLUMNS, _of("complaints", complaints.cases)),
}


async def write(platform: Platform, export: Export, as_of: date | None) -> None:
    """Write the header and every row to stdout."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(export.columns)
    waiting: list[tuple[str, ...]] = []
    async with _closing(export.rows(platform, as_of)) as rows:
        async for row in rows:
            waiting.append(row)
            if len(waiting) == ROWS_AT_ONCE:
                writer.writerows(waiting)
                waiting.clear()
    writer.writerows(waiting)
    sys.stdout.flush()
