"""Tasks: made once, moved by the table of states, every move a step that never changes."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from chassis import calendars
from chassis.calendar import Calendar
from chassis.clock import business_date, start_of
from chassis.deadlines import Deadline, arm
from chassis.uow import UnitOfWork
from contracts.callbacks import TaskCancelled, TaskCreated, TaskExpired
from services.callbacks.obligations import DERIVED, Obligation
from services.callbacks.policy import Policies, Trigger
from services.callbacks.rules import OPEN, due_at, due_on, task_id

WITHDRAWN = "facts_corrected"
CLOSED = "account_closed"
LIMIT = "limit"
LONGEST_TRIES_DAYS = 30
"""Calls, the e-survey and the letter of a satisfaction task that was begun in time end by then [C11, B20]."""


class TaskStep(msgspec.Struct, frozen=True, gc=False):
    """One change of a task's state, as it is kept for good."""

    task_id: UUID
    client_id: str
    on_day: date
    before: str | None
    after: str
    reason: str
    detail: dict[str, Any] = msgspec.field(default_factory=dict)
    policy: str | None = None
    at: datetime | None = None


def record(uow: UnitOfWork, steps: Sequence[TaskStep]) -> None:
    """Keep steps: numbered and sealed at the very end of the unit of work, after every lock of a task or a client."""
    for step in steps:
        row = {
            "task_id": step.task_id,
            "client_id": step.client_id,
            "on_day": step.on_day,
            "at": step.at or uow.now,
            "from_state": step.before,
            "to_state": step.after,
            "actor": uow.actor.person,
            "reason": step.reason,
            "detail": step.detail,
            "policy": step.policy,
        }
        uow.seal("steps", step.client_id, row)


async def make(uow: UnitOfWork, owed: Iterable[Obligation], begun_at: datetime | None = None) -> list[UUID]:
    """Make the tasks that are owed and not there yet, and tell of them; those that are there stay as they are.

    `begun_at` is the instant that limits in minutes count from; without it, the start of the creation date.
    """
    wanted = list(owed)
    if not wanted:
        return []
    policies = await uow.policies(Policies)
    calendar = await uow.cached(calendars.current)
    terms = cache(lambda rule, day, until: _terms(policies, rule, day, until, begun_at, calendar))
    made = {
        task_id(one.rule, one.client_id, one.period): (one, terms(one.rule, one.created_on, one.valid_until))
        for one in wanted
    }
    new = await uow.sql.fetch(
        f"""INSERT INTO tasks ({", ".join((*_SHARED_BY, *_OWN, *_SHARED))}, owner, passes_on_at)
            SELECT {", ".join((*_SHARED_BY, *(f"n.{name}" for name in _OWN), *(f"t.{name}" for name in _SHARED)))},
                   n.owner, CASE WHEN n.owner IS NOT NULL THEN t.passes_on_at END
            FROM jsonb_populate_recordset(NULL::tasks, $1::jsonb) n
            JOIN jsonb_populate_recordset(NULL::tasks, $2::jsonb) t USING ({", ".join(_SHARED_BY)})
            ORDER BY n.task_id  -- one order of locks, whoever makes them
            ON CONFLICT DO NOTHING RETURNING task_id""",
        [_own(key, one, of) for key, (one, of) in made.items()],
        list({(of.rule, of.created_on, of.due_on): of.columns for _, of in made.values()}.values()),
    )
    fresh = [(row["task_id"], *made[row["task_id"]]) for row in new]
    record(
        uow,
        [
            TaskStep(
                key, one.client_id, one.found_on, None, "planned", "created", one.cause, of.policy, at=uow.happened_at
            )
            for key, one, of in fresh
        ],
    )
    uow.emit_all(
        TaskCreated(
            task_id=key,
            client_id=one.client_id,
            rule=one.rule,
            task_topic=of.trigger.topic,
            queue=of.trigger.queue,
            branch_id=one.branch_id,
            created_on=one.created_on,
            due_on=of.due_on,
        )
        for key, one, of in fresh
    )
    limits = [
        Deadline(LIMIT, f"task/{key}", one.client_id, of.due_at)
        for key, one, of in fresh
        if of.trigger.unit == "working_minutes" and begun_at is not None
    ]
    await arm(uow, limits)
    return [key for key, *_ in fresh]


class _Terms(msgspec.Struct, frozen=True, gc=False):
    """What tasks of one rule created on one day share."""

    rule: str
    trigger: Trigger
    policy: str
    script: str
    created_on: date
    due_on: date
    due_at: datetime

    @property
    def columns(self) -> dict[str, Any]:
        """As they are kept; `passes_on_at` only of tasks with an owner."""
        trigger, day = self.trigger, self.created_on
        return {
            "rule": self.rule,
            "created_on": day,
            "due_on": self.due_on,
            "topic": trigger.topic,
            "queue": trigger.queue,
            "script": self.script,
            "priority": trigger.priority,
            "target_on": None if trigger.target_days is None else day + timedelta(days=trigger.target_days),
            "alarm_on": None if trigger.alarm_days is None else day + timedelta(days=trigger.alarm_days),
            "due_at": self.due_at,
            "policy": self.policy,
            "restricted": trigger.restricted,
            "passes_on_at": start_of(day + timedelta(days=trigger.pass_on_days)),
        }


def _terms(
    policies: Policies,
    rule: str,
    created_on: date,
    valid_until: date | None,
    begun_at: datetime | None,
    calendar: Calendar,
) -> _Terms:
    version = policies.triggers.on(created_on)
    trigger = version.body[rule]
    last = due_on(trigger, created_on, calendar, valid_until)
    due = due_at(trigger, begun_at or start_of(created_on), last, calendar)
    if trigger.unit == "working_minutes":
        last = business_date(due)
    script = policies.scripts[trigger.script].on(created_on).name
    return _Terms(rule, trigger, version.name, script, created_on, last, due)


_SHARED_BY = ("rule", "created_on", "due_on")
_SHARED = ("topic", "queue", "script", "priority", "target_on", "alarm_on", "due_at", "policy", "restricted")
_OWN = ("task_id", "client_id", "period", "branch_id", "found_on", "cause", "concerned", "subject")


def _own(key: UUID, one: Obligation, terms: _Terms) -> dict[str, Any]:
    return {
        "rule": one.rule,
        "created_on": one.created_on,
        "due_on": terms.due_on,
        "task_id": key,
        "client_id": one.client_id,
        "period": one.period,
        "branch_id": one.branch_id,
        "found_on": one.found_on,
        "cause": one.cause,
        "concerned": one.concerned,
        "subject": one.subject,
        "owner": one.owner if terms.trigger.owner else None,
    }


_LISTED = ", ".join(f"'{state}'" for state in OPEN)


async def place(uow: UnitOfWork, clients: Sequence[str] | None = None) -> None:
    """Give tasks (of these clients) their client's branch where it was not known yet: a reminder may be owed before the
    account opens, and its task may be made while the opening is being taken in.

    What somebody else has in hand is left to the next close, so that nobody waits here.
    """
    of = "" if clients is None else "AND t.client_id = ANY($1::text[])"
    await uow.sql.execute(
        f"""UPDATE tasks t SET branch_id = o.branch_id
            FROM (SELECT t.task_id, c.branch_id FROM tasks t JOIN clients c USING (client_id)
                  WHERE t.branch_id IS NULL AND c.branch_id IS NOT NULL {of}
                  ORDER BY t.task_id FOR UPDATE OF t SKIP LOCKED) AS o
            WHERE t.task_id = o.task_id""",
        *([] if clients is None else [list(clients)]),
    )


async def unplaced(sql: asyncpg.Connection) -> bool:
    """Whether any task's branch is not known."""
    found: bool = await sql.fetchval("SELECT EXISTS (SELECT FROM tasks WHERE branch_id IS NULL)")
    return found


async def first_due(sql: asyncpg.Connection) -> date | None:
    """No open task is due earlier, nor will those be that closes after the last one make; None before the first close."""
    first: date | None = await sql.fetchval(
        f"""SELECT least(through, (SELECT min(due_on) FROM tasks WHERE state IN ({_LISTED}))) FROM closed_days
            WHERE through IS NOT NULL"""
    )
    return first


async def expire(uow: UnitOfWork, through: date, since: date | None = None) -> int:
    """Expire what was due by the end of a day and is not done: a breach, kept as one [B19]. How many it was.

    The day after a complaint's feedback is the limit of the first call: tries and the survey after it go on [C11].
    `since`: nothing open is due earlier. It spares the search what closes of a backlog have expired already, which the
    index holds until it is cleared.
    """
    begun = f"(rule = 'satisfaction' AND attempts > 0 AND due_on > $1::date - {LONGEST_TRIES_DAYS})"
    return await _expire(
        uow, f"due_on <= $1 AND due_on >= coalesce($2::date, '-infinity') AND NOT {begun}", through, since
    )


async def expire_at(uow: UnitOfWork, ids: Sequence[UUID]) -> int:
    """Expire these, as their limit of minutes has run out."""
    return await _expire(uow, "task_id = ANY($1::uuid[])", list(ids))


async def _expire(uow: UnitOfWork, which: str, *arguments: object) -> int:
    rows = await uow.sql.fetch(
        f"""UPDATE tasks t SET state = 'expired', ended_on = t.due_on, holder = NULL, held_since = NULL,
                   lease_until = NULL, revision = revision + 1
            FROM (SELECT task_id, state FROM tasks WHERE {which} AND state IN ({_LISTED})
                  ORDER BY task_id FOR UPDATE) AS o
            WHERE t.task_id = o.task_id
            RETURNING t.task_id, t.client_id, t.rule, t.subject, t.due_on, t.due_at, t.policy, o.state AS before""",
        *arguments,
    )
    record(
        uow,
        [
            TaskStep(
                r["task_id"], r["client_id"], r["due_on"], r["before"], "expired", "due", {}, r["policy"], r["due_at"]
            )
            for r in rows
        ],
    )
    uow.emit_all(
        TaskExpired(
            task_id=r["task_id"], client_id=r["client_id"], rule=r["rule"], subject=r["subject"], due_on=r["due_on"]
        )
        for r in rows
    )
    return len(rows)


async def compare(uow: UnitOfWork, clients: Sequence[str], owed: Sequence[Obligation], through: date) -> None:
    """After late facts: make what is owed and missing, withdraw what is not owed, bring back what is owed after all."""
    await make(uow, owed)
    wanted = {task_id(one.rule, one.client_id, one.period): one for one in owed}
    rows = await uow.sql.fetch(
        """SELECT task_id, client_id, rule, state, outcome, policy, created_on, due_on FROM tasks
           WHERE client_id = ANY($1::text[]) AND rule = ANY($2::text[]) AND found_on <= $3 ORDER BY task_id FOR UPDATE""",
        list(clients),
        list(DERIVED),
        through,
    )
    gone = [r for r in rows if r["task_id"] not in wanted and r["state"] not in ("completed", "cancelled")]
    back = [r for r in rows if r["task_id"] in wanted and r["state"] == "cancelled" and r["outcome"] == WITHDRAWN]
    await _end(uow, gone, WITHDRAWN, through)
    await uow.sql.execute(
        """UPDATE tasks SET state = 'planned', outcome = NULL, ended_on = NULL, revision = revision + 1
           WHERE task_id = ANY($1::uuid[])""",
        [r["task_id"] for r in back],
    )
    record(
        uow,
        [
            TaskStep(r["task_id"], r["client_id"], through, r["state"], "planned", WITHDRAWN, {}, r["policy"])
            for r in back
        ],
    )
    moved = [r for r in rows if r["task_id"] in wanted and r["created_on"] != wanted[r["task_id"]].created_on]
    for row in moved:  # an event that begins on another day within its quarter: rare, one by one
        one = wanted[row["task_id"]]
        await uow.sql.execute(
            "UPDATE tasks SET created_on = $2, found_on = $3, cause = $4, revision = revision + 1 WHERE task_id = $1",
            row["task_id"],
            one.created_on,
            one.found_on,
            one.cause,
        )


async def cancel_closed(uow: UnitOfWork, closed: dict[str, date], *, waits: bool) -> list[str]:
    """Nothing is owed to a client whose account is closed [B19]; what came before stays as it was.

    The closer waits for tasks that others have locked. The consumer does not: it holds those of the clients before, so
    that the two would wait in a circle; it gets the clients with such tasks back, to be looked at again.
    """
    which = f"""client_id = ANY($1::text[]) AND state IN ({_LISTED}) AND NOT restricted
        AND rule NOT IN ('satisfaction', 'manager_left')"""
    clients = sorted(closed)
    rows = await uow.sql.fetch(
        f"""SELECT task_id, client_id, rule, state, policy FROM tasks WHERE {which}
            ORDER BY task_id FOR UPDATE {"" if waits else "SKIP LOCKED"}""",
        clients,
    )
    for client_id, day in sorted(closed.items()):
        await _end(uow, [row for row in rows if row["client_id"] == client_id], CLOSED, day)
    left = await uow.sql.fetch(f"SELECT DISTINCT client_id FROM tasks WHERE {which}", clients)
    return [row["client_id"] for row in left]


async def _end(uow: UnitOfWork, rows: Sequence[asyncpg.Record], reason: str, on_day: date) -> None:
    if not rows:
        return
    await uow.sql.execute(
        """UPDATE tasks SET state = 'cancelled', outcome = $2, ended_on = $3, holder = NULL, held_since = NULL,
                  lease_until = NULL, revision = revision + 1 WHERE task_id = ANY($1::uuid[])""",
        [row["task_id"] for row in rows],
        reason,
        on_day,
    )
    record(
        uow,
        [
            TaskStep(r["task_id"], r["client_id"], on_day, r["state"], "cancelled", reason, {}, r["policy"])
            for r in rows
        ],
    )
    uow.emit_all(
        TaskCancelled(task_id=r["task_id"], client_id=r["client_id"], rule=r["rule"], reason=reason) for r in rows
    )
