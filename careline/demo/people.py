"""The sixty people of the demo: headquarters, and three branches with every seat, managers, advisers and a counter."""

from collections.abc import Iterator, Sequence
from datetime import date
from random import Random

from careline.demo.names import name_of
from careline.replay.roster import SEATS, roster
from contracts.broker import BranchChanged, Seat, StaffChanged

BRANCHES = {"B1": "青石路营业部", "B2": "白塔街营业部", "B3": "河口营业部"}
MANAGERS, ADVISERS, COUNTER = 6, 2, 2
LEAVER = "B2-manager-3"


def staff(draw: Random, left_on: date) -> Sequence[StaffChanged | BranchChanged]:
    """Everybody, by name; one manager leaves on a day of the month."""
    return [*_headquarters(draw), *(event for branch in BRANCHES for event in _branch(draw, branch, left_on))]


def managers_of(branch: str) -> list[str]:
    """The client managers of a branch, by id."""
    return [f"{branch}-manager-{n}" for n in range(1, MANAGERS + 1)]


def _headquarters(draw: Random) -> Iterator[StaffChanged]:
    for event in roster(()):
        assert isinstance(event, StaffChanged)
        yield _person(draw, event.staff_id, "HQ", event.seats[0].seat)


def _branch(draw: Random, branch: str, left_on: date) -> Iterator[StaffChanged | BranchChanged]:
    yield BranchChanged(
        branch_id=branch, name=BRANCHES[branch], phone="12088880000", mailbox=f"{branch}@example.com".lower()
    )
    for name, seat in SEATS.items():
        yield _person(draw, f"{branch}-{name}", branch, seat)
    counter = COUNTER + (branch != "B3")
    for kind, seat, count in (
        ("manager", "client_manager", MANAGERS), ("adviser", "adviser", ADVISERS), ("counter", "counter", counter),
    ):  # fmt: skip
        for number in range(1, count + 1):
            staff_id = f"{branch}-{kind}-{number}"
            yield _person(draw, staff_id, branch, seat, left_on if staff_id == LEAVER else None)


def _person(draw: Random, staff_id: str, unit: str, seat: str, left_on: date | None = None) -> StaffChanged:
    return StaffChanged(
        staff_id=staff_id, branch_id=unit, name=name_of(draw), user=staff_id.lower(),
        seats=(Seat(unit=unit, seat=seat),), languages=("zh-CN",), left_on=left_on,
    )  # fmt: skip
