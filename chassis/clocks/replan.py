"""What a new calendar version does to one clock: open clocks move, closed ones never do."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from chassis.calendar import Calendar
from chassis.clocks.entries import Entry
from chassis.clocks.limits import Limit
from chassis.clocks.reading import State
from chassis.clocks.replay import read


@dataclass(frozen=True, slots=True)
class Replanned:
    """The due before and after; for a paused clock its expected due, None where there is none."""

    before: datetime | None
    after: datetime | None


def replan(entries: Iterable[Entry], limit: Limit, old: Calendar, new: Calendar) -> Replanned | None:
    """How the due moves from one version to another; None when it stays, or when the clock has stopped."""
    entries = list(entries)
    before, after = (read(entries, limit, calendar) for calendar in (old, new))
    if before.state == State.STOPPED or (before.due, before.expected_due) == (after.due, after.expected_due):
        return None
    return Replanned(before.due or before.expected_due, after.due or after.expected_due)
