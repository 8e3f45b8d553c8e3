"""Who acts for a seat: holders, deputies, absences, leavers, circles, conflicts of interest [C5, C28]."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from careline.replay.roster import roster as fixed_roster
from chassis.clock import at
from chassis.staff import (
    CALL_CENTRE,
    COMPLAINT_GROUP,
    DEPARTMENTS,
    GENERAL_MANAGER,
    HQ,
    OPERATIONS_CENTRE,
    Roster,
    roster_of,
)
from contracts.broker import Absence, BranchChanged, Seat, StaffChanged

DAY = date(2021, 3, 1)
START, NOON = at(date(2020, 1, 1), 0), at(DAY, 12)
GM = Seat(unit="B3", seat=GENERAL_MANAGER)


def person(staff_id: str, *seats: Seat, **more: object) -> StaffChanged:
    return StaffChanged(staff_id=staff_id, seats=seats, **more)  # type: ignore[arg-type]


def of(*people: StaffChanged, places: tuple[BranchChanged, ...] = ()) -> Roster:
    return roster_of([(START, one) for one in people], [(START, one) for one in places])


def acting(roster: Roster, *avoid: str, when: datetime = NOON) -> str | None:
    found = roster.holder("B3", GENERAL_MANAGER, when, avoid=avoid)
    return found.staff_id if found else None


def test_the_holder_who_is_there_acts() -> None:
    found = of(person("gm", GM)).holder("B3", GENERAL_MANAGER, NOON)
    assert found is not None
    assert (found.staff_id, found.path, found.is_deputy) == ("gm", ("gm",), False)


def test_an_absence_counts_from_its_first_instant_to_just_before_its_last() -> None:
    away = Absence(since=at(DAY, 9), until=at(DAY, 17))
    roster = of(person("gm", GM, deputies=("dep",), absences=(away,)), person("dep"))
    assert acting(roster, when=at(DAY, 9) - timedelta(seconds=1)) == "gm"
    assert acting(roster, when=at(DAY, 9)) == "dep"
    assert acting(roster, when=at(DAY, 17)) == "gm"


def test_deputies_are_asked_in_order_and_deputies_of_deputies_after_them() -> None:
    away = (Absence(since=START),)
    roster = of(
        person("gm", GM, deputies=("one", "two"), absences=away),
        person("one", deputies=("three",), absences=away),
        person("two", absences=away),
        person("three"),
    )
    found = roster.holder("B3", GENERAL_MANAGER, NOON)
    assert found is not None
    assert found.path == ("gm", "one", "two", "three")


def test_a_leaver_acts_no_more_from_their_first_day_away_and_their_deputy_does() -> None:
    roster = of(person("gm", GM, deputies=("dep",), left_on=DAY), person("dep"))
    assert acting(roster, when=at(DAY, 0) - timedelta(seconds=1)) == "gm"
    assert acting(roster, when=at(DAY, 0)) == "dep"
    assert roster.seated("B3", GENERAL_MANAGER, NOON) == []
    assert roster.seats_of("gm", NOON) == []


def test_a_deputy_who_left_or_is_unknown_is_passed_over() -> None:
    away = (Absence(since=START),)
    roster = of(
        person("gm", GM, deputies=("gone", "nobody", "dep"), absences=away), person("gone", left_on=DAY), person("dep")
    )
    assert acting(roster) == "dep"


def test_an_empty_seat_passes_to_the_branch_s_named_deputy_else_to_nobody() -> None:
    named = BranchChanged(branch_id="B3", seat_deputies={GENERAL_MANAGER: "dep"})
    assert acting(of(person("dep"))) is None
    assert acting(of(person("dep"), places=(named,))) == "dep"


@pytest.mark.parametrize("present", [None, "c"])
def test_deputies_in_a_circle_are_asked_once_each(present: str | None) -> None:
    def absent(name: str) -> tuple[Absence, ...]:
        return () if name == present else (Absence(since=START),)

    roster = of(
        person("a", GM, deputies=("b",), absences=absent("a")),
        person("b", deputies=("c",), absences=absent("b")),
        person("c", deputies=("a",), absences=absent("c")),
    )
    assert acting(roster) == present
    assert roster.deputy_loops(NOON) == [("a", "b", "c")]


def test_a_conflict_of_interest_passes_to_the_deputy_then_to_headquarters() -> None:
    centre = person("hq-op", Seat(unit=HQ, seat=OPERATIONS_CENTRE), deputies=("hq-2",))
    roster = of(person("gm", GM, deputies=("dep",)), person("dep"), centre, person("hq-2"))
    assert acting(roster, "gm") == "dep"
    found = roster.holder("B3", GENERAL_MANAGER, NOON, avoid={"gm", "dep"})
    assert found is not None
    assert (found.staff_id, found.unit, found.seat, found.for_conflict) == ("hq-op", HQ, OPERATIONS_CENTRE, True)
    assert acting(roster, "gm", "dep", "hq-op") == "hq-2"
    assert acting(roster, "gm", "dep", "hq-op", "hq-2") is None


def test_an_empty_seat_does_not_pass_to_headquarters() -> None:
    assert acting(of(person("hq-op", Seat(unit=HQ, seat=OPERATIONS_CENTRE)))) is None


def test_each_instant_has_the_version_said_last_before_it() -> None:
    later = at(DAY, 9)
    roster = roster_of([(START, person("gm", GM)), (later, person("gm")), (later, person("new", GM))])
    assert acting(roster, when=later - timedelta(seconds=1)) == "gm"
    assert acting(roster, when=later) == "new"
    assert roster.person("gm", START - timedelta(seconds=1)) is None


def test_a_seat_held_for_a_time_only() -> None:
    seat = Seat(unit="B3", seat=GENERAL_MANAGER, since=at(DAY, 9), until=at(DAY, 17))
    roster = of(person("stand-in", seat))
    assert [acting(roster, when=at(DAY, hour)) for hour in (8, 9, 16, 17)] == [None, "stand-in", "stand-in", None]


def test_a_signed_in_person_is_found_by_id_or_sign_in_name() -> None:
    roster = of(person("B3-director", GM, user="wang"))
    assert roster.person_of("user:wang", NOON) == "B3-director"
    assert roster.person_of("B3-director", NOON) == "B3-director"
    assert roster.person_of("user:li", NOON) is None


def test_the_fixed_roster_fills_every_seat_by_role() -> None:
    events = fixed_roster(["B3", "B1", "B3"])
    roster = roster_of(
        [(START, e) for e in events if isinstance(e, StaffChanged)],
        [(START, e) for e in events if isinstance(e, BranchChanged)],
    )
    assert roster.seated("B3", GENERAL_MANAGER, NOON) == ["B3-director"]
    assert roster.present(HQ, CALL_CENTRE, NOON) == [f"HQ-CS-{n}" for n in range(10)]
    for unit, seats in {"B1": COMPLAINT_GROUP, "B3": COMPLAINT_GROUP, HQ: DEPARTMENTS}.items():
        for seat in seats:
            (holder,) = roster.seated(unit, seat, NOON)
            found = roster.holder(unit, seat, NOON, avoid={holder})
            assert found is not None
            assert found.staff_id != holder, "no seat is without a deputy [C5]"


NAMES = st.sampled_from("abcdef")
PEOPLE = st.lists(
    st.builds(
        lambda name, holds, deputies, away, left: (name, holds, [d for d in deputies if d != name], away, left),
        NAMES, st.booleans(), st.lists(NAMES, max_size=3), st.booleans(), st.booleans(),
    ),
    max_size=8, unique_by=lambda row: row[0],
)  # fmt: skip


@given(rows=PEOPLE, avoid=st.sets(NAMES))
def test_whoever_is_found_is_there_and_free_of_conflict_and_reachable(
    rows: list[tuple[str, bool, list[str], bool, bool]], avoid: set[str]
) -> None:
    roster = of(
        *(
            person(
                name,
                *([GM] if holds else []),
                deputies=tuple(deputies),
                absences=(Absence(since=datetime(2020, 6, 1, tzinfo=UTC)),) if away else (),
                left_on=DAY if left else None,
            )
            for name, holds, deputies, away, left in rows
        )
    )
    # The obvious way: everybody reachable from a holder over deputies.
    deputies_of = {name: deputies for name, _, deputies, _, _ in rows}
    reachable = {name for name, holds, *_ in rows if holds}
    while grown := {d for name in reachable for d in deputies_of.get(name, ())} - reachable:
        reachable |= grown
    able = {name for name, _, _, away, left in rows if not away and not left} - avoid
    found = roster.holder("B3", GENERAL_MANAGER, NOON, avoid=avoid)
    assert (found is not None) == bool(reachable & able)
    if found is not None:
        assert found.staff_id in reachable & able
        assert found.path[-1] == found.staff_id
