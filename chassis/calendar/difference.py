"""What a new version of the calendar changes, day by day: shown before it is published and kept with it."""

from dataclasses import dataclass
from datetime import date

from chassis.calendar.calendar import Calendar
from chassis.calendar.table import Day


@dataclass(frozen=True, slots=True)
class ChangedDay:
    """A day that is another under the new version; None where a version does not cover it."""

    day: date
    before: Day | None
    after: Day | None


def difference(old: Calendar, new: Calendar) -> tuple[ChangedDay, ...]:
    """The days that differ, in order. Other working hours change every day that is working in both."""
    before = {day.day: day for day in old.days}
    after = {day.day: day for day in new.days}
    changed = (ChangedDay(day, before.get(day), after.get(day)) for day in sorted(before.keys() | after.keys()))
    return tuple(change for change in changed if _differs(change, old.hours != new.hours))


def _differs(change: ChangedDay, other_hours: bool) -> bool:
    return change.before != change.after or (other_hours and change.before is not None and change.before.working)
