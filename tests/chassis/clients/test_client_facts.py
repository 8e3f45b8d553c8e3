"""What is kept of a client is a function of what was said, not of the order in which it came."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Date

from chassis.clients import Clients, Fact, Word, differs_from, values_on
from chassis.tables import new_metadata
from chassis.uow import UnitOfWork

KEPT = Clients(new_metadata(), Fact("branch_id", dated=True), Fact("manager_id", dated=True), Fact("birth_date", Date))
FIRST = datetime(2024, 1, 1, 4, tzinfo=UTC)
NOBODY = cast(UnitOfWork, None)  # nothing here is stored in another form than it is said

words = st.lists(
    st.tuples(
        st.sampled_from(["branch_id", "manager_id", "birth_date"]),
        st.integers(0, 200),
        st.integers(0, 3),
        st.sampled_from("ABC"),
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda one: one[:3],
)


def word(hours: int, number: int, value: str) -> Word:
    time = FIRST + timedelta(hours=hours)
    return time.isoformat(), f"e-{number}", (time + timedelta(hours=8)).date().isoformat(), value


def kept(said: list[tuple[str, int, int, str]], together: int) -> dict[str, Any]:
    row: dict[str, Any] = {"client_id": "c-1", "stamps": {}, "earlier": {}, **dict.fromkeys(KEPT.facts)}
    for start in range(0, len(said), together):
        batch: dict[str, list[Word]] = {}
        for name, hours, number, value in said[start : start + together]:
            batch.setdefault(name, []).append(word(hours, number, value))
        for name, own in batch.items():
            KEPT.merge(NOBODY, row, name, own)
    return row


@given(words, st.randoms(), st.integers(1, 4))
def test_every_order_and_every_batch_leave_the_same(
    said: list[tuple[str, int, int, str]], dice: Any, together: int
) -> None:
    shuffled = [*said, *said[:3]]  # some of it comes twice
    dice.shuffle(shuffled)
    assert kept(shuffled, together) == kept(said, len(said))


@given(words)
def test_a_day_is_told_by_the_highest_word_of_those_that_count_on_it(said: list[tuple[str, int, int, str]]) -> None:
    row = kept(said, 1)
    intervals = KEPT.intervals_of(row)
    for name in KEPT.facts:
        own = sorted(word(*one[1:]) for one in said if one[0] == name)
        assert row[name] == (own[-1][3] if own else None)
        if name not in KEPT.dated or not intervals:
            continue
        for ahead in range(10):
            day = date(2024, 1, 1) + timedelta(days=ahead)
            known = max(day.isoformat(), min((one[2] for one in own), default=""))
            found = values_on(intervals, day)
            assert found is not None
            assert found[name] == next((one[3] for one in reversed(own) if one[2] <= known), None)


def test_what_differs_is_known_from_its_first_day_on() -> None:
    before = KEPT.intervals_of(kept([("branch_id", 0, 0, "A")], 1))
    after = KEPT.intervals_of(kept([("branch_id", 0, 0, "A"), ("branch_id", 48, 0, "B"), ("branch_id", 96, 0, "A")], 1))
    assert differs_from(before, after) == date(2024, 1, 3)
    assert [since for since, _ in after] == [date.min, date(2024, 1, 3), date(2024, 1, 5)]
