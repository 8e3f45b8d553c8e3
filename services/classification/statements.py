"""What statements over all clients, or over some on some days, have in common."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import TypeVar

import asyncpg

from chassis.policy import Version, Versions

Body = TypeVar("Body")


def last_month_closed(day: str = "k.day") -> str:
    """The last month's end that the close of a day (an SQL date) knows."""
    return f"(date_trunc('month', {day} + 1) - interval '1 day')::date"


def among(clients: Sequence[str] | None, parameter: int, column: str = "client_id") -> str:
    """Whom a statement is about: all, and then it has no such parameter, or those an array names, joined as a table."""
    return "true" if clients is None else f"{column} IN (SELECT unnest(${parameter}::text[]))"


def named(clients: Sequence[str] | None) -> tuple[list[str], ...]:
    """The argument that goes with `among`: none for all."""
    return () if clients is None else (list(clients),)


@asynccontextmanager
async def whole_tables(sql: asyncpg.Connection, everybody: bool) -> AsyncIterator[None]:
    """For a statement over all clients: hash joins, whatever statistics that lag behind a burst make of a new month."""
    if everybody:
        await sql.execute("SET LOCAL enable_nestloop = off")
    yield
    if everybody:
        await sql.execute("SET LOCAL enable_nestloop = on")


def by_key(table: str, alias: str, more: str = "true") -> str:
    """For a statement over few clients: a join of the one row of `k.client_id`. LIMIT keeps the planner from reading the
    whole table, whatever it makes of statistics that lag behind."""
    return f"JOIN LATERAL (SELECT * FROM {table} {alias} WHERE {alias}.client_id = k.client_id AND {more} LIMIT 1) {alias} ON true"


def by_version(
    policies: Versions[Body], days: Sequence[tuple[str, date]]
) -> list[tuple[Version[Body], list[str], list[date]]]:
    """Clients and days, apart for each version in force on the days."""
    on_day = {day: policies.on(day) for day in {day for _, day in days}}
    apart: defaultdict[str, list[tuple[str, date]]] = defaultdict(list)
    for client_id, day in days:
        apart[on_day[day].name].append((client_id, day))
    return [(on_day[some[0][1]], [c for c, _ in some], [d for _, d in some]) for some in apart.values()]
