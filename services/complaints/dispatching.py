"""The supervision ticket (投诉督办单) on its way: to filled seats or named deputies, on the day of receipt [C4, C5].

An import says when its order went out. It counts from then, whenever it is read: one read before the branch's seats
are known waits for them and is completed at its own time when they arrive.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from chassis import staff
from chassis.deadlines import Deadline, Due, arm, cancel
from chassis.staff import Roster, keep_branches, keep_staff
from chassis.uow import UnitOfWork
from contracts.broker import BranchChanged, StaffChanged
from contracts.complaints import CaseBreached, CaseDispatched
from services.complaints import contact_duties, history
from services.complaints.report import Report
from services.complaints.rules import DISPATCHED, dispatch_due, dispatch_met
from services.complaints.seats import Group, group_of


class Order(NamedTuple):
    """An order that goes to a branch at an instant."""

    case_id: UUID
    client_id: str | None
    branch_id: str
    received_at: datetime
    concerned: Collection[str]
    generation: int
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
            orders.append(Order(r.case_id, r.client_id, r.branch_id, r.received_at, r.concerned, 1, at))
            continue
        deadlines.append(Deadline("dispatch", f"case/{r.case_id}", r.key, due))
        if at is not None:
            deadlines.append(Deadline("send", f"case/{r.case_id}", r.key, at))
    await arm(uow, deadlines)
    waiting = await send(uow, orders, roster)
    keys = {r.case_id: r.key for r in reports}
    await arm(
        uow,
        [Deadline("dispatch", f"case/{o.case_id}", keys[o.case_id], dispatch_due(o.received_at)) for o in waiting],
    )


async def send(uow: UnitOfWork, orders: Sequence[Order], roster: Roster, *, phone: bool = False) -> list[Order]:
    """Send orders; those whose branch has an empty seat without a deputy wait for it and are returned.

    `phone`: the general manager has to be told by phone the same day as well.
    """
    groups: dict[tuple[str, datetime, frozenset[str]], Group] = {}
    sent: list[tuple[Order, Group]] = []
    waiting: list[tuple[Order, Group]] = []
    for one in orders:
        name = (one.branch_id, one.at, frozenset(one.concerned))
        if name not in groups:
            groups[name] = group_of(roster, one.branch_id, one.at, one.concerned)
        (waiting if groups[name].missing else sent).append((one, groups[name]))
    if sent:
        await _write(uow, sent, phone)
    if waiting:
        await uow.sql.execute(
            """UPDATE cases c SET dispatch_wanted_at = w.at
               FROM unnest($1::uuid[], $2::timestamptz[]) AS w(case_id, at) WHERE c.case_id = w.case_id""",
            [one.case_id for one, _ in waiting],
            [one.at for one, _ in waiting],
        )
    return [one for one, _ in waiting]


async def _write(uow: UnitOfWork, sent: Sequence[tuple[Order, Group]], phone: bool) -> None:
    met = [dispatch_met(one.at, one.received_at) for one, _ in sent]
    await uow.sql.execute(
        f"""UPDATE cases c SET state = $4, dispatched_at = w.at, dispatch_met = w.met, dispatch_wanted_at = NULL,
                  to_tell_since = {contact_duties.SINCE.format(at="w.at")}, revision = revision + 1
           FROM unnest($1::uuid[], $2::timestamptz[], $3::bool[]) AS w(case_id, at, met)
           WHERE c.case_id = w.case_id""",
        [one.case_id for one, _ in sent],
        [one.at for one, _ in sent],
        met,
        DISPATCHED,
    )
    await uow.sql.copy_records_to_table(
        "tickets",
        records=[
            (
                one.case_id, one.generation, one.branch_id, one.at, uow.actor.person, group.rows(),
                dispatch_due(one.at) if phone else None,
            )
            for one, group in sent
        ],
        columns=("case_id", "generation", "branch_id", "issued_at", "issued_by", "addressees", "phone_due"),
    )  # fmt: skip
    await history.add(
        uow, [history.CaseStep(one.case_id, "dispatched", DISPATCHED, one.at, one.generation) for one, _ in sent]
    )
    for (one, _), in_time in zip(sent, met, strict=True):
        uow.emit(
            CaseDispatched(
                case_id=str(one.case_id),
                client_id=one.client_id,
                branch_id=one.branch_id,
                generation=one.generation,
                dispatched_at=one.at,
                met=in_time,
            ),
            at=one.at,
        )


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
        """SELECT case_id, client_id, branch_id, received_at, concerned, generation, dispatch_wanted_at AS at
           FROM cases WHERE branch_id = ANY($1::text[]) AND dispatch_wanted_at IS NOT NULL
           ORDER BY case_id FOR UPDATE""",
        sorted(branches),
    )
    if not rows:
        return
    orders = [Order(**dict(row)) for row in rows]
    waiting = {one.case_id for one in await send(uow, orders, await staff.roster(uow.sql))}
    await cancel(uow, [("dispatch", f"case/{one.case_id}") for one in orders if one.case_id not in waiting])


async def send_later(due: Sequence[Due], uow: UnitOfWork) -> None:
    """The time of imports' orders has come."""
    at = {UUID(one.object.removeprefix("case/")): one.due for one in due}
    rows = await uow.sql.fetch(
        """SELECT case_id, client_id, branch_id, received_at, concerned, generation FROM cases
           WHERE case_id = ANY($1::uuid[]) AND dispatched_at IS NULL ORDER BY case_id FOR UPDATE""",
        list(at),
    )
    await send(uow, [Order(**dict(row), at=at[row["case_id"]]) for row in rows], await staff.roster(uow.sql))


async def miss_dispatch(due: Sequence[Due], uow: UnitOfWork) -> None:
    """The day of receipt is over and no order went out: a breach [C4]."""
    at = {UUID(one.object.removeprefix("case/")): one for one in due}
    rows = await uow.sql.fetch(
        """UPDATE cases SET dispatch_met = false WHERE case_id = ANY($1::uuid[]) AND dispatched_at IS NULL
           RETURNING case_id, client_id, branch_id, state, generation""",
        list(at),
    )
    await history.add(
        uow,
        [
            history.CaseStep(
                row["case_id"], "dispatch breached", row["state"], at[row["case_id"]].due, row["generation"]
            )
            for row in rows
        ],
    )
    for row in rows:
        uow.emit(breach(row, "dispatch", at[row["case_id"]].due), at=at[row["case_id"]].at)


def breach(case: Any, clock: str, due: datetime) -> CaseBreached:
    """The word that a clock of a case ran out."""
    return CaseBreached(
        case_id=str(case["case_id"]),
        client_id=case["client_id"],
        branch_id=case["branch_id"],
        generation=case["generation"],
        clock=clock,
        due=due,
    )


async def miss_phone(due: Sequence[Due], uow: UnitOfWork) -> None:
    """The general manager was not told by phone on the day of the order: a breach [C4]."""
    at = {UUID(one.object.removeprefix("case/")): one for one in due}
    rows = await uow.sql.fetch(
        """SELECT c.case_id, c.client_id, c.branch_id, c.state, c.generation FROM cases c
           JOIN tickets t USING (case_id, generation)
           WHERE case_id = ANY($1::uuid[]) AND t.phoned_at IS NULL ORDER BY case_id FOR UPDATE OF c""",
        list(at),
    )
    await history.add(
        uow,
        [
            history.CaseStep(
                row["case_id"], "phone notice breached", row["state"], at[row["case_id"]].due, row["generation"]
            )
            for row in rows
        ],
    )
    for row in rows:
        uow.emit(breach(row, "phone_notice", at[row["case_id"]].due), at=at[row["case_id"]].at)
