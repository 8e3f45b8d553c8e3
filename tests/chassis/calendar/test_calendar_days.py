"""Counting days in both directions, against day-by-day walks over an independent calendar."""

from datetime import date, timedelta

import chinese_calendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.calendar import CalendarBegins, CalendarEnds, DayKind, shipped

CALENDAR = shipped()
ONE_DAY = timedelta(days=1)
INSIDE = st.dates(date(2009, 6, 1), date(2026, 6, 30))
EXCHANGE_ALONE = date(2024, 2, 9)


def is_day(day: date, kind: DayKind) -> bool:
    if kind == DayKind.NATURAL:
        return True
    working = bool(chinese_calendar.is_workday(day))
    return working and (kind == DayKind.WORKING or (day.weekday() < 5 and day != EXCHANGE_ALONE))


@pytest.mark.parametrize(
    ("day", "count", "kind", "expected"),
    [
        ("2020-09-30", 1, "working", "2020-10-09"),  # eight days of National Day and Mid-Autumn
        ("2020-09-30", 2, "working", "2020-10-10"),  # a make-up Saturday is a working day,
        ("2020-09-30", 2, "trading", "2020-10-12"),  # but no trading day [B21]
        ("2026-02-13", 1, "working", "2026-02-14"),  # make-up Saturday before the Spring Festival
        ("2026-02-13", 1, "trading", "2026-02-24"),
        ("2026-02-24", -1, "working", "2026-02-14"),
        ("2024-02-08", 1, "working", "2024-02-09"),
        ("2024-02-08", 1, "trading", "2024-02-19"),  # the exchange closed on Lunar New Year's Eve
        ("2024-02-28", 1, "working", "2024-02-29"),  # leap day
        ("2024-02-29", 1, "natural", "2024-03-01"),
        ("2023-02-28", 1, "natural", "2023-03-01"),
        ("2024-03-01", -1, "working", "2024-02-29"),
        ("2026-11-21", 1, "working", "2026-11-23"),  # from a Saturday the next Monday is day 1
        ("2026-11-21", -1, "working", "2026-11-20"),
        ("2026-11-21", 0, "working", "2026-11-21"),
    ],
)
def test_days_are_added_and_taken_away(day: str, count: int, kind: str, expected: str) -> None:
    assert CALENDAR.add_days(date.fromisoformat(day), count, DayKind(kind)) == date.fromisoformat(expected)


@settings(deadline=None, max_examples=300)
@given(day=INSIDE, count=st.integers(-80, 80), kind=st.sampled_from(DayKind))
def test_adding_days_is_walking_day_by_day(day: date, count: int, kind: DayKind) -> None:
    walked, left, step = day, abs(count), ONE_DAY if count > 0 else -ONE_DAY
    while left:
        walked += step
        left -= is_day(walked, kind)
    assert CALENDAR.add_days(day, count, kind) == walked
    assert CALENDAR.count_days(day, walked, kind) == count


@settings(deadline=None, max_examples=200)
@given(start=INSIDE, distance=st.integers(0, 120), kind=st.sampled_from(DayKind))
def test_counting_days_is_counting_them_one_by_one(start: date, distance: int, kind: DayKind) -> None:
    end = start + timedelta(days=distance)
    later = [start + timedelta(days=n) for n in range(1, distance + 1)]
    earlier = [end - timedelta(days=n) for n in range(1, distance + 1)]
    assert CALENDAR.count_days(start, end, kind) == sum(is_day(day, kind) for day in later)
    assert CALENDAR.count_days(end, start, kind) == -sum(is_day(day, kind) for day in earlier)


@pytest.mark.parametrize(("day", "count"), [("2026-12-31", 1), ("2026-12-01", 40), ("2027-01-01", 1)])
def test_beyond_the_end_is_refused_and_names_the_last_day(day: str, count: int) -> None:
    with pytest.raises(CalendarEnds, match="2026-12-31") as refusal:
        CALENDAR.add_days(date.fromisoformat(day), count)
    assert refusal.value.last == date(2026, 12, 31)
    assert refusal.value.members["last_day"] == "2026-12-31"
    assert "2026-12-31" in refusal.value.detail.zh


@pytest.mark.parametrize(
    ("day", "next_day"),
    [("2026-09-30", "2026-10-08"), ("2026-12-30", "2026-12-31"), ("2026-12-31", "2027-01-01"), ("2027-03-05", "2027-03-06"), ("2008-12-01", "2008-12-02")],
)  # fmt: skip
def test_the_next_trading_day_is_known_also_where_no_calendar_is(day: str, next_day: str) -> None:
    assert CALENDAR.trading_day_after(date.fromisoformat(day)) == date.fromisoformat(next_day)


def test_before_the_beginning_is_refused_and_names_the_first_day() -> None:
    with pytest.raises(CalendarBegins, match="2009-01-01"):
        CALENDAR.add_days(date(2009, 1, 5), -2)
    with pytest.raises(CalendarBegins, match="2009-01-01"):
        CALENDAR.is_trading_day(date(2008, 12, 31))


@pytest.mark.parametrize(
    ("today", "soon"), [("2026-10-31", False), ("2026-11-01", True), ("2026-12-31", True), ("2027-02-01", True)]
)
def test_the_end_is_announced_sixty_days_before(today: str, soon: bool) -> None:
    assert CALENDAR.ends_within(date.fromisoformat(today), 60) is soon
