"""Working and trading days, from the independent package `chinese_calendar` (the one thing not of the library).

A trading day is a working day from Monday to Friday [B21]; make-up Saturdays and Sundays are working days.
"""

from datetime import date

import chinese_calendar

from .days import ONE_DAY


def is_working(day: date) -> bool:
    """Whether the day is a working day in China."""
    return bool(chinese_calendar.is_workday(day))


def is_trading(day: date) -> bool:
    """Whether the day is a working day from Monday to Friday."""
    return day.weekday() < 5 and is_working(day)


def working_days_later(day: date, count: int) -> date:
    """The so-manieth working day after a day; the day itself is day 0."""
    while count:
        day += ONE_DAY
        count -= is_working(day)
    return day


def trading_days_later(day: date, count: int) -> date:
    """The so-manieth trading day after a day; the day itself is day 0."""
    while count:
        day += ONE_DAY
        count -= is_trading(day)
    return day


def on_or_after(day: date) -> date:
    """The day itself when it is a working day, else the next one."""
    return day if is_working(day) else working_days_later(day, 1)
