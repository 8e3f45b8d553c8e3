"""The fold of a client's points: the rule's worked examples, and equal to the slow reference on random histories."""

import os
import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.points.fold import ClawBack, Fold, Gain, Hold, Item, Settlement, TakenOut, fold
from tests.reference import points_fold as reference

HISTORIES = int(os.environ.get("POINTS_HISTORIES", "400"))
"""Ten thousand for an evening, fewer in every run."""


def noon(day: date, minutes: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC) + timedelta(minutes=minutes)


def gain(name: str, day: date, ends: date, points: int = 100) -> Gain:
    return Gain(name, day, noon(day), points, ends)


def spent(name: str, day: date, points: int = 100) -> list[Item]:
    return [Hold(name, day, noon(day), points), Settlement(f"{name}/end", day, noon(day, 1), name, "spent")]


def state(found: Fold) -> tuple[int, int, int, dict[str, int]]:
    """Available, held, owed, and what is left of lots."""
    left = {lot.id: lot.remaining for lot in found.lots.values() if lot.remaining}
    return found.available, found.held, found.debt, left


L1_SPENT: list[Item] = [
    gain("L1", date(2020, 6, 1), date(2022, 6, 30)),
    gain("L2", date(2020, 7, 1), date(2022, 7, 31)),
    gain("L3", date(2021, 1, 4), date(2023, 1, 31)),
    *spent("s", date(2022, 6, 1)),
]


@pytest.mark.parametrize("heard_after", [date(2022, 6, 10), date(2022, 8, 15)])
def test_a_cancellation_heard_then_or_in_august_takes_l2_and_leaves_100(heard_after: date) -> None:
    cancelled = ClawBack("c", date(2022, 6, 10), noon(date(2022, 6, 10)), 100, "L1")
    found = fold([cancelled, *L1_SPENT], heard_after)
    assert (found.lots["L2"].remaining, found.lots["L2"].expired) == (0, 0)
    assert state(fold([cancelled, *L1_SPENT], date(2022, 8, 15))) == (100, 0, 0, {"L3": 100})


def test_a_late_lot_that_ends_first_is_what_the_spend_took() -> None:
    known: list[Item] = [gain("L1", date(2019, 12, 2), date(2021, 12, 31)), *spent("s", date(2021, 5, 3))]
    assert state(fold(known, date(2021, 8, 31))) == (0, 0, 0, {})
    late = gain("L0", date(2019, 7, 1), date(2021, 7, 31))
    assert state(fold([*known, late], date(2021, 8, 31))) == (100, 0, 0, {"L1": 100})


def test_points_nobody_used_leave_no_debt() -> None:
    facts: list[Item] = [
        gain("L1", date(2019, 6, 3), date(2021, 6, 30)),
        ClawBack("c", date(2021, 9, 1), noon(date(2021, 9, 1)), 100, "L1"),
    ]
    found = fold(facts, date(2021, 9, 1))
    assert state(found) == (0, 0, 0, {})
    expiries = [(move.value_on, move.credit, move.points) for move in found.transfers if move.kind == "expired"]
    assert expiries == [(date(2021, 6, 30), "expired", 100), (date(2021, 6, 30), "available", 100)]


def test_held_points_are_not_clawed_back_and_spent_ones_are_owed() -> None:
    facts: list[Item] = [
        gain("L1", date(2021, 1, 4), date(2023, 1, 31)),
        Hold("h", date(2021, 2, 1), noon(date(2021, 2, 1)), 70),
        ClawBack("c", date(2021, 2, 2), noon(date(2021, 2, 2)), 100, "L1"),
    ]
    assert state(fold(facts, date(2021, 2, 2))) == (0, 70, 70, {"L1": 70})
    repaid = [*facts, gain("L2", date(2021, 3, 1), date(2023, 3, 31))]
    assert state(fold(repaid, date(2021, 3, 1))) == (30, 70, 0, {"L1": 70, "L2": 30})


@pytest.mark.parametrize(("outcome", "days", "left"), [("refused", 29, 100), ("refused", 30, 0), ("withdrawn", 0, 0)])
def test_a_release_after_the_end_gives_thirty_days_unless_the_client_withdrew(
    outcome: str, days: int, left: int
) -> None:
    released = date(2021, 7, 15)
    facts: list[Item] = [
        gain("L1", date(2019, 6, 3), date(2021, 6, 30)),
        Hold("h", date(2021, 6, 20), noon(date(2021, 6, 20)), 100),
        Settlement("r", released, noon(released), "h", outcome),  # type: ignore[arg-type]
    ]
    assert fold(facts[:2], date(2021, 7, 14)).held == 100
    assert fold(facts, released + timedelta(days=days)).available == left


def test_an_extension_is_given_once() -> None:
    second, refused = date(2021, 8, 1), date(2021, 9, 20)
    facts: list[Item] = [
        gain("L1", date(2019, 6, 3), date(2021, 6, 30)),
        Hold("h", date(2021, 6, 20), noon(date(2021, 6, 20)), 100),
        Settlement("r", date(2021, 7, 15), noon(date(2021, 7, 15)), "h", "refused"),
        Hold("h2", second, noon(second), 100),
        Settlement("r2", refused, noon(refused), "h2", "refused"),
    ]
    assert state(fold(facts[:4], second)) == (0, 100, 0, {"L1/extended/r": 100})
    assert state(fold(facts, refused)) == (0, 0, 0, {})


def test_an_act_uses_lots_of_its_own_day_though_the_days_before_are_not_closed() -> None:
    facts: list[Item] = [
        gain("L1", date(2019, 6, 3), date(2021, 6, 30)),
        gain("L2", date(2019, 7, 3), date(2021, 7, 31)),
        *spent("s", date(2021, 7, 1)),
    ]
    open_june = fold(facts, date(2021, 6, 29))
    assert state(open_june) == (100, 0, 0, {"L1": 100})
    assert state(fold(facts, date(2021, 6, 30))) == (0, 0, 0, {})


@pytest.mark.parametrize("points", [30, 130])
def test_what_an_accepted_negative_adjustment_lacks_is_owed(points: int) -> None:
    day = date(2021, 2, 1)
    found = fold([gain("L1", date(2021, 1, 4), date(2023, 1, 31)), TakenOut("a", day, noon(day), points)], day)
    assert (found.available, found.debt) == (max(100 - points, 0), max(points - 100, 0))


DAYS = st.integers(0, 900).map(lambda n: date(2020, 1, 1) + timedelta(days=n))


@st.composite
def histories(draw: st.DrawFn) -> list[Item]:
    """Gains, claw-backs, holds that stay, end or are refused, adjustments; no two at one instant."""
    items: list[Item] = []

    def at(day: date) -> datetime:
        return noon(day, len(items))

    for n in range(draw(st.integers(1, 7))):
        day, points = draw(DAYS), draw(st.integers(1, 300))
        ends = day + timedelta(days=draw(st.integers(-20, 400)))
        items.append(Gain(f"g{n}", day, at(day), points, ends, draw(st.sampled_from(["accrued", "bonus"]))))
        if draw(st.booleans()):
            back = day + timedelta(days=draw(st.integers(0, 500)))
            items.append(ClawBack(f"c{n}", back, at(back), draw(st.integers(1, points)), f"g{n}"))
    for n in range(draw(st.integers(0, 4))):
        day = draw(DAYS)
        items.append(Hold(f"h{n}", day, at(day), draw(st.integers(1, 300))))
        end = day + timedelta(days=draw(st.integers(0, 300)))
        outcome = draw(st.sampled_from(["spent", "refused", "withdrawn", None]))
        if outcome:
            items.append(Settlement(f"e{n}", end, at(end), f"h{n}", outcome))  # type: ignore[arg-type]
    if draw(st.booleans()):
        day = draw(DAYS)
        items.append(TakenOut("a", day, at(day), draw(st.integers(1, 200))))
    return items


def as_reference(item: Item) -> reference.Item:
    match item:
        case Gain():
            return reference.Gain(*item)
        case ClawBack():
            return reference.ClawBack(*item)
        case Hold():
            return reference.Hold(*item)
        case TakenOut():
            return reference.AdjustDown(*item)
        case Settlement(name, day, at, hold, "spent"):
            return reference.Spend(name, day, at, hold)
        case Settlement(name, day, at, hold, outcome):
            return reference.Release(name, day, at, hold, outcome == "withdrawn")


def posted(found: Fold) -> Counter[tuple[str, date, str]]:
    """Signed points as the client sees them: what holds and releases move inside the client's accounts is no entry."""
    own = ("available", "held", "debt")
    sums: Counter[tuple[str, date, str]] = Counter()
    for move in found.transfers:
        name = move.lot if move.kind == "expired" and move.lot else move.item
        sums[move.kind, move.value_on, name] += move.points * ((move.credit in own) - (move.debit in own))
    return Counter({key: points for key, points in sums.items() if points})


@settings(max_examples=HISTORIES, deadline=None)
@given(histories(), st.integers(0, 2**32))
def test_it_equals_the_reference_as_of_every_date_in_any_order(items: list[Item], seed: int) -> None:
    theirs = [as_reference(item) for item in items]
    days = {item.value_on for item in items} | {item.expires_on for item in items if isinstance(item, Gain)}
    days |= {item.value_on + timedelta(days=30) for item in items if isinstance(item, Settlement)}
    random.Random(seed).shuffle(items)
    for day in sorted(days | {day - timedelta(days=1) for day in days}):
        found = fold([item for item in items if item.value_on <= day], day)
        wanted = reference.fold(theirs, day)
        assert (found.available, found.held, found.debt) == (wanted.available, wanted.held, wanted.debt)
        assert {lot.id: (lot.free, lot.held, lot.expired) for lot in found.lots.values()} == {
            lot.id: (lot.free, lot.held, lot.expired) for lot in wanted.lots.values()
        }
        sums: Counter[tuple[str, date, str]] = Counter()
        for kind, value_on, name, points in wanted.posted:
            sums[kind, value_on, name] += points
        assert posted(found) == Counter({key: points for key, points in sums.items() if points})
        assert found.available + found.held == sum(lot.remaining for lot in found.lots.values())
        assert min(found.available, found.held, found.debt) >= 0
