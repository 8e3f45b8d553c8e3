"""What a clock's ledger says: its state, the due in force, the dues missed and the stretches it ran."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.clocks.entries import Entry
from chassis.clocks.limits import Limit, Measure


class State(StrEnum):
    """What a clock does."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch in which the clock ran; `end` is None while it does."""

    begin: datetime
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """One entry and what it left behind: the due in force, or the remaining time of a pause."""

    entry: Entry
    state: State
    limit: Limit
    due: datetime | None
    remaining: timedelta | None
    missed: datetime | None
    """The due that had already passed when the entry took effect."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A clock as its ledger tells it.

    `limit` is the one in force (`Until` after a promise or a given time), `measure` what the clock's own limit
    counts. `due` is None while a pause keeps `remaining`; `expected_due` then says where the due falls if the pause
    ends as expected. `missed` are the dues that passed before an entry answered them. `runs` is the running time
    since the start or the last promise.
    """

    state: State
    started: datetime
    limit: Limit
    measure: Measure
    due: datetime | None
    remaining: timedelta | None
    expected_due: datetime | None
    stopped: datetime | None
    promises: int
    missed: tuple[datetime, ...]
    runs: tuple[Run, ...]
    moves: tuple[Move, ...]

    def breaches(self, now: datetime) -> tuple[datetime, ...]:
        """The dues passed by `now`: each is a breach at that instant, even one that came to lie in the past."""
        open_due = self.due if self.state != State.STOPPED else None
        return (*self.missed, open_due) if open_due is not None and open_due <= now else self.missed
