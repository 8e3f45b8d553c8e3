"""A second clock, slow and obvious: it walks minute by minute over an independent calendar.

Entries must be valid, on whole minutes and in order of effect. Nothing of `chassis` is used but the entries' shapes.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, timezone
from functools import cache

import chinese_calendar

from chassis.clocks import Entry, Extension, NaturalDays, NaturalTime, Pause, Promise, Resume, Start, Until, WorkingDays
from chassis.clocks.limits import Amount

SHANGHAI = timezone(timedelta(hours=8))
MINUTE = timedelta(minutes=1)


@cache
def workday(day: date) -> bool:
    return bool(chinese_calendar.is_workday(day))


def working(minute: datetime) -> bool:
    clock = (minute.hour, minute.minute)
    return workday(minute.date()) and ((9, 0) <= clock < (12, 0) or (13, 0) <= clock < (17, 30))


def natural(minute: datetime) -> bool:
    return True


def counts(limit: Amount) -> Callable[[datetime], bool]:
    return natural if isinstance(limit, NaturalTime | NaturalDays) else working


def forward(instant: datetime, minutes: int, counting: Callable[[datetime], bool]) -> datetime:
    while minutes:
        minutes -= counting(instant)
        instant += MINUTE
    return instant


def between(start: datetime, end: datetime, counting: Callable[[datetime], bool]) -> int:
    total = 0
    while start < end:
        total += counting(start)
        start += MINUTE
    return total


def rounded(limit: Amount, instant: datetime) -> datetime:
    """Walk on to the end of the day, if the limit is in days."""
    if isinstance(limit, WorkingDays):
        while not (workday(instant.date()) and (instant.hour, instant.minute) == (17, 30)):
            instant += MINUTE
    elif isinstance(limit, NaturalDays):
        while (instant.hour, instant.minute) != (0, 0):
            instant += MINUTE
    return instant


def first_due(limit: Amount, start: datetime) -> datetime:
    if isinstance(limit, WorkingDays):
        while not (workday(start.date()) and (start.hour, start.minute) < (17, 30)):
            start += MINUTE  # day 0 is the working day the receipt counts to
        left = limit.days
        while left:
            start += 1440 * MINUTE
            left -= workday(start.date())
        return start.replace(hour=17, minute=30)
    if isinstance(limit, NaturalDays):
        return rounded(limit, start + limit.days * 1440 * MINUTE + MINUTE)
    return forward(start, limit.amount // MINUTE, counts(limit))


def minutes_of(amount: Amount) -> int:
    if isinstance(amount, WorkingDays):
        return amount.days * 450
    return amount.days * 1440 if isinstance(amount, NaturalDays) else amount.amount // MINUTE


def slow_due(entries: Sequence[Entry], limit: Amount) -> datetime | None:
    """The due in force after the last entry; None while a pause holds it."""
    due, held, fixed, paused = None, None, False, False
    for entry in entries:
        at = entry.effective.astimezone(SHANGHAI)
        paused = isinstance(entry, Pause) or (paused and isinstance(entry, Extension))
        match entry:
            case Start():
                due = first_due(limit, at)
            case Pause() if due is not None and due > at:
                due, held = None, between(at, due, counts(limit))
            case Resume() if held is not None:
                due, held = rounded(limit, forward(at, held, counts(limit))), None
            case Promise(due=given) | Extension(by=Until(at=given)):
                due, held, fixed = given.astimezone(SHANGHAI), None, True
            case Extension(by=amount):
                if held is not None:
                    held += minutes_of(amount)
                elif due is not None:
                    due = forward(due, minutes_of(amount), counts(amount))
                    due = due if fixed else rounded(limit, due)
                    if paused and due > at:  # the pause began after the due, which now lies ahead again
                        due, held = None, between(at, due, counts(limit))
    return due
