"""The escalation ladder of complaints, step by step [C22]."""

from datetime import datetime, timedelta, timezone

import pytest

from chassis.calendar import shipped
from chassis.clocks import (
    Fired,
    Ladder,
    NaturalTime,
    Pause,
    Start,
    Stop,
    WorkingDays,
    next_step,
    planned,
    read,
)
from chassis.clocks.errors import LimitInvalid

CALENDAR = shipped()
SHANGHAI = timezone(timedelta(hours=8))
C22 = Ladder.from_rows(
    [
        {"name": "owner", "share": 75},
        {"name": "directors", "share": 100},
        {"name": "general_manager", "working_minutes": 240},
        {"name": "headquarters", "working_days": 1},
        {"name": "compliance", "working_days": 2},
    ]
)
NAMES = [step.name for step in C22.steps]


def at(text: str) -> datetime:
    """An instant of November 2026; the 20th is a Friday."""
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=SHANGHAI)


START = Start(number=1, effective=at("20 09:00"), recorded=at("20 09:00"))
SAME_DAY = read([START], WorkingDays(0), CALENDAR)  # due on Friday the 20th, 17:30


def test_with_every_step_acknowledged_the_offsets_count_from_the_due() -> None:
    expected = tuple(map(at, ("20 15:37:30", "20 17:30", "23 14:00", "23 17:30", "24 17:30")))
    assert planned(C22, SAME_DAY, CALENDAR) == expected
    fired: list[Fired] = []
    for name, when in zip(NAMES, expected, strict=True):
        step = next_step(C22, SAME_DAY, CALENDAR, fired)
        assert step is not None
        assert (step[0].name, step[1]) == (name, when)
        fired.append(Fired(when, acknowledged=when + timedelta(minutes=1)))
    assert next_step(C22, SAME_DAY, CALENDAR, fired) is None


@pytest.mark.parametrize(
    ("fired", "name", "when"),
    [
        # Unacknowledged for a working hour, but never before 100 %.
        ([Fired(at("20 15:37:30"))], "directors", "20 17:30"),
        # One working hour after 17:30 on Friday is 10:00 on Monday, earlier than four hours.
        ([Fired(at("20 15:37:30")), Fired(at("20 17:30"))], "general_manager", "23 10:00"),
        ([Fired(at("20 15:37:30")), Fired(at("20 17:30")), Fired(at("23 10:00"))], "headquarters", "23 11:00"),
        # Its own offset comes first when the step before fired late.
        ([Fired(at("20 15:37:30")), Fired(at("23 13:30"))], "general_manager", "23 14:00"),
        # Acknowledged in the last second of the hour counts, later does not.
        ([Fired(at("20 15:37:30")), Fired(at("20 17:30"), at("23 10:00"))], "general_manager", "23 14:00"),
        ([Fired(at("20 15:37:30")), Fired(at("20 17:30"), at("23 10:00:01"))], "general_manager", "23 10:00"),
        # An hour that reaches over lunch.
        ([Fired(at("20 15:37:30")), Fired(at("20 17:30")), Fired(at("23 11:30"))], "headquarters", "23 13:30"),
    ],
)
def test_an_unacknowledged_step_calls_the_next_one(fired: list[Fired], name: str, when: str) -> None:
    step = next_step(C22, SAME_DAY, CALENDAR, fired)
    assert step is not None
    assert (step[0].name, step[1]) == (name, at(when))


def test_a_clock_in_natural_time_climbs_in_working_time() -> None:
    night = Start(number=1, effective=at("20 23:45"), recorded=at("20 23:45"))
    reading = read([night], NaturalTime(timedelta(minutes=30)), CALENDAR)
    expected = ("21 00:07:30", "21 00:15", "23 14:00", "23 17:30", "24 17:30")
    assert planned(C22, reading, CALENDAR) == tuple(map(at, expected))


def test_a_paused_or_stopped_clock_climbs_no_further() -> None:
    paused = [START, Pause(number=2, effective=at("20 10:00"), recorded=at("20 10:00"))]
    stopped = [START, Stop(number=2, effective=at("20 10:00"), recorded=at("20 10:00"))]
    assert next_step(C22, read(paused, WorkingDays(0), CALENDAR), CALENDAR) is None
    assert next_step(C22, read(stopped, WorkingDays(0), CALENDAR), CALENDAR) is None


def test_an_overdue_clock_goes_on_climbing_although_it_is_paused() -> None:
    paused = [START, Pause(number=2, effective=at("23 09:10"), recorded=at("23 09:10"))]
    step = next_step(
        C22, read(paused, WorkingDays(0), CALENDAR), CALENDAR, [Fired(at("20 15:37:30")), Fired(at("20 17:30"))]
    )
    assert step is not None
    assert step[1] == at("23 10:00")


@pytest.mark.parametrize(
    "row",
    [
        {"name": "x"},
        {"name": "x", "share": 0},
        {"name": "x", "share": 75, "working_days": 1},
        {"name": "x", "share": 101},
    ],
)
def test_a_step_needs_a_share_or_an_offset(row: dict[str, object]) -> None:
    with pytest.raises(LimitInvalid):
        Ladder.from_rows([row])
