"""A few bad records among many stop nobody; a handler that always fails stops early."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.breaker import LAST_RECORDS, Breaker, TooManyBadRecords

PLACE = ("t", 0)


def test_one_in_a_hundred_never_stops_it() -> None:
    breaker = Breaker(100)
    for _ in range(300):
        breaker.mixed([(PLACE, n == 7) for n in range(100)])


def test_all_of_them_stop_it_at_the_limit() -> None:
    breaker = Breaker(100)
    for _ in range(99):
        breaker.mixed([(PLACE, True)])
    with pytest.raises(TooManyBadRecords):
        breaker.mixed([(PLACE, True)])


def test_a_bad_partition_stops_it_whatever_comes_in_the_others() -> None:
    breaker = Breaker(10)
    for _ in range(9):
        breaker.mixed([(PLACE, True), (("t", 1), False)])
        breaker.good(5, [("t", 1)])
    with pytest.raises(TooManyBadRecords):
        breaker.mixed([(PLACE, True), (("t", 1), False)])


def test_every_second_one_stops_it_by_its_share() -> None:
    breaker = Breaker(100)
    for _ in range(LAST_RECORDS // 10 - 1):
        breaker.mixed([(PLACE, n % 2 == 0) for n in range(10)])
    with pytest.raises(TooManyBadRecords):
        breaker.mixed([(PLACE, n % 2 == 0) for n in range(10)])


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 10), st.integers(1, 7))
def test_batches_do_not_change_what_it_says(bad: list[bool], limit: int, size: int) -> None:
    longest = max((len(run) for run in "".join("x" if one else " " for one in bad).split()), default=0)
    breaker, stopped = Breaker(limit), False
    try:
        for first in range(0, len(bad), size):
            some = bad[first : first + size]
            if any(some):
                breaker.mixed([(PLACE, one) for one in some])
            else:
                breaker.good(len(some), [PLACE])
    except TooManyBadRecords:
        stopped = True
    assert stopped == (longest >= limit)
