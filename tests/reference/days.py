"""Dates of the rules: months, twelve months back, the same date next month.

Months are counted as one number (`year * 12 + month - 1`), so that a window of months is a range of integers.
"""

import calendar
from datetime import date, timedelta

ONE_DAY = timedelta(days=1)


def month_of(day: date) -> int:
    """The month a day lies in, as one number."""
    return day.year * 12 + day.month - 1


def last_day_of(month: int) -> date:
    """The last day of a month given as one number."""
    year, index = divmod(month, 12)
    return date(year, index + 1, calendar.monthrange(year, index + 1)[1])


def length_of(month: int) -> int:
    """How many days a month has."""
    return last_day_of(month).day


def months_later(day: date, months: int) -> date:
    """The same date so many months later (earlier when negative), at most the last day of that month."""
    month = month_of(day) + months
    year, index = divmod(month, 12)
    return date(year, index + 1, min(day.day, length_of(month)))


def twelve_months_before(day: date) -> date:
    """The same day one year earlier, 29 February becomes 28 February [T7]."""
    return months_later(day, -12)


def every_day(first: date, last: date) -> list[date]:
    """All days from the first to the last, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
