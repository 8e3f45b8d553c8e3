"""Every day from 2009 to 2026 against two independent calendars."""

import warnings
from collections.abc import Iterator
from datetime import date, timedelta

import chinese_calendar
import exchange_calendars
import pytest

from chassis.calendar import shipped

YEARS = range(2009, 2027)

# Where the exchange differs from "working day from Monday to Friday" [B21], one by one.
EXPLAINED = {
    date(2024, 2, 9): "Lunar New Year's Eve: a working day by the State Council's notice (which only encourages "
    "leave), closed by the exchange's notice for 2024",
}


def days_of(year: int) -> Iterator[date]:
    day = date(year, 1, 1)
    while day.year == year:
        yield day
        day += timedelta(days=1)


@pytest.fixture(scope="module")
def sessions() -> set[date]:
    with warnings.catch_warnings():  # the package is behind the pandas it runs on
        warnings.simplefilter("ignore")
        exchange = exchange_calendars.get_calendar("XSHG", start="2009-01-01", end="2026-12-31")
    return {session.date() for session in exchange.sessions}


@pytest.mark.parametrize("year", YEARS)
def test_working_days_are_those_of_the_state_council(year: int) -> None:
    assert [day for day in days_of(year) if shipped().is_working_day(day) != chinese_calendar.is_workday(day)] == []


@pytest.mark.parametrize("year", YEARS)
def test_trading_days_are_those_of_the_exchange(year: int, sessions: set[date]) -> None:
    assert [day for day in days_of(year) if shipped().is_trading_day(day) != (day in sessions)] == []


@pytest.mark.parametrize("year", YEARS)
def test_every_weekday_closure_of_the_exchange_alone_is_explained(year: int) -> None:
    alone = {
        day
        for day in days_of(year)
        if shipped().is_trading_day(day) != (day.weekday() < 5 and chinese_calendar.is_workday(day))
    }
    assert alone == {day for day in EXPLAINED if day.year == year}


def test_every_marked_day_is_named_as_the_oracle_names_it() -> None:
    english = {"Tomb-sweeping Day": "Qingming Festival", "Mid-autumn Festival": "Mid-Autumn Festival"}
    english["Anti-Fascist 70th Day"] = "Victory Day, 70th anniversary"
    for day in shipped().days:
        off, name = chinese_calendar.get_holiday_detail(day.day)
        if off and name is not None:
            assert day.name.en == english.get(name, name), day


def test_the_calendar_covers_exactly_its_years() -> None:
    calendar = shipped()
    assert (calendar.first, calendar.last, len(calendar.days)) == (date(2009, 1, 1), date(2026, 12, 31), 6574)
    assert all(row.source for row in calendar.rows)
