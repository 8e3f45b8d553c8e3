"""A wrong branch, category or client of a case is put right, with the reason; the history shows both [C1, C4].

The result clock runs on: neither branch nor client nor category decides its limit. An order that went to the wrong branch
goes to the right one at once, and counts from then: sent to any branch in time is not sent in time [C4].
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from chassis import staff
from chassis.acts import Doing
from chassis.deadlines import Deadline, arm, cancel
from chassis.errors import FieldError, Invalid
from chassis.staff import HQ, Roster
from chassis.uow import UnitOfWork
from contracts.complaints import CaseCorrected
from services.complaints import cases, clocks, history
from services.complaints.rules import CALLING, dispatch_due, dispatch_met
from services.complaints.seats import EmptySeat, group_of
from services.complaints.tables import CaseRow
from services.complaints.words import codes_of, grams_of

Doings = Sequence[Doing[CaseRow]]
CORRECTABLE = ("client_id", "branch_id", "category")


async def put_right(uow: UnitOfWork, doings: Doings) -> None:
    """What is named is taken over.

    Raises: Invalid where nothing differs or what is named is unknown, EmptySeat.
    """
    roster = await staff.roster(uow.sql)
    for one in doings:
        case, given = one.before, one.body
        fresh = {n: value for n in CORRECTABLE if (value := getattr(given, n)) not in (None, getattr(case, n))}
        await _require_known(uow, roster, one, fresh)
        one.columns |= fresh
        one.detail |= {
            "reason": given.reason, "wrong": {name: getattr(case, name) for name in fresh}, "right": dict(fresh),
        }  # fmt: skip
        if "client_id" in fresh:
            one.columns["key"] = fresh["client_id"]
            await clocks.move(uow, case, fresh["client_id"])
        if "category" in fresh:
            text = " ".join(filter(None, (case.words, fresh["category"], case.product, *case.attributes.values())))
            await uow.sql.execute(
                "UPDATE case_words SET grams = $2 WHERE case_id = $1", case.case_id, codes_of(grams_of(text))
            )
        if "branch_id" in fresh and _is_ordered(case):
            await _order_again(uow, roster, one, fresh["branch_id"])


def _is_ordered(case: CaseRow) -> bool:
    """Whether a branch works on an order now."""
    return case.ordered_in == case.generation and case.state != CALLING


async def _require_known(uow: UnitOfWork, roster: Roster, one: Doing[CaseRow], fresh: dict[str, Any]) -> None:
    errors = []
    if not fresh:
        errors.append(FieldError("/", "differs in nothing"))
    branch, client = fresh.get("branch_id"), fresh.get("client_id")
    if branch not in (None, HQ) and roster.branch(branch, one.at) is None:
        errors.append(FieldError("/branch_id", "is no branch"))
    if client and not await uow.sql.fetchval("SELECT EXISTS (SELECT FROM clients WHERE client_id = $1)", client):
        errors.append(FieldError("/client_id", "is no client"))
    if errors:
        raise Invalid(errors=tuple(errors))


async def _order_again(uow: UnitOfWork, roster: Roster, one: Doing[CaseRow], branch: str) -> None:
    case = one.before
    group = group_of(roster, branch, one.at, case.concerned)
    if group.missing:
        raise EmptySeat(seats=list(group.missing))
    await uow.sql.execute(
        """UPDATE tickets SET branch_id = $3, issued_at = $4, issued_by = $5, addressees = $6, phone_due = $7,
                  phoned_at = NULL, phoned_by = NULL, phoned_to = NULL, phone_recording = NULL
           WHERE case_id = $1 AND generation = $2""",
        one.id, case.generation, branch, one.at, uow.actor.person, group.rows(), dispatch_due(one.at),
    )  # fmt: skip
    one.columns["phoned_in"] = None
    one.detail["addressees"] = group.rows()
    if case.generation == 1:  # the day of receipt is the first order's alone
        met = bool(case.dispatch_met) and dispatch_met(one.at, case.received_at)
        one.columns |= {"dispatched_at": one.at, "dispatch_met": met}


async def tell_corrected(uow: UnitOfWork, doings: Doings) -> None:
    """Whoever keeps something of the case hears it under the old key and the new one; the right branch has a day for the
    phone notice, and an order that reaches it too late is a breach [C4]."""
    for one in doings:
        before, case = one.before, one.row
        if case.branch_id != before.branch_id and _is_ordered(case):
            await cancel(uow, [("phone", f"case/{one.id}")])
            await arm(uow, [Deadline("phone", f"case/{one.id}", case.key, dispatch_due(one.at))])
        if before.dispatch_met and case.dispatch_met is False:
            due = dispatch_due(case.received_at)
            await history.add(uow, [history.CaseStep(case.case_id, "dispatch breached", case.state, due)])
            uow.emit(cases.breach(case, "dispatch", due), at=one.at)
        await tell(uow, before, case, one.at)


async def tell(uow: UnitOfWork, before: CaseRow, case: CaseRow, at: datetime) -> None:
    """The events of a correction: one under each key the case had and has."""
    fed_back_at = None
    if case.state == CALLING:
        fed_back_at = await uow.sql.fetchval(
            "SELECT fed_back_at FROM tickets WHERE case_id = $1 AND generation = $2", case.case_id, case.generation
        )
    for under, row in (("old", before), ("new", case)):
        if under == "new" or before.key != case.key:
            uow.emit(
                CaseCorrected(
                    **cases.naming(row), revision=case.revision, under=under,  # type: ignore[arg-type]
                    previous_client_id=before.client_id, previous_branch_id=before.branch_id,
                    category=case.category or None, corrected_at=at, fed_back_at=fed_back_at,
                    concerned=sorted(case.concerned),
                ),
                at=at,
            )  # fmt: skip
