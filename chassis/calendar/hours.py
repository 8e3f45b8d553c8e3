"""The working hours of a working day, lunch left out [C6]."""

from dataclasses import dataclass, field
from datetime import time, timedelta
from itertools import pairwise

from chassis.calendar.errors import CalendarInvalid
from chassis.errors import Text

ZERO = timedelta(0)


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """Sessions of one working day in Shanghai wall-clock time; the start belongs to a session, its end does not.

    `spans` are the sessions as times since midnight, `length` the working time of one day: 7 h 30 min by default.
    """

    sessions: tuple[tuple[time, time], ...] = ((time(9), time(12)), (time(13), time(17, 30)))
    spans: tuple[tuple[timedelta, timedelta], ...] = field(init=False, compare=False, repr=False)
    length: timedelta = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        marks = [mark for session in self.sessions for mark in session]
        if not marks or any(later <= earlier for earlier, later in pairwise(marks)):
            raise CalendarInvalid(
                Text("Working hours need sessions in order that do not touch", "工作时间的各时段须按顺序且互不重叠")
            )

        # Read for every sum of every clock, so worked out once.
        spans = tuple((_since_midnight(start), _since_midnight(end)) for start, end in self.sessions)
        object.__setattr__(self, "spans", spans)
        object.__setattr__(self, "length", sum((end - start for start, end in spans), ZERO))

    @property
    def opening(self) -> timedelta:
        """Midnight to the first session."""
        return self.spans[0][0]

    @property
    def closing(self) -> timedelta:
        """Midnight to the end of the last session: 17:30, where the working day ends [C6]."""
        return self.spans[-1][1]

    def contains(self, since_midnight: timedelta) -> bool:
        """Whether a time of day is working time: 17:29:59 is, 17:30:00 is not."""
        return any(start <= since_midnight < end for start, end in self.spans)

    def elapsed(self, since_midnight: timedelta) -> timedelta:
        """Working time of the day that has passed at a time of day."""
        return sum((min(max(since_midnight - start, ZERO), end - start) for start, end in self.spans), ZERO)

    def earliest(self, elapsed: timedelta) -> timedelta:
        """The first time of day at which so much working time (more than none) has passed: 12:00, not 13:00."""
        for start, end in self.spans:
            if elapsed <= end - start:
                return start + elapsed
            elapsed -= end - start
        raise ValueError("more working time than one day has")

    def latest(self, elapsed: timedelta) -> timedelta:
        """The last time of day at which only so much working time (less than all) has passed: 13:00, not 12:00."""
        for start, end in self.spans:
            if elapsed < end - start:
                return start + elapsed
            elapsed -= end - start
        raise ValueError("more working time than one day has")

    def next_start(self, since_midnight: timedelta) -> timedelta | None:
        """The next session's start at or after a time of day, None when the day has no more."""
        return next((start for start, _ in self.spans if start >= since_midnight), None)


def _since_midnight(moment: time) -> timedelta:
    return timedelta(hours=moment.hour, minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond)
