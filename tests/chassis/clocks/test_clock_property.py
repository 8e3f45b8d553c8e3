"""Random ledgers: the same due as a clock that walks minute by minute, in whatever order they were recorded."""

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.calendar import shipped
from chassis.clocks import (
    Amount,
    Entry,
    Extension,
    NaturalDays,
    NaturalTime,
    Pause,
    Promise,
    Resume,
    Start,
    Until,
    WorkingDays,
    WorkingTime,
    due,
    read,
    warnings,
)
from tests.chassis.clocks.slow_clock import MINUTE, SHANGHAI, first_due, slow_due

CALENDAR = shipped()
FIRST = datetime(2009, 6, 1, tzinfo=SHANGHAI)
YEARS = st.integers(0, 17 * 365 * 1440).map(lambda minutes: FIRST + minutes * MINUTE)
# Around the long holidays with their make-up days, where sums go wrong most easily.
HOLIDAYS = st.builds(
    lambda year, minutes: datetime(year, 9, 24, tzinfo=SHANGHAI) + minutes * MINUTE,
    st.integers(2009, 2026),
    st.integers(0, 18 * 1440),
)
LIMITS: st.SearchStrategy[Amount] = st.one_of(
    st.integers(0, 6).map(WorkingDays),
    st.integers(0, 15).map(NaturalDays),
    st.integers(1, 900).map(lambda minutes: WorkingTime(minutes * MINUTE)),
    st.integers(1, 4000).map(lambda minutes: NaturalTime(minutes * MINUTE)),
)


def extension_of(limit: Amount, draw: st.DrawFn) -> Amount:
    if limit.measure.value == "working":
        return draw(st.sampled_from([WorkingDays(1), WorkingDays(2), WorkingTime(90 * MINUTE)]))
    return draw(st.sampled_from([NaturalDays(1), NaturalTime(90 * MINUTE)]))


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[Amount, list[Entry]]:
    """A limit and a valid ledger in order of effect, numbered and recorded in another order."""
    limit, at = draw(LIMITS), draw(st.one_of(YEARS, HOLIDAYS))
    acts: list[tuple[type[Entry], dict[str, object]]] = [(Start, {})]
    times, paused, fixed = [at], False, False
    for gap in draw(st.lists(st.integers(1, 2500), max_size=7)):
        at += gap * MINUTE
        act = draw(
            st.sampled_from(["wait", "extend", "promise"] if fixed else ["wait", "wait", "wait", "extend", "promise"])
        )
        if act == "promise":
            given_time = at + draw(st.integers(1, 5000)) * MINUTE
            paused, fixed = False, True
            acts.append((Promise, {"due": given_time}))
        elif act == "extend":
            acts.append((Extension, {"by": extension_of(limit, draw)}))
        elif paused:
            paused = False
            acts.append((Resume, {}))
        elif not fixed:
            paused = True
            acts.append((Pause, {"expected_end": draw(st.sampled_from([None, at + 60 * MINUTE]))}))
        else:
            continue
        times.append(at)
    numbers = draw(st.permutations(range(len(acts))))
    entries = [
        kind(number=number, effective=when, recorded=when + timedelta(days=number), **values)
        for (kind, values), when, number in zip(acts, times, numbers, strict=True)
    ]
    return limit, entries


@settings(deadline=None, max_examples=400)
@given(ledger=ledgers())
def test_a_due_is_what_walking_minute_by_minute_finds(ledger: tuple[Amount, list[Entry]]) -> None:
    limit, entries = ledger
    assert due(entries, limit, CALENDAR) == slow_due(entries, limit)


@settings(deadline=None, max_examples=200)
@given(ledger=ledgers(), data=st.data())
def test_the_order_of_recording_changes_nothing(ledger: tuple[Amount, list[Entry]], data: st.DataObject) -> None:
    limit, entries = ledger
    assert read(data.draw(st.permutations(entries)), limit, CALENDAR) == read(entries, limit, CALENDAR)


@settings(deadline=None, max_examples=200)
@given(limit=LIMITS, start=st.one_of(YEARS, HOLIDAYS))
def test_a_first_due_is_after_the_start_and_what_walking_finds(limit: Amount, start: datetime) -> None:
    begun = Start(number=1, effective=start, recorded=start)
    found = due([begun], limit, CALENDAR)
    assert found == first_due(limit, start)
    assert found is not None
    assert found > start


@settings(deadline=None, max_examples=200)
@given(ledger=ledgers(), share=st.integers(1, 99))
def test_a_warning_falls_where_its_share_of_the_running_time_is_used(
    ledger: tuple[Amount, list[Entry]], share: int
) -> None:
    reading = read(ledger[1], ledger[0], CALENDAR)
    for _, at in warnings(reading, CALENDAR, (share,)):
        assert reading.due is not None
        runs = [(run.begin, run.end or reading.due) for run in reading.runs]
        total = sum((reading.measure.between(*run, CALENDAR) for run in runs), timedelta(0))
        if total:
            used = [reading.measure.between(begin, min(end, at), CALENDAR) for begin, end in runs if begin < at]
            assert timedelta(0) <= sum(used, timedelta(0)) - total * share / 100 <= timedelta(microseconds=1)


@settings(deadline=None, max_examples=100)
@given(limit=LIMITS, start=HOLIDAYS, later=st.integers(1, 3000))
def test_a_given_time_is_the_due_whatever_the_limit(limit: Amount, start: datetime, later: int) -> None:
    begun = Start(number=1, effective=start, recorded=start)
    first = due([begun], limit, CALENDAR)
    assert first is not None
    given_time = first + later * MINUTE
    extended = Extension(number=2, effective=start, recorded=start, by=Until(given_time))
    assert due([begun, extended], limit, CALENDAR) == given_time
