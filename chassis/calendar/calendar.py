"""One version of the calendar: three kinds of day and the working hours, as an immutable value [C6, B21].

Every sum is a look-up in prefix sums made once, when the value is made: constant time, whatever the distance.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Self

from chassis.calendar.errors import CalendarBegins, CalendarEnds, InstantWithoutZone
from chassis.calendar.hours import ZERO, WorkingHours
from chassis.calendar.line import DayLine
from chassis.calendar.rows import CalendarRow, rows_from
from chassis.calendar.table import ONE_DAY, Day, table
from chassis.clock import SHANGHAI, business_date, start_of


class DayKind(StrEnum):
    """The three kinds of day: 自然日, 工作日 (with make-up workdays), 交易日."""

    NATURAL = "natural"
    WORKING = "working"
    TRADING = "trading"


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days `first` to `last` under one version; make it with `from_rows`. Instants in and out are aware, out in UTC."""

    version: str
    rows: tuple[CalendarRow, ...]
    hours: WorkingHours
    days: tuple[Day, ...] = field(compare=False, repr=False)
    _lines: Mapping[DayKind, DayLine] = field(compare=False, repr=False)

    @classmethod
    def from_rows(
        cls,
        version: str,
        rows: Iterable[Mapping[str, object] | CalendarRow],
        hours: WorkingHours | None = None,
    ) -> Self:
        """A calendar from rows as JSON, TOML or CSV hold them (`CalendarRow.as_mapping`).

        Raises `CalendarInvalid`, naming the day, on a hole, two answers for one day, or a row that cannot be read.
        """
        in_order = rows_from(rows)
        days = table(in_order)
        lines = {
            DayKind.WORKING: DayLine(days[0].day, (day.working for day in days)),
            DayKind.TRADING: DayLine(days[0].day, (day.trading for day in days)),
        }
        return cls(version, in_order, hours or WorkingHours(), days, lines)

    @property
    def first(self) -> date:
        """The first day covered."""
        return self.days[0].day

    @property
    def last(self) -> date:
        """The last day covered."""
        return self.days[-1].day

    def ends_within(self, today: date, days: int = 60) -> bool:
        """Whether the last day is at most so many days away: time to publish the next year's."""
        return (self.last - today).days <= days

    # Days

    def day(self, day: date) -> Day:
        """What a day is. Raises `CalendarEnds` or `CalendarBegins` outside the calendar."""
        return self.days[(self._covered(day) - self.first).days]

    def is_working_day(self, day: date) -> bool:
        """Whether a day is a working day (工作日), make-up workdays included."""
        return self._lines[DayKind.WORKING].holds(self._covered(day))

    def is_trading_day(self, day: date) -> bool:
        """Whether the exchange trades on a day (交易日)."""
        return self._lines[DayKind.TRADING].holds(self._covered(day))

    def trading_day_after(self, day: date) -> date:
        """The next trading day; outside the calendar the day after, so that nothing waits for a year to be published."""
        try:
            return self.add_days(day, 1, DayKind.TRADING)
        except (CalendarBegins, CalendarEnds):
            return day + timedelta(days=1)

    def add_days(self, day: date, count: int, kind: DayKind = DayKind.WORKING) -> date:
        """The day `count` days of a kind later, or earlier when negative; `day` itself is day 0 and not counted.

        Nothing added leaves the day as it is, of the kind or not. Natural days need no calendar and never end.
        """
        if kind == DayKind.NATURAL or count == 0:
            return day + count * ONE_DAY
        line = self._lines[kind]
        index = (
            line.before(self._covered(day) + ONE_DAY) + count - 1
            if count > 0
            else line.before(self._covered(day)) + count
        )
        if index >= len(line):
            raise CalendarEnds(f"{day} + {count} {kind.value} days", self.last)
        if index < 0:
            raise CalendarBegins(f"{day} - {-count} {kind.value} days", self.first)
        return line.nth(index)

    def count_days(self, start: date, end: date, kind: DayKind = DayKind.WORKING) -> int:
        """Days of a kind after `start` up to and with `end`: what `add_days` added; negative when `end` is earlier."""
        if kind == DayKind.NATURAL:
            return (end - start).days
        line = self._lines[kind]
        shift = ONE_DAY if end >= start else ZERO
        return line.before(self._covered(end) + shift) - line.before(self._covered(start) + shift)

    def working_day_from(self, day: date) -> date:
        """The day itself when it is a working day, else the next one."""
        return day if self.is_working_day(day) else self.add_days(day, 1)

    def reception_day(self, instant: datetime) -> date:
        """The working day a receipt counts to: 17:29:59 today, 17:30:00 and days off the next working day [C6]."""
        day, since_midnight = self._wall_clock(instant)
        if self.is_working_day(day) and since_midnight < self.hours.closing:
            return day
        return self.add_days(day, 1)

    # Instants

    def is_working(self, instant: datetime) -> bool:
        """Whether working time runs at an instant: not at lunch, not at 17:30:00, not on a day off."""
        day, since_midnight = self._wall_clock(instant)
        return self.is_working_day(day) and self.hours.contains(since_midnight)

    def is_reception(self, instant: datetime) -> bool:
        """Whether staff receive clients at an instant: working time, or the same hours of a service day [C26]."""
        day, since_midnight = self._wall_clock(instant)
        return self.day(day).reception and self.hours.contains(since_midnight)

    def next_opening(self, instant: datetime) -> datetime:
        """When working time runs next: the instant itself when it runs, else the next session's start."""
        day, since_midnight = self._wall_clock(instant)
        if self.is_working_day(day):
            if self.hours.contains(since_midnight):
                return instant.astimezone(UTC)
            start = self.hours.next_start(since_midnight)
            if start is not None:
                return start_of(day) + start
        return self.start_of_working_day(self.add_days(day, 1))

    def start_of_working_day(self, day: date) -> datetime:
        """09:00 of the day, or of the next working day when it is none."""
        return start_of(self.working_day_from(day)) + self.hours.opening

    def end_of_working_day(self, day: date) -> datetime:
        """17:30 of the day, or of the next working day when it is none [C6]."""
        return start_of(self.working_day_from(day)) + self.hours.closing

    def working_time_between(self, start: datetime, end: datetime) -> timedelta:
        """Working time from `start` to `end`, exact; negative when `end` is earlier."""
        return self._position(end) - self._position(start)

    def add_working_time(self, instant: datetime, amount: timedelta) -> datetime:
        """The first instant with so much working time in between; with a negative amount the last one before.

        A full day from 17:30 ends at 17:30, not at 09:00 of the day after. Nothing added leaves the instant.
        """
        if amount == ZERO:
            return instant.astimezone(UTC)
        line, length = self._lines[DayKind.WORKING], self.hours.length
        position = self._position(instant) + amount
        if amount > ZERO:
            index, rest = divmod(position, length)
            if rest == ZERO:
                index, rest = index - 1, length
            if index >= len(line):
                raise CalendarEnds(f"{_shown(instant)} + {amount} working time", self.last)
            return start_of(line.nth(index)) + self.hours.earliest(rest)
        if position < ZERO:
            raise CalendarBegins(f"{_shown(instant)} - {-amount} working time", self.first)
        index, rest = divmod(position, length)
        return start_of(line.nth(index)) + self.hours.latest(rest)

    def _position(self, instant: datetime) -> timedelta:
        """Working time from the calendar's first day to an instant."""
        day, since_midnight = self._wall_clock(instant)
        line, length = self._lines[DayKind.WORKING], self.hours.length
        if day == self.last + ONE_DAY and since_midnight == ZERO:  # 24:00 of the last day still belongs to it
            return len(line) * length
        before = line.before(self._covered(day)) * length
        return before + self.hours.elapsed(since_midnight) if line.holds(day) else before

    def _wall_clock(self, instant: datetime) -> tuple[date, timedelta]:
        if instant.tzinfo is None:
            raise InstantWithoutZone(instant)
        day = business_date(instant)
        return day, instant.astimezone(UTC) - start_of(day)

    def _covered(self, day: date) -> date:
        if day > self.last:
            raise CalendarEnds(day.isoformat(), self.last)
        if day < self.first:
            raise CalendarBegins(day.isoformat(), self.first)
        return day


def _shown(instant: datetime) -> str:
    return instant.astimezone(SHANGHAI).isoformat(sep=" ", timespec="minutes")
