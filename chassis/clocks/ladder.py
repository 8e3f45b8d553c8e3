"""Ladders of steps: who is told next while a clock runs out and nobody answers [C22].

Offsets count from 100 %. A step fires at its offset, or one working hour after the step before it fired and stayed
unacknowledged, whichever is earlier, but never before 100 % unless it is itself a share of the clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from chassis.calendar import Calendar, CalendarEnds
from chassis.clocks.errors import LimitInvalid
from chassis.clocks.limits import Amount, Until, limit_from
from chassis.clocks.reading import ClockReading, State
from chassis.clocks.shares import WHOLE, warnings
from chassis.errors import Text


@dataclass(frozen=True, slots=True)
class LadderStep:
    """One step: at a share of the clock in percent (up to 100), or `after` 100 % by an amount of time."""

    name: str
    share: int = WHOLE
    after: Amount | None = None


@dataclass(frozen=True, slots=True)
class Fired:
    """A step that fired, when it was acknowledged, if it was, and in which round of the clock."""

    at: datetime
    acknowledged: datetime | None = None
    round: int = 1


@dataclass(frozen=True, slots=True)
class Ladder:
    """Steps in order, and the working time within which each must be acknowledged."""

    steps: tuple[LadderStep, ...]
    acknowledge_within: timedelta = timedelta(hours=1)

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, object]], acknowledge_within: timedelta | None = None) -> Self:
        """A ladder from policy rows: `{name = "owner", share = 75}`, `{name = "gm", working_minutes = 240}`."""
        steps = tuple(_step(dict(row)) for row in rows)
        return cls(steps) if acknowledge_within is None else cls(steps, acknowledge_within)


def planned(ladder: Ladder, reading: ClockReading, calendar: Calendar) -> tuple[datetime, ...]:
    """When each step falls if every step before it is acknowledged; none while the clock is paused or stopped."""
    if reading.state == State.STOPPED or reading.due is None:
        return ()
    return tuple(_offset(step, reading, reading.due, calendar) for step in ladder.steps)


def next_step(
    ladder: Ladder, reading: ClockReading, calendar: Calendar, fired: Sequence[Fired] = ()
) -> tuple[LadderStep, datetime] | None:
    """The step after those that fired, and when; None when the ladder is done or the clock paused or stopped.

    Raises: CalendarEnds, when it is this step that lies beyond the calendar.
    """
    due = reading.due
    if reading.state == State.STOPPED or due is None or len(fired) >= len(ladder.steps):
        return None
    step = ladder.steps[len(fired)]
    if fired:
        answer_by = calendar.add_working_time(fired[-1].at, ladder.acknowledge_within)
        answered = fired[-1].acknowledged
        if answered is None or answered > answer_by:
            called = max(answer_by, due)
            try:
                return step, min(_offset(step, reading, due, calendar), called)
            except CalendarEnds:  # later than anything the calendar knows
                return step, called
    return step, _offset(step, reading, due, calendar)


def _offset(step: LadderStep, reading: ClockReading, due: datetime, calendar: Calendar) -> datetime:
    if step.after is not None:
        # A working day as an offset is a working day's hours, so that it is later than any number of them.
        return step.after.measure.add(due, step.after.length(calendar), calendar)
    if step.share >= WHOLE or reading.state != State.RUNNING:
        return due
    ((_, at),) = warnings(reading, calendar, (step.share,))
    return at


def _step(row: dict[str, object]) -> LadderStep:
    name = str(row.pop("name", ""))
    share = row.pop("share", None)
    if share is not None and not row and isinstance(share, int) and 0 < share <= WHOLE:
        return LadderStep(name, share)
    after = limit_from(row)
    if share is not None or isinstance(after, Until):
        raise LimitInvalid(Text(f"LadderStep {name} needs a share or an offset", f"步骤 {name} 须有比例或偏移量"))
    return LadderStep(name, after=after)
