"""A batch in halves: nothing lost, nothing twice, order kept."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from chassis.bus.record import Record
from chassis.consumer import Batch

PLACES = st.lists(st.tuples(st.sampled_from(["trades", "accounts"]), st.integers(0, 3)), max_size=60)


@given(PLACES, st.integers(0, 3))
def test_halves_follow_each_other_to_the_same_end(places: list[tuple[str, int]], unheard: int) -> None:
    """`unheard`: how many records beyond the last heard one a position passes."""
    when = datetime(2026, 1, 1, tzinfo=UTC)
    records = [Record(t, p, at, "c", "x", str(at), "s", when, None, b"") for at, (t, p) in enumerate(places)]
    whole = Batch(records, [ValueError(r.id) for r in records], {(t, p): (0, len(places) + unheard) for t, p in places})
    position = {place: start for place, (start, _) in whole.moves.items()}
    for half in whole.halves():
        for record in half.records:
            start, end = half.moves[record.topic, record.partition]
            assert start <= record.offset < end
        for place, (start, end) in half.moves.items():
            assert start == position[place]
            position[place] = end
    assert position == {place: end for place, (_, end) in whole.moves.items()}
    first, second = whole.halves()
    assert [*first.records, *second.records] == records
    assert [*first.said, *second.said] == list(whole.said)
