"""When a given share of a clock has been used: the instants of its warnings [C22]."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from chassis.calendar import Calendar
from chassis.clocks.limits import ZERO, Measure
from chassis.clocks.reading import ClockReading, State

WHOLE = 100


def warnings(
    reading: ClockReading, calendar: Calendar, shares: Sequence[int] = (75,)
) -> tuple[tuple[int, datetime], ...]:
    """Each share, in percent, with the instant at which it is used; none while the clock is paused or stopped.

    Used time is the clock's own running time, without pauses, since the start or the last promise; 100 is the due
    itself. An instant is rounded up to the microsecond: never early. Of a clock due at or before its start every warning
    is due with it.
    """
    if reading.state != State.RUNNING or reading.due is None:
        return ()
    return tuple((share, _used(reading, reading.due, calendar, share)) for share in shares)


def _used(reading: ClockReading, due: datetime, calendar: Calendar, share: int) -> datetime:
    if share >= WHOLE:
        return due
    measure = reading.measure
    runs = [(run.begin, due if run.end is None else run.end) for run in reading.runs]
    if sum((measure.between(*run, calendar) for run in runs), ZERO) == ZERO:
        measure = Measure.NATURAL  # a promise for the evening has no working time to share out
    lengths = [measure.between(*run, calendar) for run in runs]
    if sum(lengths, ZERO) <= ZERO:
        return due  # due at its start or before it: there is no time to share out, the warning is as late as the due
    wanted = -(-sum(lengths, ZERO) * share // WHOLE)
    for (begin, _), length in zip(runs, lengths, strict=True):
        if wanted <= length:
            return measure.add(begin, max(wanted, timedelta.resolution), calendar)
        wanted -= length
    raise AssertionError("a share below 100 % lies within the runs")
