"""Reading a clock: its state and its due as a pure function of ledger, limit and calendar [C27].

Entries are taken by effective time, so a ledger gives the same reading in whatever order it was recorded. A set of
entries that cannot be true together is refused; check a new entry by reading the ledger with it before storing it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from chassis.calendar import Calendar
from chassis.clocks.entries import Entry, Extension, Pause, Promise, Resume, Start, Stop, in_order
from chassis.clocks.errors import (
    ClockNotStarted,
    EntryAfterStop,
    EntryBeforeStart,
    ExtensionInOtherUnit,
    ExtensionShortens,
    NotPausable,
    OverlappingPauses,
    PauseEndsBeforeItBegins,
    PromiseInThePast,
    ResumeWithoutPause,
    StartedTwice,
    said,
)
from chassis.clocks.limits import Limit, Until
from chassis.clocks.reading import ClockReading, Move, Run, State


def read(entries: Iterable[Entry], limit: Limit, calendar: Calendar, known_at: datetime | None = None) -> ClockReading:
    """Read a clock, with the entries recorded by `known_at` or with all. Raises the refusals of `clocks.errors`."""
    ordered = in_order(entries, known_at)
    if not any(isinstance(entry, Start) for entry in ordered):
        raise ClockNotStarted
    replay = _Replay(limit, calendar)
    for index, entry in enumerate(ordered):
        replay.take(entry, ordered[index + 1 :])
    return replay.reading()


def due(
    entries: Iterable[Entry], limit: Limit, calendar: Calendar, known_at: datetime | None = None
) -> datetime | None:
    """When the clock is due, in UTC; None while a pause keeps its remaining time."""
    return read(entries, limit, calendar, known_at).due


class _Replay:
    """The clock while its entries are taken one by one."""

    def __init__(self, limit: Limit, calendar: Calendar) -> None:
        self.limit, self.calendar = limit, calendar
        self.measure = limit.measure
        self.state: State | None = None
        self.due: datetime | None = None
        self.remaining: timedelta | None = None
        self.expected_end: datetime | None = None
        self.stopped: datetime | None = None
        self.promises = 0
        self.missed: list[datetime] = []
        self.runs: list[Run] = []
        self.moves: list[Move] = []

    def take(self, entry: Entry, later: list[Entry]) -> None:
        at = entry.effective
        if self.state is None and not isinstance(entry, Start):
            raise EntryBeforeStart(said("An entry takes effect at {0}, before the start", "{0} 的记录早于计时开始", at))
        if self.state is State.STOPPED:
            raise EntryAfterStop(said("An entry takes effect at {0}, after the stop", "{0} 的记录晚于计时停止", at))
        missed = self._miss(entry)
        match entry:
            case Start():
                self._start(at)
            case Pause():
                self._pause(entry)
            case Resume():
                self._resume(entry, later)
            case Promise():
                self._promise(entry)
            case Extension():
                self._extend(entry)
            case Stop():
                self._end_run(at)
                self.state, self.stopped = State.STOPPED, at
        assert self.state is not None
        self.moves.append(Move(entry, self.state, self.limit, self.due, self.remaining, missed))

    def _miss(self, entry: Entry) -> datetime | None:
        """A limit in days ends before 17:30:00 or 24:00; work done at the very end of a limit in time is in time."""
        if self.due is None or self.due in self.missed:
            return None
        answers = isinstance(entry, Stop | Promise) and not self.limit.in_days
        if self.due < entry.effective or (self.due == entry.effective and not answers):
            self.missed.append(self.due)
            return self.due
        return None

    def _start(self, at: datetime) -> None:
        if self.state is not None:
            raise StartedTwice(said("Started again at {0}", "在 {0} 重复开始", at))
        self.state, self.due = State.RUNNING, self.limit.first_due(at, self.calendar)
        self.runs = [Run(at)]

    def _pause(self, pause: Pause) -> None:
        at = pause.effective
        if self.state is State.PAUSED:
            raise OverlappingPauses(
                said("A pause begins at {0} while another is open", "{0} 开始的暂停与另一暂停重叠", at)
            )
        if not self.limit.pausable:
            raise NotPausable(said("Pause at {0}", "{0} 的暂停", at))
        if pause.expected_end is not None and pause.expected_end <= at:
            raise _ends_early(at, pause.expected_end)
        self.state, self.expected_end = State.PAUSED, pause.expected_end
        self._hold(at)

    def _hold(self, at: datetime) -> None:
        """Keep what remains to the due in force. One that has passed stays: a pause must not undo a breach."""
        assert self.due is not None
        if self.due > at:
            self.remaining = self.limit.measure.between(at, self.due, self.calendar)
            self.due = None
            self._end_run(at)

    def _resume(self, resume: Resume, later: list[Entry]) -> None:
        at = resume.effective
        if self.state is not State.PAUSED:
            pause = later[0] if later else None
            if isinstance(pause, Pause) and pause.number < resume.number:
                raise _ends_early(pause.effective, at)
            raise ResumeWithoutPause(said("No pause is open at {0}", "{0} 没有进行中的暂停", at))
        self.state, self.expected_end = State.RUNNING, None
        if self.remaining is not None:
            self.due = self._after(at, self.remaining)
            self.remaining = None
            self.runs.append(Run(at))

    def _promise(self, promise: Promise) -> None:
        if promise.due <= promise.effective:
            raise PromiseInThePast(
                said("{0} was promised at {1}", "在 {1} 承诺的时间为 {0}", promise.due, promise.effective)
            )
        self.promises += 1
        self._give(promise.due)
        self.runs = [Run(promise.effective)]

    def _extend(self, extension: Extension) -> None:
        match extension.by:
            case Until(at=given):
                if self.due is not None and given <= self.due:
                    raise ExtensionShortens(said("{0} is not after {1}", "{0} 不晚于 {1}", given, self.due))
                if self.remaining is not None:
                    self.runs.append(Run(extension.effective))
                self._give(given)
            case amount:
                given_time = isinstance(self.limit, Until)
                if not given_time and amount.measure is not self.limit.measure:
                    raise ExtensionInOtherUnit
                length = amount.length(self.calendar)
                if self.remaining is not None:
                    self.remaining += length
                elif self.due is not None:
                    self.due = self.limit.rounded(amount.measure.add(self.due, length, self.calendar), self.calendar)
                    if self.state is State.PAUSED:  # an overdue pause that the extension gives a meaning
                        self._hold(extension.effective)

    def _give(self, due: datetime) -> None:
        self.limit, self.due = Until(due), due
        self.state, self.remaining, self.expected_end = State.RUNNING, None, None

    def _after(self, at: datetime, remaining: timedelta) -> datetime:
        return self.limit.rounded(self.limit.measure.add(at, remaining, self.calendar), self.calendar)

    def _end_run(self, at: datetime) -> None:
        if self.runs[-1].end is None:
            self.runs[-1] = Run(self.runs[-1].begin, at)

    def reading(self) -> ClockReading:
        assert self.state is not None
        expected = None
        if self.remaining is not None and self.expected_end is not None:
            expected = self._after(self.expected_end, self.remaining)
        return ClockReading(
            self.state,
            self.moves[0].entry.effective,
            self.limit,
            self.measure,
            self.due,
            self.remaining,
            expected,
            self.stopped,
            self.promises,
            tuple(self.missed),
            tuple(self.runs),
            tuple(self.moves),
        )


def _ends_early(begins: datetime, ends: datetime) -> PauseEndsBeforeItBegins:
    return PauseEndsBeforeItBegins(said("The pause from {0} ends at {1}", "{0} 开始的暂停在 {1} 结束", begins, ends))
