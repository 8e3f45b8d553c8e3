"""The calendar as each service keeps it: the shipped version first, then those published by `platform.calendar.published`.

    calendar = await current(uow.sql)

A new version re-plans every clock that runs, in the transaction that stores it (see `chassis.clocks.store`).
"""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

import asyncpg
import msgspec

from chassis.calendar import Calendar, CalendarRow, WorkingHours, shipped
from chassis.clock import business_date, utc_now
from chassis.telemetry import CALENDAR_DAYS_LEFT
from contracts.platform import CalendarDay

WARNING_DAYS = 60


async def current(sql: asyncpg.Connection, at: datetime | None = None) -> Calendar:
    """The version in force, now or as published by an instant: the highest number, else the shipped one."""
    number = await sql.fetchval(
        "SELECT max(number) FROM calendars WHERE $1::timestamptz IS NULL OR published_at <= $1", at
    )
    return shipped() if number is None else await _version(sql, number)


async def named(sql: asyncpg.Connection, version: str) -> Calendar:
    """The version of a name, as clocks keep it."""
    return await _version(sql, int(version[len(_PREFIX) :])) if version.startswith(_PREFIX) else shipped()


async def _version(sql: asyncpg.Connection, number: int) -> Calendar:
    row = await sql.fetchrow(
        """SELECT hours, published_at, (SELECT oid FROM pg_database WHERE datname = current_database()) AS place
           FROM calendars WHERE number = $1""",
        number,
    )
    assert row is not None
    name = (row["place"], number, row["published_at"])
    if name not in _made:
        rows = await sql.fetchval("SELECT rows FROM calendars WHERE number = $1", number)
        _made[name] = made(number, rows, row["hours"])
    return _made[name]


_PREFIX = "published-"
_made: dict[tuple[Any, ...], Calendar] = {}


def made(number: int, rows: Sequence[dict[str, Any]], hours: Sequence[Sequence[str]]) -> Calendar:
    """A published version as a value. Raises: CalendarInvalid."""
    return Calendar.from_rows(version_name(number), rows, hours_from(hours))


def version_name(number: int) -> str:
    """The name clocks and explanations give a published version."""
    return f"{_PREFIX}{number}"


def hours_from(sessions: Sequence[Sequence[str]]) -> WorkingHours | None:
    """Working hours from pairs of `HH:MM`; None, the usual ones, without any."""
    if not sessions:
        return None
    return WorkingHours(tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in sessions))


def days_left(calendar: Calendar, today: date | None = None) -> int:
    """Days from today to the calendar's last day."""
    return (calendar.last - (today or business_date(utc_now()))).days


async def check(service: str, sql: asyncpg.Connection) -> dict[str, Any]:
    """The calendar's end for `/readyz`, status and doctor: a warning from 60 days before it on, never a failure."""
    calendar = await current(sql)
    left = days_left(calendar)
    CALENDAR_DAYS_LEFT.labels(service).set(left)
    found: dict[str, Any] = {"status": "pass", "version": calendar.version, "last_day": calendar.last.isoformat()}
    if left <= WARNING_DAYS:
        found |= {"status": "warn", "output": f"the calendar ends in {left} days: publish the coming year's days"}
    return found


def row_of(row: CalendarRow) -> CalendarDay:
    """A calendar's row as the event carries it."""
    return msgspec.convert(row.as_mapping(), CalendarDay)
