"""One clock: instants are UTC, business dates are days in Asia/Shanghai."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import asyncpg

SHANGHAI = ZoneInfo("Asia/Shanghai")


def business_date(instant: datetime) -> date:
    """The business date an instant falls on."""
    return instant.astimezone(SHANGHAI).date()


@lru_cache(maxsize=20_000)  # some decades of days
def start_of(day: date) -> datetime:
    """The first instant of a business date, in UTC."""
    return datetime.combine(day, time(), SHANGHAI).astimezone(UTC)


def end_of(day: date) -> datetime:
    """The first instant after a business date: when its close takes effect."""
    return start_of(day + timedelta(days=1))


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """A wall-clock time in Shanghai on a business date, in UTC."""
    return datetime.combine(day, time(hour, minute), SHANGHAI).astimezone(UTC)


def year_before(day: date) -> date:
    """The same date one year earlier; 29 February becomes 28 February [T7]."""
    return months_after(day, -12)


def months_after(day: date, months: int) -> date:
    """The same date some months later (or earlier), clamped to the month's last day."""
    index = day.year * 12 + day.month - 1 + months
    return date(index // 12, index % 12 + 1, min(day.day, days_in_month(index // 12, index % 12 + 1)))


def days_in_month(year: int, month: int) -> int:
    """How many days the month has."""
    following = date(year + month // 12, month % 12 + 1, 1)
    return (following - date(year, month, 1)).days


def month_end(day: date) -> date:
    """The last day of the day's month."""
    return day.replace(day=days_in_month(day.year, day.month))


def is_month_end(day: date) -> bool:
    """Whether the day is its month's last."""
    return (day + timedelta(days=1)).month != day.month


def utc_now() -> datetime:
    """This machine's clock: for logs and waiting only; what is recorded carries the database's."""
    return datetime.now(UTC)


async def clock_ahead(sql: "asyncpg.Connection") -> float:
    """How many seconds this machine's clock is ahead of the database's (negative: behind); the way there and back is allowed
    for."""
    before = utc_now()
    there: datetime = await sql.fetchval("SELECT clock_timestamp()")
    after = utc_now()
    if before <= there <= after:
        return 0.0
    return (before - there).total_seconds() if there < before else (after - there).total_seconds()
