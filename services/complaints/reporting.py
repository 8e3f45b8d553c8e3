"""Telling people and having them acknowledge it: steps of ladders, and major cases to three departments [C7, C22]."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from chassis import staff
from chassis.staff import COMPLIANCE, HQ, OPERATIONS_CENTRE, RISK_CONTROL, Holder, Roster
from chassis.uow import UnitOfWork
from contracts.complaints import MajorReported
from services.complaints.policy import Addressee
from services.complaints.seats import CONDUCT_SEATS, conduct_holder
from services.complaints.tables import CaseRow

THREE_DEPARTMENTS = (OPERATIONS_CENTRE, RISK_CONTROL, COMPLIANCE)


class Notice(NamedTuple):
    """Somebody told of something at an instant."""

    case_id: UUID
    generation: int
    clock: str
    step: str
    to: str
    seat: str
    path: list[str]
    for_conflict: bool
    at: datetime
    round: int = 1


class About(Protocol):
    """What decides who is told: a case, or a report of one."""

    @property
    def owner(self) -> str: ...
    @property
    def branch_id(self) -> str: ...
    @property
    def concerned(self) -> Sequence[str]: ...
    @property
    def restricted(self) -> bool: ...


def told(case: About, to: Sequence[Addressee], roster: Roster, at: datetime) -> list[Holder]:
    """The persons a step tells: never who the case is about; an empty seat's word goes to headquarters. Of a conduct
    case compliance and risk control alone are told [C9, C28]."""
    found: list[Holder] = []
    for one in to:
        if one.place == "case":
            owner = case.owner
            if owner not in case.concerned:
                found.append(Holder(owner, case.branch_id, "owner", (owner,)))
                continue
            one = Addressee("branch", "complaint_officer")
        if case.restricted:
            seat = one.seat if one.seat in CONDUCT_SEATS else COMPLIANCE
            found.append(conduct_holder(roster, at, case.concerned, seat))
            continue
        unit = HQ if one.place == "hq" or case.branch_id == HQ else case.branch_id
        seat = one.seat if unit != HQ or one.place == "hq" else OPERATIONS_CENTRE
        holder = roster.holder(unit, seat, at, avoid=case.concerned)
        holder = holder or roster.holder(HQ, OPERATIONS_CENTRE, at, avoid=case.concerned)
        # With nobody known at all the notice still stands, addressed to the seat: nothing is swallowed.
        found.append(holder or Holder(f"seat:{unit}/{seat}", unit, seat, ()))
    return found


async def notify(uow: UnitOfWork, notices: Sequence[Notice]) -> None:
    """Keep notices; one told twice of the same step counts once."""
    await uow.sql.executemany(
        """INSERT INTO notices (case_id, generation, clock, step, "to", seat, path, for_conflict, at, round)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING""",
        notices,
    )


async def report_major(uow: UnitOfWork, classified: Sequence[tuple[UUID, int, datetime]]) -> None:
    """Tell the three departments of major cases at once; of conduct, compliance and risk control [C7, C28]."""
    if not classified:
        return
    rows = {
        row["case_id"]: CaseRow(**row)
        for row in await uow.sql.fetch(
            "SELECT * FROM cases WHERE case_id = ANY($1::uuid[])", [case_id for case_id, _, _ in classified]
        )
    }
    roster = await staff.roster(uow.sql)
    notices: list[Notice] = []
    for case_id, generation, at in classified:
        case = rows[case_id]
        people = []
        for seat in (COMPLIANCE, RISK_CONTROL) if case.restricted else THREE_DEPARTMENTS:
            holder = (
                conduct_holder(roster, at, case.concerned, seat)
                if case.restricted
                else roster.holder(HQ, seat, at, avoid=case.concerned) or Holder(f"seat:HQ/{seat}", HQ, seat, ())
            )
            people.append(holder.staff_id)
            path = list(holder.path)
            notices.append(
                Notice(case_id, generation, "report", "major", holder.staff_id, seat, path, holder.for_conflict, at)
            )
        uow.emit(
            MajorReported(
                case_id=str(case_id),
                client_id=case.client_id,
                branch_id=case.branch_id,
                generation=generation,
                restricted=case.restricted,
                told=people,
                reported_at=at,
            ),
            at=at,
        )
    await notify(uow, notices)
