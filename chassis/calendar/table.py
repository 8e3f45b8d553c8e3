"""From rows to one answer for every day, or a refusal that names the day which has none or two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from chassis.calendar.errors import CalendarInvalid
from chassis.calendar.rows import CalendarRow, RowKind
from chassis.errors import Text

ONE_DAY = timedelta(days=1)
SATURDAY = 5
# New Year, Labour Day and National Day are closed every year since 2000 (全国年节及纪念日放假办法). A year that
# lacks one was entered without its holidays, and every deadline in it would come too early.
ALWAYS_CLOSED = ((1, 1), (5, 1), (10, 1))


@dataclass(frozen=True, slots=True)
class Day:
    """What one day is: whether clocks run, whether the exchange trades, whether staff receive clients; its name."""

    day: date
    working: bool
    trading: bool
    reception: bool
    name: Text


def table(rows: Sequence[CalendarRow]) -> tuple[Day, ...]:
    """Every day from the first to the last covered one, in order. Raises `CalendarInvalid` naming the day."""
    first, last = _coverage([row for row in rows if row.kind == RowKind.NOTICE])
    marks: dict[RowKind, dict[date, CalendarRow]] = {kind: {} for kind in RowKind}
    for row in rows:
        if row.kind != RowKind.NOTICE:
            _mark(row, marks[row.kind], first, last)
    count = (last - first).days + 1
    days = tuple(_answer(first + timedelta(days=offset), marks) for offset in range(count))
    for day in days:
        if day.working and (day.day.month, day.day.day) in ALWAYS_CLOSED:
            raise _invalid(
                day.day, "is a public holiday every year, but no row closes it", "是法定节假日，但数据中未放假"
            )
    return days


def _coverage(notices: Sequence[CalendarRow]) -> tuple[date, date]:
    if not notices:
        raise CalendarInvalid(
            Text("No row of kind 'notice' says which days are covered", "缺少说明覆盖日期的 notice 行")
        )
    for earlier, later in pairwise(notices):
        expected = earlier.last + ONE_DAY
        if later.first > expected:
            raise _invalid(expected, "is covered by no notice: the calendar has a hole", "没有通知覆盖，日历出现空缺")
        if later.first < expected:
            raise _invalid(later.first, "is covered by two notices", "被两个通知重复覆盖")
    return notices[0].first, notices[-1].last


def _mark(row: CalendarRow, marked: dict[date, CalendarRow], first: date, last: date) -> None:
    day = row.first
    while day <= row.last:
        if not first <= day <= last:
            raise _invalid(day, "lies outside the days the notices cover", "不在通知覆盖的日期之内")
        if day in marked:
            raise _invalid(day, f"is stated twice as {row.kind.value}", f"被重复标注为 {row.kind.value}")
        if row.kind == RowKind.MAKE_UP and day.weekday() < SATURDAY:
            raise _invalid(day, "is a weekday and cannot be a make-up workday", "是平日，不能标为调休上班日")
        marked[day] = row
        day += ONE_DAY


def _answer(day: date, marks: Mapping[RowKind, Mapping[date, CalendarRow]]) -> Day:
    holiday, make_up = marks[RowKind.HOLIDAY].get(day), marks[RowKind.MAKE_UP].get(day)
    if holiday and make_up:
        raise _invalid(day, "has two answers: holiday and make-up workday", "有两个答案：既是节假日又是调休上班日")
    weekend = day.weekday() >= SATURDAY
    working = make_up is not None or (holiday is None and not weekend)
    # The exchange never trades on a make-up Saturday or Sunday [B21].
    closed = marks[RowKind.EXCHANGE_CLOSED].get(day)
    named = holiday or make_up or closed
    return Day(
        day=day,
        working=working,
        trading=working and not weekend and closed is None,
        reception=working or day in marks[RowKind.SERVICE],
        name=named.name if named else Text("weekend", "周末") if weekend else Text("", ""),
    )


def _invalid(day: date, en: str, zh: str) -> CalendarInvalid:
    return CalendarInvalid(Text(f"{day} {en}", f"{day} {zh}"), day)
