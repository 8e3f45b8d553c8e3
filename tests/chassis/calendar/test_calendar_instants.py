"""Working hours, lunch and the end of the day; sums of working time against a walk minute by minute."""

from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache

import chinese_calendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.calendar import CalendarBegins, CalendarEnds, InstantWithoutZone, shipped

CALENDAR = shipped()
SHANGHAI = timezone(timedelta(hours=8))
MINUTE = timedelta(minutes=1)
FIRST = datetime(2009, 6, 1, tzinfo=SHANGHAI)
INSTANTS = st.integers(0, 17 * 365 * 1440).map(lambda minutes: FIRST + minutes * MINUTE)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@cache
def is_workday(day: date) -> bool:
    return bool(chinese_calendar.is_workday(day))


def runs(instant: datetime) -> bool:
    """Whether the minute from here is working time, read off the wall clock."""
    clock = (instant.hour, instant.minute)
    return is_workday(instant.date()) and ((9, 0) <= clock < (12, 0) or (13, 0) <= clock < (17, 30))


@pytest.mark.parametrize(
    ("instant", "counts_to"),
    [
        ("2026-11-20 08:00", "2026-11-20"),
        ("2026-11-20 12:30", "2026-11-20"),
        ("2026-11-20 17:29:59", "2026-11-20"),
        ("2026-11-20 17:29:59.999999", "2026-11-20"),
        ("2026-11-20 17:30:00", "2026-11-23"),
        ("2026-11-21 10:00", "2026-11-23"),
        ("2026-10-10 17:29:59", "2026-10-10"),  # make-up Saturday
        ("2026-09-30 17:30:00", "2026-10-08"),
        ("2024-02-29 17:30:00", "2024-03-01"),
    ],
)
def test_receipt_counts_to_the_day_or_the_next_working_day_c6(instant: str, counts_to: str) -> None:
    assert CALENDAR.reception_day(at(instant)) == date.fromisoformat(counts_to)


@pytest.mark.parametrize(
    ("instant", "open_now", "opens"),
    [
        ("2026-11-20 08:59:59", False, "2026-11-20 09:00"),
        ("2026-11-20 09:00", True, "2026-11-20 09:00"),
        ("2026-11-20 11:59:59", True, "2026-11-20 11:59:59"),
        ("2026-11-20 12:00", False, "2026-11-20 13:00"),
        ("2026-11-20 13:00", True, "2026-11-20 13:00"),
        ("2026-11-20 17:30", False, "2026-11-23 09:00"),
        ("2026-10-10 10:00", True, "2026-10-10 10:00"),  # make-up Saturday
        ("2026-10-03 10:00", False, "2026-10-08 09:00"),
    ],
)
def test_working_time_and_the_next_opening(instant: str, open_now: bool, opens: str) -> None:
    assert CALENDAR.is_working(at(instant)) is open_now
    assert CALENDAR.next_opening(at(instant)) == at(opens)


@pytest.mark.parametrize(
    ("instant", "hours", "expected"),
    [
        ("2026-11-20 10:00", 2, "2026-11-20 12:00"),  # ends with the session, not after lunch
        ("2026-11-20 11:00", 2, "2026-11-20 14:00"),
        ("2026-11-20 12:30", 1, "2026-11-20 14:00"),
        ("2026-11-20 16:30", 1, "2026-11-20 17:30"),
        ("2026-11-20 16:30", 2, "2026-11-23 10:00"),
        ("2026-11-20 17:30", 7.5, "2026-11-23 17:30"),
        ("2026-09-30 17:00", 1, "2026-10-08 09:30"),
        ("2026-10-09 17:00", 1, "2026-10-10 09:30"),  # make-up Saturday
        ("2024-02-28 17:00", 1, "2024-02-29 09:30"),  # leap day
        ("2026-11-20 20:00", 0, "2026-11-20 20:00"),
        ("2026-11-23 09:30", -1, "2026-11-20 17:00"),
        ("2026-11-20 14:00", -1, "2026-11-20 13:00"),  # begins with the session, not before lunch
        ("2026-11-20 13:30", -1, "2026-11-20 11:30"),
        ("2026-11-23 00:00", -7.5, "2026-11-20 09:00"),
    ],
)
def test_working_time_is_added_and_taken_away(instant: str, hours: float, expected: str) -> None:
    found = CALENDAR.add_working_time(at(instant), timedelta(hours=hours))
    assert (found, found.tzinfo) == (at(expected), UTC)
    assert CALENDAR.working_time_between(at(instant), found) == timedelta(hours=hours)


def test_working_time_is_exact_to_the_microsecond() -> None:
    found = CALENDAR.add_working_time(at("2026-11-20 11:59:59.999998"), timedelta(microseconds=3))
    assert found == at("2026-11-20 13:00:00.000001")


@settings(deadline=None, max_examples=150)
@given(start=INSTANTS, distance=st.integers(0, 12 * 1440))
def test_working_time_between_is_the_working_minutes_walked(start: datetime, distance: int) -> None:
    end = start + distance * MINUTE
    walked = sum(runs(start + n * MINUTE) for n in range(distance)) * MINUTE
    assert CALENDAR.working_time_between(start, end) == walked
    assert CALENDAR.working_time_between(end, start) == -walked


@settings(deadline=None, max_examples=150)
@given(start=INSTANTS, minutes=st.integers(1, 1500))
def test_adding_working_time_is_walking_minute_by_minute(start: datetime, minutes: int) -> None:
    later, left = start, minutes
    while left:
        left -= runs(later)
        later += MINUTE
    assert CALENDAR.add_working_time(start, minutes * MINUTE) == later
    earlier, left = start, minutes
    while left:
        earlier -= MINUTE
        left -= runs(earlier)
    assert CALENDAR.add_working_time(start, -minutes * MINUTE) == earlier


@settings(deadline=None, max_examples=100)
@given(start=INSTANTS)
def test_the_next_opening_is_the_first_working_minute_walked(start: datetime) -> None:
    walked = start
    while not runs(walked):
        walked += MINUTE
    assert CALENDAR.next_opening(start) == walked
    assert CALENDAR.is_working(start) is runs(start)


def test_the_working_day_ends_at_half_past_five_also_from_a_day_off() -> None:
    assert CALENDAR.end_of_working_day(date(2026, 11, 20)) == at("2026-11-20 17:30")
    assert CALENDAR.end_of_working_day(date(2026, 11, 21)) == at("2026-11-23 17:30")
    assert CALENDAR.start_of_working_day(date(2026, 10, 10)) == at("2026-10-10 09:00")


def test_the_last_moments_of_the_calendar() -> None:
    assert CALENDAR.add_working_time(at("2026-12-31 16:30"), timedelta(hours=1)) == at("2026-12-31 17:30")
    assert CALENDAR.working_time_between(at("2026-12-31 16:30"), at("2027-01-01 00:00")) == timedelta(hours=1)
    with pytest.raises(CalendarEnds, match="2026-12-31"):
        CALENDAR.add_working_time(at("2026-12-31 16:30"), timedelta(hours=1, microseconds=1))
    with pytest.raises(CalendarEnds, match="2026-12-31"):
        CALENDAR.reception_day(at("2026-12-31 17:30"))
    with pytest.raises(CalendarBegins, match="2009-01-01"):
        CALENDAR.add_working_time(at("2009-01-04 09:00"), -timedelta(microseconds=1))


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(InstantWithoutZone):
        CALENDAR.is_working(datetime(2026, 11, 20, 10, 0))  # noqa: DTZ001 - the bad input meant here
