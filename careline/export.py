"""Exports as CSV, streamed from the services' own generators."""

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from io import TextIOWrapper
from typing import TypeVar, cast

from careline.platform import Platform
from careline.services import SERVICES
from chassis import csv_files
from chassis.exports import Export, Rows
from chassis.service import Service
from services.classification import exports as classification
from services.points import exports as points

T = TypeVar("T")
ROWS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class PlatformExport:
    """An export that reads the databases of a platform."""

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


def _of(service: Service, export: Export) -> PlatformExport:
    async def read(platform: Platform, as_of: date | None) -> Rows:
        async with platform.databases[service.name].reading() as sql, _closing(export.rows(sql, as_of)) as found:
            async for row in found:
                yield row

    return PlatformExport(export.columns, read)


EXPORTS: dict[str, PlatformExport] = {
    "clients": PlatformExport((*classification.CLIENT_COLUMNS, "points", "debt"), _clients),
    **{name: _of(service, export) for service in SERVICES for name, export in service.exports.items()},
}


async def write(platform: Platform, export: PlatformExport, as_of: date | None) -> None:
    """Write the header and every row to stdout, in UTF-8 whatever the terminal's own encoding."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="")
    file = csv_files.Rows(sys.stdout)
    file.write([export.columns])
    waiting: list[tuple[str, ...]] = []
    async with _closing(export.rows(platform, as_of)) as rows:
        async for row in rows:
            waiting.append(row)
            if len(waiting) == ROWS_AT_ONCE:
                file.write(waiting)
                waiting.clear()
    file.write(waiting)
    sys.stdout.flush()
