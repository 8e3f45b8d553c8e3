"""Acting on one case: seen, locked, unchanged meanwhile, by somebody it does not concern; each act leaves its step."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from chassis import calendars
from chassis.actor import Actor, Role
from chassis.acts import IllegalMove
from chassis.calendar import Calendar
from chassis.clock import business_date
from chassis.clocks import Pause, Promise, Resume, Stop, store
from chassis.clocks.store import New
from chassis.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Text
from chassis.http import Match, may_see
from chassis.uow import UnitOfWork
from services.complaints import clocks, contact_duties, history
from services.complaints.policy import Limits, Policies
from services.complaints.rules import FOLLOWING, FOLLOWING_GROUP, OVER
from services.complaints.seats import refuse_conflict


class Erased(Conflict):
    """The case was erased when its retention was over: only that there was one is left [C21]."""

    title = Text("The case was erased", "案件内容已销毁")


class EvidenceMissing(Invalid):
    """The order closes only with facts found, the responsible person, the action and the customer's reaction [C10]."""

    title = Text("The feedback is not complete", "反馈不完整")


def visible(actor: Actor, case: Any) -> bool:
    """Own cases, own branch, everything for headquarters and the call centre; restricted ones for compliance, never who they concern."""
    if case["restricted"]:
        return actor.role is Role.COMPLIANCE and actor.person not in case["concerned"]
    return may_see(actor, case["client_id"] or "", case["branch_id"], centre=True)


async def seen(sql: asyncpg.Connection, actor: Actor, case_id: UUID) -> asyncpg.Record:
    """The case, if the caller may see it.

    Raises: NotFound.
    """
    case = await sql.fetchrow("SELECT * FROM cases WHERE case_id = $1", case_id)
    if case is None or not visible(actor, case):
        raise NotFound
    return case


async def locked(uow: UnitOfWork, case_id: UUID, match: Match | None = None) -> asyncpg.Record:
    """The case, locked for a change by the caller.

    Raises: NotFound, Erased, PreconditionFailed, ConflictOfInterest.
    """
    case = await uow.sql.fetchrow("SELECT * FROM cases WHERE case_id = $1 FOR UPDATE", case_id)
    if case is None or not visible(uow.actor, case):
        raise NotFound
    if case["erased_at"]:
        raise Erased(erased_at=case["erased_at"].isoformat())
    if match is not None:
        match.check(case["revision"])
    if uow.actor.role is not Role.CLIENT:
        refuse_conflict(uow.actor, case["concerned"])
    return case


def moment(uow: UnitOfWork, at: datetime | None) -> datetime:
    """When something happened: now, or earlier where it is only recorded now.

    Raises: Invalid for the future.
    """
    if at is not None and at > uow.now:
        raise Invalid(errors=(FieldError("/at", "lies in the future"),))
    uow.happened_at = at or uow.now
    return uow.happened_at


def require_state(case: Any, to: str) -> None:
    """Refuse a state that cannot follow the present one.

    Raises: IllegalMove.
    """
    if to not in following(case):
        raise IllegalMove(state=case["state"], following=list(following(case)))


def following(case: Any) -> Sequence[str]:
    """What can follow the present state. A group case has no complainant: it ends with its corrective action [C17]."""
    return (FOLLOWING_GROUP if case["kind"] == "cluster" else FOLLOWING).get(case["state"], ())


def refused_owner(pointer: str) -> Invalid:
    """The refusal of somebody whom the case is about [C28]."""
    return Invalid(errors=(FieldError(pointer, "is named in this case [C28]"),))


def require_open(case: Any) -> None:
    """Refuse an act on a case that is over.

    Raises: IllegalMove.
    """
    if case["state"] in OVER:
        raise IllegalMove(state=case["state"], following=list(following(case)))


async def change(
    uow: UnitOfWork, case: Any, what: str, at: datetime, *, to: str | None = None, detail: dict[str, Any] | None = None,
    audited: bool = True, **columns: Any,
) -> asyncpg.Record:  # fmt: skip
    """Change a locked case: its columns, its state where `to` is given, one step of history, one audit row (not where
    the approval behind it leaves one: `audited`).

    Raises: IllegalMove.
    """
    if to is not None and to != case["state"]:
        require_state(case, to)
        columns["state"] = to
    names = sorted(columns)
    sets = "".join(f", {name} = ${n}" for n, name in enumerate(names, 2))
    if "state" in columns:
        await contact_duties.owe(uow, case["case_id"], at)
    row = await uow.sql.fetchrow(
        f"UPDATE cases SET revision = revision + 1{sets} WHERE case_id = $1 RETURNING *",
        case["case_id"],
        *(columns[name] for name in names),
    )
    assert row is not None
    await history.add(uow, [history.CaseStep(case["case_id"], what, row["state"], at, row["generation"], detail or {})])
    if audited:
        uow.audit(what, f"case/{case['case_id']}", key=case["key"], at=at, **(detail or {}))
    return row


def naming(case: Any) -> dict[str, Any]:
    """What every event of a case carries."""
    return {
        "case_id": str(case["case_id"]),
        "client_id": case["client_id"],
        "branch_id": case["branch_id"],
        "generation": case["generation"],
    }


async def stop_clocks(uow: UnitOfWork, case: Any, at: datetime, reason: str) -> None:
    """Stop every clock of the case's generation that still runs."""
    object_ = clocks.object_of(case["case_id"], case["generation"])
    names = await uow.sql.fetch("SELECT clock FROM clocks WHERE object = $1 AND state <> 'stopped'", object_)
    if names:
        await store.append(uow, [New(object_, row["clock"], Stop, at, {"reason": reason}) for row in names])


async def pause_result(uow: UnitOfWork, case: Any, at: datetime, reason: str, expected_end: datetime | None) -> None:
    """Stop counting while somebody else has to answer [C27]."""
    object_ = clocks.object_of(case["case_id"], case["generation"])
    detail: dict[str, Any] = {"reason": reason}
    if expected_end is not None:
        detail["expected_end"] = expected_end
    await store.append(uow, [New(object_, clocks.RESULT, Pause, at, detail)])


async def resume_result(uow: UnitOfWork, case: Any, at: datetime, reason: str) -> None:
    """Go on counting from the answer's own time, however late it is recorded [C27]."""
    object_ = clocks.object_of(case["case_id"], case["generation"])
    await store.append(uow, [New(object_, clocks.RESULT, Resume, at, {"reason": reason})])


async def promise(uow: UnitOfWork, case: Any, at: datetime, due: datetime, reason: str) -> int:
    """Give the complainant a time for the result; how many that makes. It may be moved once, with a reason; a second
    move is the general manager's [C6].

    Raises: Invalid without a reason, SecondMove.
    """
    object_ = clocks.object_of(case["case_id"], case["generation"])
    kept = (await store.load(uow.sql, [object_]))[object_, clocks.RESULT]
    given = sum(isinstance(entry, Promise) for entry in kept.entries)
    if given and not reason:
        raise Invalid(errors=(FieldError("/reason", "a promise is moved with a reason only"),))
    if given > 1 and uow.actor.role not in {Role.BRANCH_MANAGER, Role.HQ}:
        raise SecondMove
    await store.append(uow, [New(object_, clocks.RESULT, Promise, at, {"due": due, "reason": reason})])
    return given + 1


class SecondMove(Forbidden):
    """A promised time may be moved once; a second move needs the general manager [C6]."""

    title = Text("Only the general manager may move it again", "再次改期须总经理批准")


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
