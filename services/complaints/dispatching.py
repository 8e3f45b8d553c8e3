"""The supervision ticket (投诉督办单) on its way: to filled seats or named deputies, on the day of receipt [C4, C5].

An import says when its order went out. It counts from then, whenever it is read: one read before the branch's seats
are known waits for them and is completed at its own time when they arrive.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from chassis import staff
from chassis.acts import perform_each
from chassis.deadlines import Deadline, Due, arm
from chassis.staff import Roster, keep_branches, keep_staff
from chassis.uow import UnitOfWork
from contracts.broker import BranchChanged, StaffChanged
from services.complaints import cases, history
from services.complaints.acts import ACTS, SentTo
from services.complaints.report import Report
from services.complaints.rules import dispatch_due
from services.complaints.seats import Group, group_of


class Order(NamedTuple):
    """An order that goes to a branch at an instant."""

    case_id: UUID
    branch_id: str
    concerned: Collection[str]
    at: datetime


async def dispatch_imports(
    uow: UnitOfWork, reports: Sequence[Report], roster: Roster, horizon: datetime | None
) -> None:
    """Send the orders of imports whose time has come; the others wait for it.

    `horizon` is now in a real home. In a simulated one it is None: the day of a fact is one moment, later days are not.
    """
    orders, deadlines = [], []
    for r in reports:
        if r.flow != "centre" or r.kind != "complaint":
            continue
        due = dispatch_due(r.received_at)
        at = max(r.dispatched_at, r.received_at) if r.dispatched_at else None
        if at is not None and (at <= horizon if horizon else at < due):
            orders.append(Order(r.case_id, r.branch_id, r.concerned, at))
            continue
        deadlines.append(Deadline("dispatch", f"case/{r.case_id}", r.key, due))
        if at is not None:
            deadlines.append(Deadline("send", f"case/{r.case_id}", r.key, at))
    await arm(uow, deadlines)
    waiting = await send(uow, orders, roster)
    await arm(
        uow,
        [
            Deadline("dispatch", f"case/{r.case_id}", r.key, dispatch_due(r.received_at))
            for r in reports
            if r.case_id in waiting
        ],
    )


async def send(uow: UnitOfWork, orders: Sequence[Order], roster: Roster) -> set[UUID]:
    """Send orders; those whose branch has an empty seat without a deputy wait for it, and their cases are returned."""
    groups: dict[tuple[str, datetime, frozenset[str]], Group] = {}
    sent: dict[UUID, SentTo] = {}
    waiting: list[Order] = []
    for one in orders:
        name = (one.branch_id, one.at, frozenset(one.concerned))
        if name not in groups:
            groups[name] = group_of(roster, one.branch_id, one.at, one.concerned)
        if groups[name].missing:
            waiting.append(one)
        else:
            sent[one.case_id] = SentTo(group=groups[name])
    if sent:
        await perform_each(uow, ACTS.dispatch, sent, {one.case_id: one.at for one in orders if one.case_id in sent})
    if waiting:
        await uow.sql.execute(
            """UPDATE cases c SET dispatch_wanted_at = w.at
               FROM unnest($1::uuid[], $2::timestamptz[]) AS w(case_id, at) WHERE c.case_id = w.case_id""",
            [one.case_id for one in waiting],
            [one.at for one in waiting],
        )
    return {one.case_id for one in waiting}


async def keep_people(events: Sequence[StaffChanged], uow: UnitOfWork) -> None:
    """Keep who holds which seat; orders that waited for these seats go out, at their own time."""
    await keep_staff(events, uow)
    await _send_waiting(uow, {seat.unit for event in events for seat in event.seats})


async def keep_places(events: Sequence[BranchChanged], uow: UnitOfWork) -> None:
    """Keep branches; a deputy named for an empty seat lets orders out that waited."""
    await keep_branches(events, uow)
    await _send_waiting(uow, {event.branch_id for event in events if event.seat_deputies})


async def _send_waiting(uow: UnitOfWork, branches: Collection[str]) -> None:
    rows = await uow.sql.fetch(
        """SELECT case_id, branch_id, concerned, dispatch_wanted_at AS at
           FROM cases WHERE branch_id = ANY($1::text[]) AND dispatch_wanted_at IS NOT NULL
           ORDER BY case_id FOR UPDATE""",
        sorted(branches),
    )
    if rows:
        await send(uow, [Order(**row) for row in rows], await staff.roster(uow.sql))


async def send_later(due: Sequence[Due], uow: UnitOfWork) -> None:
    """The time of imports' orders has come."""
    at = {UUID(one.object.removeprefix("case/")): one.due for one in due}
    rows = await uow.sql.fetch(
        """SELECT case_id, branch_id, concerned FROM cases
           WHERE case_id = ANY($1::uuid[]) AND dispatched_at IS NULL ORDER BY case_id FOR UPDATE""",
        list(at),
    )
    await send(uow, [Order(**row, at=at[row["case_id"]]) for row in rows], await staff.roster(uow.sql))


async def miss_dispatch(due: Sequence[Due], uow: UnitOfWork) -> None:
    """The day of receipt is over and no order went out: a breach [C4]."""
    rows = await uow.sql.fetch(
        """UPDATE cases SET dispatch_met = false WHERE case_id = ANY($1::uuid[]) AND dispatched_at IS NULL
           RETURNING case_id""",
        [_case_id(one) for one in due],
    )
    await _breach(uow, due, {row["case_id"] for row in rows}, "dispatch breached", "dispatch")


async def miss_phone(due: Sequence[Due], uow: UnitOfWork) -> None:
    """The general manager was not told by phone on the day of the order: a breach [C4]."""
    rows = await uow.sql.fetch(
        """SELECT case_id FROM cases
           WHERE case_id = ANY($1::uuid[]) AND phoned_in IS DISTINCT FROM generation ORDER BY case_id FOR UPDATE""",
        [_case_id(one) for one in due],
    )
    await _breach(uow, due, {row["case_id"] for row in rows}, "phone notice breached", "phone_notice")


async def _breach(uow: UnitOfWork, due: Sequence[Due], missed: Collection[UUID], what: str, clock: str) -> None:
    found = await cases.of(uow, missed)
    late = [one for one in due if _case_id(one) in found]
    steps = [history.CaseStep(_case_id(one), what, found[_case_id(one)].state, one.due) for one in late]
    await history.add(uow, steps)
    for one in late:
        uow.emit(cases.breach(found[_case_id(one)], clock, one.due), at=one.at)


def _case_id(due: Due) -> UUID:
    return UUID(due.object.removeprefix("case/"))
