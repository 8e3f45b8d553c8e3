"""One case: who sees it, what belongs to it. What moves it from state to state is the table of acts (`acts`)."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from chassis import calendars
from chassis.actor import PLATFORM, Actor, Role
from chassis.acts import IllegalMove
from chassis.calendar import Calendar
from chassis.clock import business_date
from chassis.clocks import Stop, store
from chassis.clocks.store import New
from chassis.errors import Conflict, FieldError, Invalid, NotFound, Text
from chassis.etags import Match
from chassis.http.objects import object_scope
from chassis.uow import UnitOfWork
from contracts.complaints import CaseBreached
from services.complaints import clocks, history
from services.complaints.policy import Limits, Policies
from services.complaints.rules import OVER
from services.complaints.seats import judges_conduct, refuse_conflict
from services.complaints.tables import CaseRow


class Erased(Conflict):
    """The case was erased when its retention was over: only that there was one is left [C21]."""

    title = Text("The case was erased", "案件内容已销毁")


def sight(actor: Actor, n: int) -> tuple[str, Sequence[Any]]:
    """Own cases, own branch, everything for headquarters and the call centre; restricted ones for who judges
    conduct, never who they concern."""
    if actor == PLATFORM:
        return "true", []
    scope, arguments = object_scope(actor, n, centre=True)
    if not judges_conduct(actor):
        return f"{scope} AND NOT restricted", arguments
    return f"{scope} AND NOT (restricted AND ${n + len(arguments)} = ANY(concerned))", [*arguments, actor.person]


async def seen(sql: asyncpg.Connection, actor: Actor, case_id: UUID, *, lock: bool = False) -> CaseRow:
    """The case, if the caller may see it.

    Raises: NotFound.
    """
    condition, arguments = sight(actor, 2)
    row = await sql.fetchrow(
        f"SELECT * FROM cases WHERE case_id = $1 AND {condition} {'FOR UPDATE' if lock else ''}", case_id, *arguments
    )
    if row is None:
        raise NotFound
    return CaseRow(**row)


async def locked(uow: UnitOfWork, case_id: UUID, match: Match | None = None) -> CaseRow:
    """The case, locked for a change by the caller.

    Raises: NotFound, Erased, PreconditionFailed, ConflictOfInterest.
    """
    case = await seen(uow.sql, uow.actor, case_id, lock=True)
    if case.erased_at:
        raise Erased(erased_at=case.erased_at.isoformat())
    if match is not None:
        match.check(case.revision)
    if uow.actor.role is not Role.CLIENT:
        refuse_conflict(uow.actor, case.concerned)
    return case


async def of(uow: UnitOfWork, ids: Collection[UUID]) -> dict[UUID, CaseRow]:
    """Cases by their ids, locked, for the platform's own handlers."""
    rows = await uow.sql.fetch(
        "SELECT * FROM cases WHERE case_id = ANY($1::uuid[]) ORDER BY case_id FOR UPDATE", list(ids)
    )
    return {row["case_id"]: CaseRow(**row) for row in rows}


def moment(uow: UnitOfWork, at: datetime | None) -> datetime:
    """When something happened: now, or earlier where it is only recorded now.

    Raises: Invalid for the future.
    """
    if at is not None and at > uow.now:
        raise Invalid(errors=(FieldError("/at", "lies in the future"),))
    uow.happened_at = at or uow.now
    return uow.happened_at


def refused_owner(pointer: str) -> Invalid:
    """The refusal of somebody whom the case is about [C28]."""
    return Invalid(errors=(FieldError(pointer, "is named in this case [C28]"),))


def require_open(case: CaseRow) -> None:
    """Refuse to add to a case that is over.

    Raises: IllegalMove.
    """
    if case.state in OVER:
        raise IllegalMove(state=case.state)


async def change(
    uow: UnitOfWork, case: CaseRow, what: str, at: datetime, *, detail: dict[str, Any] | None = None,
    tells: Sequence[str] = history.STAFF, audited: bool = True, **columns: Any,
) -> CaseRow:  # fmt: skip
    """Change a locked case in its state: its columns, one step of history, one audit row (not where the approval
    behind it leaves one: `audited`)."""
    sets = "".join(f", {name} = ${n}" for n, name in enumerate(columns, 2))
    row = await uow.sql.fetchrow(
        f"UPDATE cases SET revision = revision + 1{sets} WHERE case_id = $1 RETURNING *",
        case.case_id,
        *columns.values(),
    )
    assert row is not None
    await history.add(uow, [history.CaseStep(case.case_id, what, case.state, at, detail or {}, tells)])
    if audited:
        uow.audit(what, f"case/{case.case_id}", key=case.key, at=at, **(detail or {}))
    return CaseRow(**row)


def naming(case: CaseRow) -> dict[str, Any]:
    """What every event of a case carries."""
    return {
        "case_id": str(case.case_id),
        "client_id": case.client_id,
        "branch_id": case.branch_id,
        "generation": case.generation,
        "restricted": case.restricted,
    }


def breach(case: CaseRow, clock: str, due: datetime, generation: int | None = None, round: int = 1) -> CaseBreached:
    """The word that a clock of a case ran out."""
    return CaseBreached(
        **naming(case) | {"generation": generation or case.generation}, clock=clock, due=due, round=round
    )


async def limits_of(uow: UnitOfWork, at: datetime) -> Limits:
    """The limits in force at an instant."""
    return (await uow.policies(Policies)).limits.on(business_date(at)).body


async def calendar_of(uow: UnitOfWork) -> Calendar:
    """The calendar in force."""
    return await calendars.current(uow.sql)


async def stop_report(uow: UnitOfWork, object_: str, at: datetime) -> None:
    """All three departments know: the report clock stops [C7]."""
    running = await uow.sql.fetchval(
        "SELECT true FROM clocks WHERE object = $1 AND clock = $2 AND state <> 'stopped'", object_, clocks.REPORT
    )
    if running:
        await store.append(uow, [New(object_, clocks.REPORT, Stop, at, {"reason": "acknowledged"})])
