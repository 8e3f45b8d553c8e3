"""Who receives what: the complaint group of a branch, seats of headquarters, and who may not act [C5, C28]."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chassis.actor import Actor, Role
from chassis.acts import ConflictOfInterest
from chassis.errors import Conflict, Text
from chassis.staff import (
    COMPLAINT_GROUP,
    COMPLIANCE,
    CONDUCT_RESERVE,
    HQ,
    OPERATIONS_CENTRE,
    RISK_CONTROL,
    Holder,
    Roster,
)
from services.complaints.policy import Limits

CONDUCT_SEATS = (COMPLIANCE, RISK_CONTROL, CONDUCT_RESERVE)
"""Who judges conduct, in this order: the next where all of the one before is concerned [C28]."""


class EmptySeat(Conflict):
    """A seat of the complaint group is empty and no deputy is named: the branch cannot receive an order [C5]."""

    title = Text("A seat is empty and has no deputy", "席位空缺且未指定代理人")


@dataclass(frozen=True, slots=True)
class Group:
    """Who receives an order, seat by seat; `missing` names the seats nobody holds."""

    holders: Sequence[Holder]
    missing: Sequence[str]

    def rows(self) -> list[dict[str, Any]]:
        """As a ticket keeps it: whose seat, who received it and past whom."""
        return [
            {"seat": seat, "staff_id": one.staff_id, "path": list(one.path), "for_conflict": one.for_conflict}
            for seat, one in zip(self._seats(), self.holders, strict=True)
        ]

    def _seats(self) -> list[str]:
        return [one.seat for one in self.holders]


def group_of(roster: Roster, branch: str, at: datetime, avoid: Collection[str] = ()) -> Group:
    """The complaint group of a branch at an instant; headquarters' own cases go to its operations centre."""
    seats = (OPERATIONS_CENTRE,) if branch == HQ else COMPLAINT_GROUP
    found = [(seat, roster.holder(branch, seat, at, avoid=avoid)) for seat in seats]
    return Group([one for _, one in found if one], [seat for seat, one in found if one is None])


def department_for(roster: Roster, limits: Limits, category: str, at: datetime, avoid: Collection[str] = ()) -> str:
    """Who owns a case that nobody was asked first: the department its category belongs to (对口承办), named by its seat
    while nobody holds that; nobody's it may never be [C8, C9]."""
    seat = limits.departments.get(category, OPERATIONS_CENTRE)
    found = roster.holder(HQ, seat, at, avoid=avoid)
    return found.staff_id if found else f"seat:{HQ}/{seat}"


def judges_conduct(actor: Actor) -> bool:
    """Whether conduct cases are theirs to see: compliance, risk control, the reserve [C28]."""
    return actor.role is Role.COMPLIANCE or any((HQ, seat) in actor.seats for seat in CONDUCT_SEATS)


def conduct_holder(roster: Roster, at: datetime, concerned: Collection[str], first: str = COMPLIANCE) -> Holder:
    """Who acts for compliance or risk control in a conduct case: the other where all of the first is concerned or away, the
    reserve where both are, and no deputy from elsewhere [C28]. While nobody is known it is addressed to the seat."""
    seated = {seat: roster.seated(HQ, seat, at) for seat in dict.fromkeys((first, *CONDUCT_SEATS))}
    free = [(seat, one) for seat, those in seated.items() for one in those if one not in concerned]
    for seat, one in [each for each in free if roster.is_present(each[1], at)] or free:
        return Holder(one, HQ, seat, (one,), for_conflict=not set(seated[first]).isdisjoint(concerned))
    seat = CONDUCT_RESERVE if seated[first] else first
    return Holder(f"seat:{HQ}/{seat}", HQ, seat, ())


def refuse_conflict(actor: Actor, concerned: Collection[str]) -> None:
    """Refuse who the case is about.

    Raises: ConflictOfInterest.
    """
    if actor.role is not Role.SYSTEM and actor.person in concerned:
        raise ConflictOfInterest
