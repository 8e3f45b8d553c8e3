"""Days of one kind laid in a line, so that counting is a subtraction and the n-th day a look-up."""

from array import array
from collections.abc import Iterable
from datetime import date


class DayLine:
    """How many days of the kind lie before each day (prefix sums), and which day is the n-th."""

    __slots__ = ("_before", "_first", "_nth")

    def __init__(self, first: date, flags: Iterable[bool]) -> None:
        self._first = first.toordinal()
        self._before = array("l", [0])
        self._nth = array("l")
        for offset, flag in enumerate(flags):
            if flag:
                self._nth.append(self._first + offset)
            self._before.append(len(self._nth))

    def __len__(self) -> int:
        return len(self._nth)

    def before(self, day: date) -> int:
        """Days of the kind before `day`, which may be at most one past the last."""
        return self._before[day.toordinal() - self._first]

    def nth(self, index: int) -> date:
        """The day of the kind with this index from 0."""
        return date.fromordinal(self._nth[index])

    def holds(self, day: date) -> bool:
        """Whether `day` is of the kind."""
        offset = day.toordinal() - self._first
        return self._before[offset + 1] > self._before[offset]
