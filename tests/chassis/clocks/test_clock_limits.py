"""First dues by table: the rules' own limits at the edges of days, lunch, make-up days and leap days."""

from datetime import datetime, timedelta, timezone

import pytest

from chassis.calendar import CalendarEnds, shipped
from chassis.clocks import (
    Limit,
    NaturalDays,
    NaturalTime,
    Start,
    Until,
    WorkingDays,
    WorkingTime,
    due,
    limit_from,
    read,
    warnings,
)
from chassis.clocks.errors import LimitInvalid

SHANGHAI = timezone(timedelta(hours=8))
HOUR = timedelta(hours=1)
SAME_DAY = WorkingDays(0)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def start(text: str) -> list[Start]:
    return [Start(number=1, effective=at(text), recorded=at(text))]


@pytest.mark.parametrize(
    ("limit", "started", "expected"),
    [
        # The same day [C6]
        (SAME_DAY, "2026-11-20 10:00", "2026-11-20 17:30"),
        (SAME_DAY, "2026-11-20 17:29:59", "2026-11-20 17:30"),
        (SAME_DAY, "2026-11-20 17:30:00", "2026-11-23 17:30"),
        (SAME_DAY, "2026-11-21 10:00", "2026-11-23 17:30"),
        (SAME_DAY, "2026-10-10 10:00", "2026-10-10 17:30"),  # make-up Saturday
        (SAME_DAY, "2024-02-29 18:00", "2024-03-01 17:30"),  # leap day
        # 3 working days [C7], 1 working day [C11]; day 0 is not counted
        (WorkingDays(3), "2026-11-20 10:00", "2026-11-25 17:30"),
        (WorkingDays(3), "2026-11-20 17:30", "2026-11-26 17:30"),
        (WorkingDays(3), "2026-09-30 10:00", "2026-10-10 17:30"),
        (WorkingDays(1), "2024-02-28 10:00", "2024-02-29 17:30"),
        # Task dates count from the date itself [B21]
        (WorkingDays(5, from_date=True), "2026-11-21 00:00", "2026-11-27 17:30"),
        (WorkingDays(5), "2026-11-21 00:00", "2026-11-30 17:30"),
        (WorkingDays(0, from_date=True), "2026-11-20 18:00", "2026-11-23 17:30"),
        # 15 natural days, to 24:00, working or not [C7]
        (NaturalDays(15), "2026-09-18 10:00", "2026-10-04 00:00"),
        (NaturalDays(15), "2026-09-18 23:59:59", "2026-10-04 00:00"),
        (NaturalDays(1), "2024-02-28 10:00", "2024-03-01 00:00"),
        (NaturalDays(1), "2023-02-28 10:00", "2023-03-02 00:00"),
        # 30 minutes of natural time, at night too [C7]
        (NaturalTime(HOUR / 2), "2026-11-20 23:45", "2026-11-21 00:15"),
        # 2 working hours [B16]
        (WorkingTime(2 * HOUR), "2026-11-20 11:00", "2026-11-20 14:00"),
        (WorkingTime(2 * HOUR), "2026-11-20 16:30", "2026-11-23 10:00"),
        (WorkingTime(2 * HOUR), "2026-11-20 10:00", "2026-11-20 12:00"),
        (Until(at("2026-12-01 00:00")), "2026-11-20 10:00", "2026-12-01 00:00"),
    ],
)
def test_first_due(limit: Limit, started: str, expected: str) -> None:
    assert due(start(started), limit, shipped()) == at(expected)


@pytest.mark.parametrize(
    ("limit", "started", "expected"),
    [
        (SAME_DAY, "2026-11-20 18:00", "2026-11-23 15:37:30"),  # 5 h 37 min 30 s of Monday
        (WorkingDays(1), "2026-11-20 09:00", "2026-11-23 13:45"),
        (NaturalTime(HOUR / 2), "2026-11-20 23:45", "2026-11-21 00:07:30"),
    ],
)
def test_a_warning_at_three_quarters(limit: Limit, started: str, expected: str) -> None:
    reading = read(start(started), limit, shipped())
    expected_due = reading.due
    assert warnings(reading, shipped()) == ((75, at(expected)),)
    if limit.pausable and isinstance(limit, NaturalTime):
        assert expected_due == at(started) + HOUR / 2
    assert warnings(reading, shipped(), (100,)) == ((100, expected_due),)


def test_a_limit_beyond_the_calendar_is_refused_and_names_its_end() -> None:
    with pytest.raises(CalendarEnds, match="2026-12-31"):
        due(start("2026-12-30 10:00"), WorkingDays(3), shipped())


@pytest.mark.parametrize(
    ("mapping", "limit"),
    [
        ({"working_days": 3}, WorkingDays(3)),
        ({"working_days": 3, "pausable": False}, WorkingDays(3, pausable=False)),
        ({"working_days": "5", "from_date": True}, WorkingDays(5, from_date=True)),
        ({"natural_days": 15}, NaturalDays(15)),
        ({"natural_minutes": 30, "pausable": False}, NaturalTime(HOUR / 2, pausable=False)),
        ({"working_minutes": 120}, WorkingTime(2 * HOUR)),
        ({"working_seconds": 90}, WorkingTime(timedelta(seconds=90))),
        ({"until": "2026-12-01T00:00:00+08:00"}, Until(at("2026-12-01 00:00"))),
    ],
)
def test_limits_read_from_policy(mapping: dict[str, object], limit: Limit) -> None:
    assert limit_from(mapping) == limit


@pytest.mark.parametrize(
    "mapping",
    [
        {},
        {"working_days": 1, "natural_days": 1},
        {"working_days": -1},
        {"natural_minutes": 0},
        {"working_minutes": "soon"},
        {"trading_weeks": 1},
        {"days": 1},
        {"natural_days": 1, "from_date": True},
        {"until": "2026-12-01T00:00:00"},
        {"until": "tomorrow"},
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused(mapping: dict[str, object]) -> None:
    with pytest.raises(LimitInvalid):
        limit_from(mapping)
