"""Versions from rows: what is refused on load, what a new version changes, and the way back to rows."""

import json
from datetime import date, datetime, time, timedelta, timezone

import pytest

from chassis.calendar import Calendar, CalendarInvalid, CalendarRow, WorkingHours, difference, shipped

SHANGHAI = timezone(timedelta(hours=8))


def row(first: str, kind: str, last: str = "", name: str = "made up") -> dict[str, object]:
    return {"first": first, "last": last, "kind": kind, "name_zh": name, "name_en": name, "source": "a test"}


YEAR_2027 = [
    row("2027-01-01", "notice", "2027-12-31"),
    row("2027-01-01", "holiday", "2027-01-03"),
    row("2027-05-01", "holiday", "2027-05-05"),
    row("2027-10-01", "holiday", "2027-10-07"),
    row("2027-10-09", "make_up"),
]


@pytest.mark.parametrize(
    ("rows", "day"),
    [
        # A hole: a year left out, a day between two notices left out, a year without its holidays.
        ([*YEAR_2027, row("2029-01-01", "notice", "2029-01-02"), row("2029-01-01", "holiday")], "2028-01-01"),
        ([row("2027-01-02", "notice", "2027-02-01"), row("2027-02-03", "notice", "2027-02-04")], "2027-02-02"),
        ([row("2027-01-01", "notice", "2027-12-31")], "2027-01-01"),
        ([*YEAR_2027, row("2028-01-01", "notice", "2028-12-31")], "2028-05-01"),  # 1 January is a Saturday
        # Two answers for one day.
        ([*YEAR_2027, row("2027-10-09", "holiday")], "2027-10-09"),
        ([*YEAR_2027, row("2027-10-07", "holiday", "2027-10-08")], "2027-10-07"),
        ([*YEAR_2027, row("2027-10-09", "make_up")], "2027-10-09"),
        ([*YEAR_2027, row("2027-12-31", "notice", "2028-01-31")], "2027-12-31"),
        # Rows that cannot be meant.
        ([*YEAR_2027, row("2027-06-09", "make_up")], "2027-06-09"),
        ([*YEAR_2027, row("2028-01-01", "holiday")], "2028-01-01"),
        ([*YEAR_2027, row("2027-06-09", "holiday", "2027-06-08")], "2027-06-09"),
        ([*YEAR_2027, row("2027-06-09", "half_day")], "2027-06-09"),
    ],
)
def test_an_invalid_calendar_is_refused_naming_the_day(rows: list[dict[str, object]], day: str) -> None:
    with pytest.raises(CalendarInvalid, match=day) as refusal:
        Calendar.from_rows("bad", rows)
    assert refusal.value.day == date.fromisoformat(day)
    assert day in refusal.value.detail.zh


@pytest.mark.parametrize(
    "rows", [[], [row("2027-05-01", "holiday")], [row("2027-02-29", "notice")], [{"kind": "notice"}]]
)
def test_rows_without_days_are_refused(rows: list[dict[str, object]]) -> None:
    with pytest.raises(CalendarInvalid):
        Calendar.from_rows("bad", rows)


def test_working_hours_that_overlap_are_refused() -> None:
    with pytest.raises(CalendarInvalid):
        WorkingHours(((time(9), time(13)), (time(12), time(17))))


def test_rows_go_through_json_and_back_in_any_order() -> None:
    rows = json.loads(json.dumps([row.as_mapping() for row in reversed(shipped().rows)]))
    again = Calendar.from_rows(shipped().version, rows)
    assert again == shipped()
    assert again.days == shipped().days


def test_the_next_year_is_published_as_a_longer_version() -> None:
    longer = Calendar.from_rows("2027", [*shipped().rows, *YEAR_2027])
    changes = difference(shipped(), longer)
    assert len(changes) == 365
    assert changes[0].before is None
    assert longer.add_days(date(2026, 12, 31), 1) == date(2027, 1, 4)


def test_a_later_notice_shows_as_the_days_it_changes() -> None:
    notice = CalendarRow.as_mapping(shipped().rows[-1]) | {"first": "2026-12-24", "last": "2026-12-25"}
    changed = Calendar.from_rows("changed", [*shipped().rows, notice | {"kind": "holiday", "name_en": "made up"}])
    found = difference(shipped(), changed)
    assert [change.day.isoformat() for change in found] == ["2026-12-24", "2026-12-25"]
    assert [(c.before and c.before.working, c.after and c.after.working) for c in found] == [(True, False)] * 2
    assert difference(shipped(), shipped()) == ()


def test_other_working_hours_change_every_working_day() -> None:
    shorter = Calendar.from_rows("shorter", shipped().rows, WorkingHours(((time(9), time(12)),)))
    assert len(difference(shipped(), shorter)) == sum(day.working for day in shipped().days)
    start = datetime(2026, 11, 20, 11, tzinfo=SHANGHAI)
    assert shorter.add_working_time(start, timedelta(hours=2)) == datetime(2026, 11, 23, 10, tzinfo=SHANGHAI)


def test_a_service_day_receives_clients_but_runs_no_clock_c26() -> None:
    calendar = Calendar.from_rows("service", [*shipped().rows, row("2026-11-21", "service")])
    saturday = datetime(2026, 11, 21, 10, tzinfo=SHANGHAI)
    assert calendar.is_reception(saturday)
    assert not shipped().is_reception(saturday)
    assert not calendar.is_working(saturday)
    assert calendar.reception_day(saturday) == date(2026, 11, 23)
