"""Whoever leaves while owning cases: from that day on somebody else owns them, and is told [C8, C28].

Their first deputy who is there; else the branch's 投诉专员 or, for people of headquarters, the operations centre. A
case of compliance stays within compliance. Nobody accepts beforehand: a case is never without an owner.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from chassis import staff
from chassis.acts import perform_each
from chassis.clock import start_of
from chassis.deadlines import Deadline, Due, arm, cancel
from chassis.staff import COMPLAINT_OFFICER, HQ, OPERATIONS_CENTRE, Holder, Roster
from chassis.uow import UnitOfWork
from contracts.broker import StaffChanged
from services.complaints import dispatching
from services.complaints.acts import ACTS, NewOwner
from services.complaints.rules import OVER
from services.complaints.seats import conduct_holder


async def keep_people(events: Sequence[StaffChanged], uow: UnitOfWork) -> None:
    """Keep what was said of people; of those who leave, the cases go on to others on their first day away."""
    await dispatching.keep_people(events, uow)
    told_at = {event.staff_id: record.time for event, record in zip(events, uow.records(StaffChanged), strict=True)}
    roster = await staff.roster(uow.sql)
    gone, later, staying = [], [], []
    for staff_id, at in told_at.items():
        left_on = _left_on(roster, staff_id)
        if left_on is None:
            staying.append(("leaver", f"staff/{staff_id}"))
        elif start_of(left_on) <= at:
            gone.append(staff_id)
        else:
            later.append(Deadline("leaver", f"staff/{staff_id}", f"staff:{staff_id}", start_of(left_on)))
    await cancel(uow, staying)
    await arm(uow, later)
    for staff_id in gone:
        await pass_on(uow, roster, staff_id, told_at[staff_id])


async def let_go(due: Sequence[Due], uow: UnitOfWork) -> None:
    """The first day without somebody has come."""
    roster = await staff.roster(uow.sql)
    for one in due:
        await pass_on(uow, roster, one.object.removeprefix("staff/"), one.at)


def _left_on(roster: Roster, staff_id: str) -> Any:
    versions = roster.people.get(staff_id, ())
    return versions[-1][1].left_on if versions else None


async def pass_on(uow: UnitOfWork, roster: Roster, staff_id: str, at: datetime) -> None:
    """Give a leaver's open cases new owners, and end what was offered to the leaver."""
    person = roster.person(staff_id, at)
    names = [staff_id] + ([person.user, f"user:{person.user}"] if person is not None and person.user else [])
    rows = await uow.sql.fetch(
        """SELECT case_id, owner, branch_id, restricted, concerned FROM cases
           WHERE (owner = ANY($1::text[]) OR offered_to = ANY($1::text[])) AND closed_at IS NULL
             AND state <> ALL($2::text[]) ORDER BY case_id FOR UPDATE""",
        names,
        list(OVER),
    )
    new = {
        row["case_id"]: NewOwner(
            left=staff_id,
            holder=successor(roster, staff_id, row["branch_id"], row["restricted"], at, row["concerned"]),
        )
        for row in rows
    }
    owned = {row["case_id"] for row in rows if row["owner"] in names}
    for act, ids in ((ACTS.owner_left, owned), (ACTS.offer_lapsed, new.keys() - owned)):
        if ids:
            await perform_each(uow, act, {id: new[id] for id in ids}, at)


def successor(
    roster: Roster, staff_id: str, branch_id: str, restricted: bool, at: datetime, concerned: Collection[str]
) -> Holder:
    """Who owns a leaver's case from now on; with nobody known at all it is the seat's."""
    person = roster.person(staff_id, at)
    for deputy in person.deputies if person is not None and not restricted else ():
        if roster.is_present(deputy, at) and deputy not in concerned:
            return Holder(deputy, branch_id, "owner", (staff_id, deputy))
    at_branch = person is not None and person.branch_id not in {None, HQ}
    unit, seat = (branch_id, COMPLAINT_OFFICER) if at_branch and branch_id != HQ else (HQ, OPERATIONS_CENTRE)
    if restricted:
        return conduct_holder(roster, at, concerned)
    found = roster.holder(unit, seat, at, avoid=concerned)
    found = found or roster.holder(HQ, OPERATIONS_CENTRE, at, avoid=concerned)
    return found or Holder(f"seat:{unit}/{seat}", unit, seat, ())
