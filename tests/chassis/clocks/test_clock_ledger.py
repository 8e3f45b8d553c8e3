"""Pauses, promises, extensions and stops by table; late recording; every bad input named in the rules."""

import json
from datetime import datetime, timedelta, timezone

import pytest

from chassis.calendar import Calendar, shipped
from chassis.clocks import (
    Entry,
    Extension,
    NaturalDays,
    NaturalTime,
    Pause,
    Promise,
    Replanned,
    Resume,
    Start,
    State,
    Stop,
    Until,
    WorkingDays,
    WorkingTime,
    detail_of,
    due,
    entry_from,
    kind_of,
    read,
    replan,
    warnings,
)
from chassis.clocks.errors import (
    ClockNotStarted,
    EntryAfterStop,
    EntryBeforeStart,
    EntryInvalid,
    ExtensionInOtherUnit,
    ExtensionShortens,
    NotPausable,
    OverlappingPauses,
    PauseEndsBeforeItBegins,
    PromiseInThePast,
    ResumeWithoutPause,
    StartedTwice,
)
from chassis.errors import Refusal

CALENDAR = shipped()
SHANGHAI = timezone(timedelta(hours=8))
HOUR = timedelta(hours=1)
THREE_DAYS = WorkingDays(3)


def at(text: str) -> datetime:
    """An instant of November 2026 in Shanghai, such as `20 10:00`; the 20th is a Friday."""
    return datetime.fromisoformat(f"2026-11-{text}").replace(tzinfo=SHANGHAI)


def ledger(*told: tuple[type[Entry], str] | tuple[type[Entry], str, dict[str, object]]) -> list[Entry]:
    """Entries recorded as they happened, numbered in the order told; `recorded` may be given."""
    entries = []
    for number, (kind, effective, *more) in enumerate(told, 1):
        values: dict[str, object] = {"recorded": at(effective)} | (dict(more[0]) if more else {})
        entries.append(kind(number=number, effective=at(effective), **values))
    return entries


def test_a_pause_keeps_the_remaining_working_time_to_the_second_c27() -> None:
    paused = ledger((Start, "18 10:00"), (Pause, "19 16:59:01"))
    reading = read(paused, WorkingTime(20 * HOUR), CALENDAR)
    assert (reading.state, reading.due) == (State.PAUSED, None)
    assert reading.remaining == 20 * HOUR - timedelta(hours=6, minutes=30) - timedelta(hours=6, minutes=59, seconds=1)
    resumed = [*paused, Resume(number=3, effective=at("21 11:00"), recorded=at("21 11:00"))]
    assert due(resumed, WorkingTime(20 * HOUR), CALENDAR) == at("23 16:30:59")


def test_a_limit_in_days_is_rounded_up_to_the_end_of_the_working_day_c27() -> None:
    told = ledger((Start, "16 10:00"), (Pause, "17 10:00"), (Resume, "18 09:30"))  # due was the 19th, 17:30
    assert due(told, THREE_DAYS, CALENDAR) == at("20 17:30")


def test_natural_days_pause_in_natural_time_to_midnight() -> None:
    told = ledger((Start, "02 10:00"), (Pause, "04 10:00"), (Resume, "05 09:00"))  # due was the 17th, 24:00
    assert due(told, NaturalDays(15), CALENDAR) == at("19 00:00")


def test_a_pause_forecasts_the_due_from_its_expected_end() -> None:
    told = ledger((Start, "16 10:00"), (Pause, "17 10:00", {"expected_end": at("18 10:00")}))
    assert read(told, THREE_DAYS, CALENDAR).expected_due == at("20 17:30")


def test_a_reply_recorded_late_ends_the_pause_at_its_own_time_and_may_breach_at_once_c27() -> None:
    told = ledger((Start, "16 10:00"), (Pause, "16 11:00"), (Resume, "16 11:30", {"recorded": at("20 09:00")}))
    assert due(told, THREE_DAYS, CALENDAR) == at("20 17:30")
    same_day = read(told, WorkingDays(0), CALENDAR)
    assert same_day.due == at("17 17:30")
    assert same_day.breaches(now=at("20 09:00")) == (at("17 17:30"),)
    assert due(told, WorkingDays(0), CALENDAR, known_at=at("19 00:00")) is None


def test_pauses_told_out_of_order_give_the_same_due() -> None:
    in_order = ledger(
        (Start, "09 10:00"), (Pause, "10 10:00"), (Resume, "10 11:00"), (Pause, "11 10:00"), (Resume, "12 10:00")
    )
    late = ledger(
        (Pause, "11 10:00"), (Resume, "12 10:00"), (Pause, "10 10:00"), (Start, "09 10:00"), (Resume, "10 11:00")
    )
    assert due(late, THREE_DAYS, CALENDAR) == due(in_order, THREE_DAYS, CALENDAR) == at("16 17:30")


def test_a_pause_may_begin_the_instant_another_ends() -> None:
    told = ledger((Start, "16 10:00"), (Pause, "16 11:00"), (Resume, "16 12:00"), (Pause, "16 12:00"))
    assert read(told, THREE_DAYS, CALENDAR).state == State.PAUSED


def test_a_pause_after_the_due_does_not_undo_the_breach() -> None:
    told = ledger((Start, "18 10:00"), (Pause, "19 10:00"), (Resume, "20 10:00"))
    reading = read(told, WorkingDays(0), CALENDAR)
    assert (reading.due, reading.missed) == (at("18 17:30"), (at("18 17:30"),))


def test_an_extension_gives_an_overdue_pause_its_meaning_back() -> None:
    told = ledger((Start, "18 10:00"), (Pause, "19 10:00"), (Extension, "19 11:00", {"by": WorkingDays(2)}))
    reading = read(told, WorkingDays(0), CALENDAR)
    assert (reading.state, reading.due, reading.remaining) == (State.PAUSED, None, timedelta(hours=13))
    assert due([*told, *ledger((Resume, "20 11:00"))], WorkingDays(0), CALENDAR) == at("23 17:30")


def test_a_promise_replaces_the_limit_and_can_be_moved_c6() -> None:
    told = ledger((Start, "18 10:00"), (Promise, "18 15:00", {"due": at("20 12:00")}))
    reading = read(told, WorkingDays(0), CALENDAR)
    assert (reading.due, reading.promises, reading.missed) == (at("20 12:00"), 1, ())
    # The promise starts a clock of its own: 2 h 30 + 7 h 30 + 3 h of working time from 15:00 on.
    assert warnings(reading, CALENDAR) == ((75, at("19 17:15")),)
    moved = [*told, Promise(number=3, effective=at("20 11:00"), recorded=at("20 11:00"), due=at("23 12:00"))]
    assert read(moved, WorkingDays(0), CALENDAR).promises == 2
    assert due(moved, WorkingDays(0), CALENDAR) == at("23 12:00")


def test_a_promise_after_the_due_leaves_the_breach_on_record() -> None:
    told = ledger((Start, "18 10:00"), (Promise, "18 17:30", {"due": at("20 12:00")}))
    reading = read(told, WorkingDays(0), CALENDAR)
    assert reading.missed == (at("18 17:30"),)
    assert reading.breaches(at("20 12:00")) == (at("18 17:30"), at("20 12:00"))


def test_a_promise_for_an_evening_warns_in_natural_time() -> None:
    told = ledger((Start, "20 18:00"), (Promise, "21 10:00", {"due": at("21 14:00")}))
    assert warnings(read(told, WorkingDays(0), CALENDAR), CALENDAR) == ((75, at("21 13:00")),)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (WorkingDays(2), "23 17:30"),
        (WorkingTime(HOUR), "20 17:30"),
        (Until(at("22 00:00")), "22 00:00"),
    ],
)
def test_an_extension_moves_the_due(by: object, expected: str) -> None:
    told = ledger((Start, "16 10:00"), (Extension, "17 10:00", {"by": by}))
    assert due(told, THREE_DAYS, CALENDAR) == at(expected)


def test_an_extension_during_a_pause_adds_to_what_remains() -> None:
    told = ledger((Start, "16 10:00"), (Pause, "16 16:30"), (Extension, "17 10:00", {"by": WorkingTime(HOUR)}))
    assert read(told, WorkingTime(6 * HOUR), CALENDAR).remaining == 1.5 * HOUR


@pytest.mark.parametrize(
    ("limit", "stopped", "missed"),
    [
        (WorkingDays(0), "18 17:29:59", False),
        (WorkingDays(0), "18 17:30:00", True),  # at 17:30:00 the day is over [C6]
        (NaturalTime(HOUR / 2), "18 10:30:00", False),  # at most 30 minutes [C7]
        (NaturalTime(HOUR / 2), "18 10:30:01", True),
    ],
)
def test_done_at_the_very_end(limit: WorkingDays | NaturalTime, stopped: str, missed: bool) -> None:
    reading = read(ledger((Start, "18 10:00"), (Stop, stopped)), limit, CALENDAR)
    assert bool(reading.breaches(at("30 00:00"))) is missed
    assert (reading.state, reading.stopped) == (State.STOPPED, at(stopped))
    assert warnings(reading, CALENDAR) == ()


PAUSED = ((Start, "18 10:00"), (Pause, "18 11:00"))


@pytest.mark.parametrize(
    ("told", "refusal"),
    [
        ((), ClockNotStarted),
        (((Pause, "18 10:00"),), ClockNotStarted),
        (((Start, "18 10:00"), (Start, "18 11:00")), StartedTwice),
        (((Start, "18 10:00"), (Pause, "18 09:59")), EntryBeforeStart),
        (((Start, "18 10:00"), (Stop, "18 11:00"), (Pause, "18 12:00")), EntryAfterStop),
        (((Start, "18 10:00"), (Stop, "18 11:00"), (Stop, "18 12:00")), EntryAfterStop),
        ((*PAUSED, (Pause, "18 11:30")), OverlappingPauses),
        ((*PAUSED, (Pause, "18 10:30")), OverlappingPauses),
        ((*PAUSED, (Resume, "18 12:00"), (Pause, "18 11:30")), OverlappingPauses),
        ((*PAUSED, (Resume, "18 10:30")), PauseEndsBeforeItBegins),
        (((Start, "18 10:00"), (Pause, "18 11:00", {"expected_end": at("18 10:59")})), PauseEndsBeforeItBegins),
        (((Start, "18 10:00"), (Pause, "18 11:00", {"expected_end": at("18 11:00")})), PauseEndsBeforeItBegins),
        (((Start, "18 10:00"), (Resume, "18 11:00")), ResumeWithoutPause),
        ((*PAUSED, (Resume, "18 12:00"), (Resume, "18 13:00")), ResumeWithoutPause),
        (((Start, "18 10:00"), (Promise, "18 11:00", {"due": at("18 10:59")})), PromiseInThePast),
        (((Start, "18 10:00"), (Promise, "18 11:00", {"due": at("18 11:00")})), PromiseInThePast),
        (((Start, "18 10:00"), (Promise, "18 11:00", {"due": at("20 10:00")}), (Pause, "18 12:00")), NotPausable),
        (((Start, "18 10:00"), (Extension, "18 11:00", {"by": Until(at("19 10:00"))})), ExtensionShortens),
        (((Start, "18 10:00"), (Extension, "18 11:00", {"by": NaturalDays(1)})), ExtensionInOtherUnit),
    ],
)
def test_entries_that_cannot_be_true_together_are_refused(told: tuple[object, ...], refusal: type[Refusal]) -> None:
    with pytest.raises(refusal) as refused:
        due(ledger(*told), THREE_DAYS, CALENDAR)  # type: ignore[arg-type]
    assert refused.value.status in (409, 422)
    assert refused.value.title.zh


def test_only_some_clocks_can_be_paused_c27() -> None:
    with pytest.raises(NotPausable):
        due(ledger(*PAUSED), NaturalTime(HOUR, pausable=False), CALENDAR)
    with pytest.raises(NotPausable):
        due(ledger(*PAUSED), Until(at("19 00:00")), CALENDAR)


def test_a_clock_is_not_known_before_it_was_recorded() -> None:
    told = ledger((Start, "18 10:00", {"recorded": at("18 10:05")}))
    with pytest.raises(ClockNotStarted):
        due(told, THREE_DAYS, CALENDAR, known_at=at("18 10:04"))
    assert due(told, THREE_DAYS, CALENDAR, known_at=at("18 10:05")) == at("23 17:30")


@pytest.mark.parametrize(
    "entry",
    ledger(
        (Start, "18 10:00", {"reason": "客户来电"}),
        (Pause, "18 11:00", {"reason": "等待客户", "expected_end": at("20 11:00")}),
        (Pause, "18 11:00"),
        (Resume, "19 11:00"),
        (Promise, "19 11:00", {"due": at("20 12:00")}),
        (Extension, "19 11:00", {"by": WorkingDays(2)}),
        (Extension, "19 11:00", {"by": NaturalDays(2)}),
        (Extension, "19 11:00", {"by": WorkingTime(timedelta(seconds=90))}),
        (Extension, "19 11:00", {"by": NaturalTime(HOUR)}),
        (Extension, "19 11:00", {"by": Until(at("30 00:00"))}),
        (Stop, "20 11:00"),
    ),
)
def test_entries_are_stored_and_read_back(entry: Entry) -> None:
    detail = json.loads(json.dumps(detail_of(entry)))
    assert entry_from(kind_of(entry), entry.number, entry.effective, entry.recorded, detail) == entry


@pytest.mark.parametrize(
    ("kind", "detail"),
    [("rewind", {}), ("promise", {}), ("promise", {"due": "soon"}), ("pause", {"expected_end": "2026-11-20T10:00:00"})],
)
def test_an_entry_that_cannot_be_read_is_refused(kind: str, detail: dict[str, str]) -> None:
    with pytest.raises(EntryInvalid):
        entry_from(kind, 1, at("18 10:00"), at("18 10:00"), detail)


def test_a_new_calendar_moves_open_clocks_and_never_closed_ones() -> None:
    holiday = {
        "first": "2026-11-19",
        "kind": "holiday",
        "name_zh": "新假日",
        "name_en": "new holiday",
        "source": "test",
    }
    changed = Calendar.from_rows("changed", [*CALENDAR.rows, holiday])
    running = ledger((Start, "18 10:00"))
    assert replan(running, WorkingDays(1), CALENDAR, changed) == Replanned(at("19 17:30"), at("20 17:30"))
    assert replan(running, WorkingDays(0), CALENDAR, changed) is None
    assert replan([*running, *ledger((Stop, "19 10:00"))], WorkingDays(1), CALENDAR, changed) is None
    paused = ledger((Start, "18 10:00"), (Pause, "18 11:00", {"expected_end": at("19 11:00")}))
    assert replan(paused, WorkingDays(0), CALENDAR, changed) == Replanned(at("19 17:30"), at("20 17:30"))
