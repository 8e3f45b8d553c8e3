"""The reference fold of points against the worked examples of its rule, and its own invariants."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference.points_fold import AdjustDown, ClawBack, Gain, Hold, Item, Release, Spend, fold


def gain(name: str, day: date, points: int, ends: date) -> Gain:
    return Gain(name, day, noon(day), points, ends)


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


def test_a_claw_back_takes_other_lots_as_of_its_value_date() -> None:
    """L1 spent on 1 June, cancelled on 10 June, heard then or in August: L2 is taken and 100 are left, both times."""
    facts: list[Item] = [
        gain("L1", date(2020, 6, 1), 100, date(2022, 6, 30)),
        gain("L2", date(2020, 7, 1), 100, date(2022, 7, 31)),
        gain("L3", date(2021, 1, 4), 100, date(2023, 1, 31)),
        Hold("h", date(2022, 6, 1), noon(date(2022, 6, 1)), 100),
        Spend("s", date(2022, 6, 1), noon(date(2022, 6, 1)) + timedelta(minutes=1), "h"),
        ClawBack("c", date(2022, 6, 10), noon(date(2022, 6, 10)), 100, "L1"),
    ]
    june, august = fold(facts, date(2022, 6, 10)), fold(facts, date(2022, 8, 15))
    assert (june.available, june.debt, june.lots["L2"].remaining) == (100, 0, 0)
    assert (august.available, august.debt, august.lots["L3"].remaining) == (100, 0, 100)
    assert not [kind for kind, *_ in august.posted if kind == "expired"]


def test_a_late_lot_that_ends_earlier_is_what_an_accepted_spend_took() -> None:
    """100 spent in May from L1 (ends December); L0 (ends July) becomes known: the spend takes L0, L1 remains."""
    known: list[Item] = [
        gain("L1", date(2019, 12, 2), 100, date(2021, 12, 31)),
        Hold("h", date(2021, 5, 3), noon(date(2021, 5, 3)), 100),
        Spend("s", date(2021, 5, 3), noon(date(2021, 5, 3)) + timedelta(minutes=1), "h"),
    ]
    late = gain("L0", date(2019, 7, 1), 100, date(2021, 7, 31))
    assert fold(known, date(2021, 8, 31)).lots["L1"].remaining == 0
    after = fold([*known, late], date(2021, 8, 31))
    assert (after.lots["L0"].remaining, after.lots["L1"].remaining, after.available) == (0, 100, 100)


def test_points_nobody_used_leave_no_debt_when_their_trade_is_cancelled() -> None:
    facts: list[Item] = [
        gain("L1", date(2019, 6, 3), 100, date(2021, 6, 30)),
        ClawBack("c", date(2021, 9, 1), noon(date(2021, 9, 1)), 100, "L1"),
    ]
    state = fold(facts, date(2021, 9, 1))
    assert (state.available, state.debt) == (0, 0)
    assert sum(points for kind, *_, points in state.posted if kind == "expired") == 0


@pytest.mark.parametrize(("withdrawn", "available", "later"), [(False, 100, 0), (True, 0, 0)])
def test_held_points_outlive_their_end_and_a_refusal_gives_thirty_days(
    withdrawn: bool, available: int, later: int
) -> None:
    facts: list[Item] = [
        gain("L1", date(2019, 6, 3), 100, date(2021, 6, 30)),
        Hold("h", date(2021, 6, 20), noon(date(2021, 6, 20)), 100),
        Release("r", date(2021, 7, 15), noon(date(2021, 7, 15)), "h", withdrawn),
    ]
    assert fold(facts, date(2021, 7, 10)).held == 100
    assert fold(facts, date(2021, 8, 13)).available == available
    assert fold(facts, date(2021, 8, 14)).available == later


def test_an_accepted_hold_that_lacks_points_is_debt_and_gains_repay_it_first() -> None:
    facts: list[Item] = [
        gain("L1", date(2021, 1, 4), 100, date(2023, 1, 31)),
        Hold("h", date(2021, 2, 1), noon(date(2021, 2, 1)), 100),
        ClawBack("c", date(2021, 1, 20), noon(date(2021, 1, 20)), 40, "L1"),
        gain("L2", date(2021, 3, 1), 50, date(2023, 3, 31)),
    ]
    assert (fold(facts, date(2021, 2, 1)).debt, fold(facts, date(2021, 2, 1)).held) == (40, 100)
    assert (fold(facts, date(2021, 3, 1)).debt, fold(facts, date(2021, 3, 1)).available) == (0, 10)


DAYS = st.integers(0, 1_000).map(lambda n: date(2020, 1, 1) + timedelta(days=n))


@st.composite
def histories(draw: st.DrawFn) -> list[Item]:
    """Gains, claw-backs of them, holds with or without an end, adjustments."""
    items: list[Item] = []
    for n in range(draw(st.integers(1, 6))):
        day, points = draw(DAYS), draw(st.integers(1, 300))
        items.append(gain(f"g{n}", day, points, day + timedelta(days=draw(st.integers(20, 400)))))
        if draw(st.booleans()):
            back = day + timedelta(days=draw(st.integers(0, 500)))
            items.append(
                ClawBack(f"c{n}", back, noon(back) + timedelta(hours=1), draw(st.integers(1, points)), f"g{n}")
            )
    for n in range(draw(st.integers(0, 3))):
        day = draw(DAYS)
        items.append(Hold(f"h{n}", day, noon(day) + timedelta(hours=2), draw(st.integers(1, 200))))
        end = day + timedelta(days=draw(st.integers(0, 300)))
        after = noon(end) + timedelta(hours=3)
        match draw(st.sampled_from(["open", "spent", "refused", "withdrawn"])):
            case "spent":
                items.append(Spend(f"s{n}", end, after, f"h{n}"))
            case "refused":
                items.append(Release(f"r{n}", end, after, f"h{n}"))
            case "withdrawn":
                items.append(Release(f"r{n}", end, after, f"h{n}", withdrawn=True))
            case _:
                pass
    if draw(st.booleans()):
        day = draw(DAYS)
        items.append(AdjustDown("a", day, noon(day), draw(st.integers(1, 100))))
    return items


@given(histories(), st.randoms(use_true_random=False), DAYS)
def test_nothing_depends_on_the_order_and_everything_adds_up(items: list[Item], random: object, day: date) -> None:
    state = fold(items, day)
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fold(shuffled, day) == state
    assert sum(points for *_, points in state.posted) == state.balance
    assert state.debt >= 0
    assert all(lot.remaining >= sum(lot.held.values()) and lot.free >= 0 for lot in state.lots.values())
    assert not [lot for lot in state.lots.values() if lot.free and lot.expires_on <= day]
