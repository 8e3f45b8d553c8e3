"""The breaker: so many bad records that something is wrong with the reader, not with the records.

Counted after the commit and in offset order: one after another in a partition, and as a share of the last thousands. A few bad
ones among many good stop nobody; a handler that always fails stops before it empties the topic.
"""

from collections import deque
from collections.abc import Sequence

LAST_RECORDS = 2000
LARGEST_SHARE = 0.2
Place = tuple[str, int]


class TooManyBadRecords(Exception):
    """The consumer stops; what was put aside until now is kept."""


class Breaker:
    """Counts what one consumer puts aside."""

    def __init__(self, in_a_row: int) -> None:
        self.limit = in_a_row
        self._rows: dict[Place, int] = {}
        self._recent: deque[tuple[int, int]] = deque()  # of each batch: bad records, all records
        self._bad = self._all = 0

    def good(self, count: int, places: Sequence[Place]) -> None:
        """A batch without a bad record is kept."""
        if self._rows:
            for place in places:
                self._rows.pop(place, None)
        self._remember(0, count)

    def mixed(self, outcomes: Sequence[tuple[Place, bool]]) -> None:
        """A batch is kept: of each of its records, in order, the place and whether it was bad.

        Raises: TooManyBadRecords.
        """
        longest = 0
        for place, bad in outcomes:
            self._rows[place] = row = self._rows.get(place, 0) + 1 if bad else 0
            longest = max(longest, row)
        self._remember(sum(bad for _, bad in outcomes), len(outcomes))
        if longest >= self.limit:
            raise TooManyBadRecords(f"{longest} bad records one after another")
        if self._all >= LAST_RECORDS and self._bad > LARGEST_SHARE * self._all:
            raise TooManyBadRecords(f"{self._bad} bad records among the last {self._all}")

    def _remember(self, bad: int, count: int) -> None:
        self._recent.append((bad, count))
        self._bad, self._all = self._bad + bad, self._all + count
        while self._all - self._recent[0][1] >= LAST_RECORDS:
            old_bad, old_count = self._recent.popleft()
            self._bad, self._all = self._bad - old_bad, self._all - old_count
