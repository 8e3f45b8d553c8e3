"""The fixed roster of a replay: made-up seats, named by their role, because the files name no staff.

Said once, before the first day, for headquarters and every branch in the files.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from chassis.actor import CALL_CENTRE
from chassis.bus.record import Outgoing, partition_of
from chassis.staff import (
    BROKERAGE,
    COMPLAINT_OFFICER,
    COMPLIANCE,
    GENERAL_MANAGER,
    HQ,
    MARKETING_DIRECTOR,
    OPERATIONS_CENTRE,
    OPERATIONS_DIRECTOR,
    RISK_CONTROL,
    SALES_TRADING,
    STRATEGY,
)
from contracts.base import Event, encode
from contracts.broker import BranchChanged, Seat, StaffChanged
from contracts.fields import FIRST_DAY

SOURCE = "careline/replay"
FROM = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC)
SEATS = {
    "officer": COMPLAINT_OFFICER,
    "marketing": MARKETING_DIRECTOR,
    "operations": OPERATIONS_DIRECTOR,
    "director": GENERAL_MANAGER,
}
"""The names of a branch's seats: `B3-director` is its 总经理."""
DEPARTMENTS = {
    "operations": OPERATIONS_CENTRE,
    "risk": RISK_CONTROL,
    "compliance": COMPLIANCE,
    "sales": SALES_TRADING,
    "brokerage": BROKERAGE,
    "strategy": STRATEGY,
}
AGENTS = 10


def roster(branches: Iterable[str]) -> list[Event]:
    """Four complaint-group seats a branch, ten agents of the call centre `HQ-CS-0` to `HQ-CS-9`, HQ's departments.

    In each group the others stand in, so that no seat is without a deputy [C5].
    """
    events: list[Event] = [*_headquarters()]
    for branch in sorted(set(branches) - {HQ}):
        events += _branch(branch)
    return events


def _headquarters() -> Iterator[Event]:
    agents = [f"HQ-CS-{number}" for number in range(AGENTS)]
    for number, agent in enumerate(agents):
        others = tuple(agents[(number + step) % AGENTS] for step in range(1, AGENTS))
        yield _person(agent, HQ, CALL_CENTRE, others)
    names = [f"HQ-{name}" for name in DEPARTMENTS]
    for name, seat in zip(names, DEPARTMENTS.values(), strict=True):
        yield _person(name, HQ, seat, tuple(other for other in names if other != name))


def _branch(branch: str) -> Iterator[Event]:
    yield BranchChanged(branch_id=branch, name=branch)
    names = [f"{branch}-{name}" for name in SEATS]
    for name, seat in zip(names, SEATS.values(), strict=True):
        yield _person(name, branch, seat, tuple(other for other in names if other != name))


def _person(staff_id: str, unit: str, seat: str, deputies: tuple[str, ...]) -> StaffChanged:
    return StaffChanged(
        staff_id=staff_id,
        branch_id=unit,
        name=staff_id,
        seats=(Seat(unit=unit, seat=seat),),
        deputies=deputies,
        languages=("zh-CN", "en"),
    )


def messages(events: Iterable[Event], partitions: int, at: datetime = FROM) -> Iterator[Outgoing]:
    """The roster as it goes onto the log: in force from the first instant any fact can have."""
    for event in events:
        place = partition_of(event.key, partitions)
        event_id = f"replay/{event.key}"
        yield Outgoing(event.topic, place, event.key, event.type, event_id, SOURCE, at, encode(event))
