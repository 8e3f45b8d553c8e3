"""A copy of a history is a function of its changes, whatever order they come in."""

from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Date, Text

from chassis.histories import History
from chassis.tables import new_metadata
from contracts.classification import TierChanged, TierStretch
from services.points import rules

FIRST = date(2024, 1, 1)
TIERS: History[TierChanged] = History(
    new_metadata(),
    "tiers",
    Column("since", Date, primary_key=True),
    Column("until", Date),
    Column("tier", Text),
    told=lambda change: [(one.since, one.until, one.tier) for one in change.stretches],
)


@st.composite
def changes(draw: Any) -> list[TierChanged]:
    """Revisions of one client, each with one to three stretches from its day on."""
    found = []
    for revision in range(1, draw(st.integers(1, 5)) + 1):
        start = draw(st.integers(0, 20))
        days = sorted(draw(st.sets(st.integers(start, 30), min_size=1, max_size=3)) | {start})
        tiers = [draw(st.sampled_from(["NORMAL", "SILVER", "GOLD"])) for _ in days]
        found.append(
            TierChanged(
                client_id="c-1", branch_id="B1", revision=revision, changed_from=FIRST + timedelta(days=start),
                previous="NORMAL", reason="correction",
                stretches=[TierStretch(since=FIRST + timedelta(days=d), tier=t) for d, t in zip(days, tiers, strict=True)],
            )
        )  # fmt: skip
    return found


@given(changes())
def test_a_day_has_what_the_last_revision_that_tells_of_it_says(told: list[TierChanged]) -> None:
    folded = TIERS.folded((one.changed_from, TIERS.told(one)) for one in told)
    oracle = rules.timeline(told)
    for ahead in range(40):
        day = FIRST + timedelta(days=ahead)
        held = [row for row in folded if row[0] <= day]
        assert (held[-1][2] if held else "NORMAL") == rules.tier_on(oracle, day)
