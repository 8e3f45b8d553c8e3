"""Exports: what a service declares for `careline export NAME`."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date

import asyncpg

Rows = AsyncIterator[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Export:
    """Columns, and the rows as of a day (None: as now), as text and sorted by their key."""

    columns: Sequence[str]
    rows: Callable[[asyncpg.Connection, date | None], Rows]
