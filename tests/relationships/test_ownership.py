"""Owners tile the time of every client from the opening on, in any order of facts [RE1]."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from chassis.staff import HQ, roster_of
from contracts.broker import BranchChanged, Seat, StaffChanged
from services.relationships.leads import Pools, left
from services.relationships.ownership import Fact, Stretch, difference, lasting, owners, team
from services.relationships.policy import Policies

START = datetime(2024, 3, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
TERMS = Policies().owners


def fact(
    hour: int, person: str, reason: str = "named", role: str = "primary", said: int = 0, begins: bool = True
) -> Fact:
    return Fact(START + hour * HOUR, START + said * HOUR, f"{hour}-{person}-{said}", role, person, begins, reason, None)


def told(stretches: list[Stretch]) -> list[tuple[int, str]]:
    return [(int((one.since - START) / HOUR), one.person) for one in stretches]


def tiles(opened: datetime, stretches: list[Stretch]) -> bool:
    return (
        stretches[0].since == opened
        and stretches[-1].until is None
        and all(one.until == following.since for one, following in pairwise(stretches))
        and all(one.until is None or one.since < one.until for one in stretches)
    )


LEADS = [(START - HOUR, "lead-1"), (START + 10 * HOUR, "lead-2")]


def test_nobody_named_is_the_pools() -> None:
    assert told(owners(START, [], LEADS, {})) == [(0, "lead-1"), (10, "lead-2")]
    assert told(owners(START, [], [], {})) == [(0, "HQ")]


def test_the_brokers_word_opens_a_stretch_only_where_it_differs_from_its_last() -> None:
    facts = [
        fact(0, "max", "account_system"),
        fact(5, "anna"),
        fact(8, "max", "account_system", said=8),
        fact(9, "otto", "account_system", said=9),
    ]
    assert told(owners(START, facts, LEADS, {})) == [(0, "max"), (5, "anna"), (9, "otto")]


def test_a_leavers_clients_are_the_pools_until_somebody_is_named() -> None:
    facts = [fact(0, "max"), fact(20, "anna")]
    assert told(owners(START, facts, LEADS, {"max": START + 4 * HOUR})) == [
        (0, "max"),
        (4, "lead-1"),
        (10, "lead-2"),
        (20, "anna"),
    ]
    # Who had left before never owned; who leaves on the day of naming neither.
    assert told(owners(START, facts, LEADS[:1], {"max": START, "anna": START + 20 * HOUR})) == [(0, "lead-1")]


def test_facts_before_the_opening_count_from_it_on_and_the_last_of_an_instant_wins() -> None:
    facts = [fact(-3, "max"), fact(-1, "anna"), fact(7, "otto", said=1), fact(7, "karl", said=2)]
    assert told(owners(START, facts, LEADS, {})) == [(0, "anna"), (7, "karl")]


def test_teams_begin_end_and_leave() -> None:
    facts = [
        fact(1, "eva", role="secondary"),
        fact(2, "eva", role="secondary", said=2),
        fact(5, "eva", role="secondary", begins=False),
        fact(3, "ida", role="adviser"),
        fact(6, "ida", role="adviser", begins=False, said=1),
        fact(4, "ben", role="secondary"),
    ]
    found = team(facts, {"ben": START + 9 * HOUR, "ida": START + 5 * HOUR})
    assert [(one.person, int((one.until - START) / HOUR) if one.until else None) for one in found] == [
        ("eva", 5),
        ("ida", 5),
        ("ben", 9),
    ]


def test_where_two_histories_differ_first() -> None:
    before = owners(START, [fact(0, "max")], LEADS, {})
    after = owners(START, [fact(0, "max"), fact(5, "anna")], LEADS, {})
    assert difference(before, before) is None
    assert difference(before, after) == START + 5 * HOUR
    assert difference([], after) == START
    assert difference(after, owners(START, [fact(0, "max"), fact(5, "otto")], LEADS, {})) == START + 5 * HOUR


PEOPLE = st.sampled_from(["max", "anna", "otto"])
FACTS = st.lists(
    st.builds(
        fact,
        st.integers(-5, 40),
        PEOPLE,
        st.sampled_from(["named", "account_system", "allocated"]),
        said=st.integers(-5, 40),
    ),
    max_size=8,
    unique_by=lambda one: one.fact_id,
)


@given(
    FACTS,
    st.dictionaries(PEOPLE, st.integers(-5, 45).map(lambda hour: START + hour * HOUR), max_size=3),
    st.lists(st.tuples(st.integers(-5, 45).map(lambda hour: START + hour * HOUR), st.sampled_from("abc")), max_size=4,
             unique_by=lambda one: one[0]).map(sorted),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_there_is_exactly_one_owner_at_every_instant_whatever_the_order(facts, gone, leads, random) -> None:
    found = owners(START, facts, leads, gone)
    assert tiles(START, found)
    shuffled = list(facts)
    random.shuffle(shuffled)
    assert owners(START, shuffled, leads, gone) == found
    for hour in range(50):
        at = START + hour * HOUR + timedelta(minutes=30)
        [owner] = lasting(found, at)
        assert owner.role == "pool_lead" or owner.person not in gone or at < gone[owner.person]


def person(staff_id: str, since: int, *seats: Seat, branch: str = "B1", left_on: date | None = None):
    return START + since * HOUR, StaffChanged(staff_id=staff_id, branch_id=branch, seats=seats, left_on=left_on)


def test_the_pools_lead_follows_the_seat_its_deputy_and_headquarters() -> None:
    day = date(2024, 3, 6)
    roster = roster_of(
        [
            person("anna", 0, Seat(unit="B1", seat="marketing_director"), left_on=day),
            person("chief", -99, Seat(unit=HQ, seat="brokerage"), branch=HQ),
            person("ben", 0),
        ],
        [(START + 60 * HOUR, BranchChanged(branch_id="B1", seat_deputies={"marketing_director": "ben"}))],
    )
    leads = Pools(roster, TERMS).of("B1")
    assert [(int((since - START) / HOUR), who) for since, who in leads[1:]] == [
        (-99, "chief"), (0, "anna"), (40, "chief"), (60, "ben"),
    ]  # fmt: skip
    assert leads[0][1] == "HQ"
    assert left(roster) == {"anna": START + 40 * HOUR}
    over = Pools(roster, TERMS).over([(START, "B1"), (START + 50 * HOUR, "B2")])
    assert [(int((since - START) / HOUR), who) for since, who in over] == [(0, "anna"), (40, "chief"), (50, "chief")]
