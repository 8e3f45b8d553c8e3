"""Who called in vain: calls of one number are one task until it is over, due by the first of them [C24].

A call finds its client by number at the door, where exactly one client has it (`gateway.client_search`); with several or
none it stays open, and is joined here by a keyed token of the number, which is forgotten with the next call that is heard once
the task is over.
"""

import hmac
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from chassis import calendars
from chassis.acts import Step, note
from chassis.clock import business_date
from chassis.deadlines import Deadline, arm
from chassis.personal import normalised
from chassis.personal.keys import Value
from chassis.secrets import key_ring
from chassis.uow import UnitOfWork
from contracts.broker import CallMissed
from services.callbacks import tasks
from services.callbacks.policy import Policies
from services.callbacks.rules import OPEN, task_id

RULE = "missed_call"
AGAIN = "called_again"


@dataclass(slots=True)
class Calls:
    """Calls heard: those that ask for a task of their own with what its cause says, and of each its task and token."""

    own: list[tuple[CallMissed, dict[str, Any]]] = field(default_factory=list)
    served_by: dict[str, UUID] = field(default_factory=dict)
    numbers: dict[str, bytes] = field(default_factory=dict)


async def join(uow: UnitOfWork, events: Sequence[CallMissed]) -> Calls:
    """Put calls of a number that is still to be called back to its task; what is left asks for one of its own."""
    known = await uow.sql.fetch(
        "SELECT subject FROM callers WHERE subject = ANY($1::text[])", [e.call_id for e in events]
    )
    heard = {row["subject"] for row in known}
    fresh = {e.call_id: e for e in sorted(events, key=lambda e: (e.at, e.call_id)) if e.call_id not in heard}
    found = Calls(numbers=await _numbers(uow, list(fresh.values())))
    waiting = await _waiting(uow, sorted(set(found.numbers.values())))
    groups: defaultdict[bytes, list[CallMissed]] = defaultdict(list)
    for call in fresh.values():
        number = found.numbers.get(call.call_id)
        if number is None:
            found.own.append((call, _cause(call, ())))
        elif number in waiting:
            found.served_by[call.call_id] = waiting[number]["task_id"]
            await _again(uow, waiting[number], call)
        else:
            groups[number].append(call)
    for first, *others in groups.values():
        found.own.append((first, _cause(first, others)))
        found.served_by |= {one.call_id: task_id(RULE, first.key, first.call_id) for one in (first, *others)}
    return found


def _cause(call: CallMissed, others: Sequence[CallMissed]) -> dict[str, Any]:
    again = {"calls": [_said(one) for one in others]} if others else {}
    return {"line": call.line, "at": call.at, **again}


def _said(call: CallMissed) -> dict[str, Any]:
    return {"call": call.call_id, "line": call.line, "at": call.at.isoformat()}


async def _numbers(uow: UnitOfWork, calls: Sequence[CallMissed]) -> dict[str, bytes]:
    """The token of each call's number, as far as there is one."""
    sealed = [(call.call_id, Value(call.key_owner, "phone", call.sealed.get("phone"))) for call in calls]
    clear = await uow.database.keyring.open([value for _, value in sealed])
    key = key_ring(uow.database.settings, "field")[-1]  # the oldest: numbers outlive a rotation
    return {
        call_id: hmac.digest(key, f"caller\n{number}".encode(), "sha256")[:16]
        for (call_id, _), said in zip(sealed, clear, strict=True)
        if said and (number := normalised(said))
    }


async def _waiting(uow: UnitOfWork, numbers: Sequence[bytes]) -> dict[bytes, asyncpg.Record]:
    """The open task of each number, locked; of what is over the number is forgotten."""
    if not numbers:
        return {}
    await uow.sql.execute(
        """UPDATE callers k SET number = NULL WHERE k.number IS NOT NULL AND NOT EXISTS (
               SELECT FROM tasks t WHERE t.task_id = k.task_id AND t.state = ANY($1::text[]))""",
        list(OPEN),
    )
    for number in numbers:  # two who hear calls of one number at once see each other's
        await uow.sql.execute("SELECT pg_advisory_xact_lock(hashtextextended('caller ' || $1, 0))", number.hex())
    rows = await uow.sql.fetch(
        """SELECT k.number, t.task_id, t.client_id, t.state, t.created_on, t.due_at, t.cause FROM callers k
           JOIN tasks t ON t.task_id = k.task_id
           WHERE k.number = ANY($1::bytea[]) AND t.state = ANY($2::text[]) AND t.expired_at IS NULL
           ORDER BY t.task_id FOR UPDATE OF t""",
        list(numbers),
        list(OPEN),
    )
    return {row["number"]: row for row in rows}


async def _again(uow: UnitOfWork, task: asyncpg.Record, call: CallMissed) -> None:
    """The same number called again: the task says so. It is due by the first of its calls, in whatever order they are heard."""
    due, first = None, call.at < datetime.fromisoformat(task["cause"]["at"])
    if first:
        policies, calendar = await uow.policies(Policies), await uow.cached(calendars.current)
        due = tasks.due_anew(policies, RULE, task["created_on"], call.at.isoformat(), calendar)
    moved = due is not None and due < task["due_at"]
    await uow.sql.execute(
        """UPDATE tasks SET revision = revision + 1, due_at = coalesce($3, due_at), due_on = coalesce($4, due_on),
                  cause = jsonb_set(jsonb_set(cause, '{calls}', coalesce(cause->'calls', '[]') || $2::jsonb),
                                    '{at}', coalesce(to_jsonb($5::text), cause->'at'))
           WHERE task_id = $1""",
        task["task_id"],
        [_said(call)],
        due if moved else None,
        business_date(due) if moved and due else None,
        call.at.isoformat() if first else None,  # a new calendar counts from it as well
    )
    name = f"task/{task['task_id']}"
    if moved and due:
        await arm(uow, [Deadline(tasks.LIMIT, name, task["client_id"], due)])
    step = Step(
        name, AGAIN, task["state"], task["state"], call.at, ("staff",), {"call": call.call_id, "line": call.line}
    )
    await note(uow, [step])
    uow.audit(AGAIN, name, key=task["client_id"], at=call.at, call=call.call_id)
