"""Tasks: made once; `acts` says what may become of them, `ending` what time and corrected facts do to them."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from chassis import calendars
from chassis.calendar import Calendar, CalendarEnds
from chassis.clock import business_date, start_of
from chassis.deadlines import Deadline, arm
from chassis.replans import Moved
from chassis.uow import UnitOfWork
from contracts.callbacks import TaskCreated
from services.callbacks.obligations import Obligation
from services.callbacks.policy import Policies, Trigger
from services.callbacks.rules import OPEN, due_at, due_on, task_id

LIMIT = "limit"
ENQUIRY = "enquiry"
COUNTED = ("trading_days", "working_days", "working_minutes")
"""Units of limits that a calendar decides."""


async def make(uow: UnitOfWork, owed: Iterable[Obligation]) -> list[UUID]:
    """Make the tasks that are owed and not there yet, and tell of them; those that are there stay as they are, and of
    several with one identity the first one counts."""
    wanted = list(owed)
    if not wanted:
        return []
    policies = await uow.policies(Policies)
    calendar = await uow.cached(calendars.current)
    terms = cache(lambda rule, day, until, begun_at: _terms(policies, rule, day, until, begun_at, calendar))
    made: dict[UUID, tuple[Obligation, _Terms]] = {}
    for one in wanted:
        of = terms(one.rule, one.created_on, one.valid_until, one.begun_at)
        made.setdefault(task_id(one.rule, one.client_id, one.period), (one, of))
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
    for key, one, of in fresh:
        uow.audit(
            "create", f"task/{key}", key=one.client_id, policy=of.policy, rule=one.rule, on_day=one.found_on,
            cause=one.cause,
        )  # fmt: skip
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
        if of.trigger.unit == "working_minutes" and one.begun_at is not None
    ]
    await arm(uow, limits)
    return [key for key, *_ in fresh]


async def replan(uow: UnitOfWork, calendar: Calendar) -> Sequence[Moved]:
    """The limits of open tasks, by the calendar in force from now on; what was missed stays missed [B19]."""
    policies = await uow.policies(Policies)
    rules = {rule for version in policies.triggers.all for rule, one in version.body.items() if one.unit in COUNTED}
    rows = await uow.sql.fetch(
        f"""SELECT task_id, client_id, rule, created_on, due_at, cause->>'at' AS begun FROM tasks
            WHERE state IN ({_LISTED}) AND expired_at IS NULL AND rule = ANY($1::text[]) ORDER BY task_id FOR UPDATE""",
        sorted(rules),
    )
    anew = cache(lambda rule, day, begun: due_anew(policies, rule, day, begun, calendar))  # a batch is full of the same
    moved, days, limits = list[Moved](), list[tuple[UUID, date, datetime]](), list[Deadline]()
    for row in rows:
        if (due := anew(row["rule"], row["created_on"], row["begun"])) is None or due == row["due_at"]:
            continue
        object_ = f"task/{row['task_id']}"
        moved.append(Moved(object_, row["due_at"], due))
        days.append((row["task_id"], business_date(due - timedelta.resolution), due))
        if policies.triggers.on(row["created_on"]).body[row["rule"]].unit == "working_minutes":
            limits.append(Deadline(LIMIT, object_, row["client_id"], due))
    await uow.sql.execute(
        """UPDATE tasks t SET due_on = n.due_on, due_at = n.due_at, revision = t.revision + 1
           FROM unnest($1::uuid[], $2::date[], $3::timestamptz[]) AS n(task_id, due_on, due_at) WHERE t.task_id = n.task_id""",
        [one for one, _, _ in days],
        [day for _, day, _ in days],
        [due for _, _, due in days],
    )
    await arm(uow, limits)
    return moved


def due_anew(policies: Policies, rule: str, created_on: date, begun: str | None, calendar: Calendar) -> datetime | None:
    """When a task is due by a calendar; None where it stays as it is: nothing of it is counted, or beyond the calendar."""
    trigger = policies.triggers.on(created_on).body.get(rule)
    if trigger is None or trigger.unit not in COUNTED or (trigger.unit == "working_minutes" and begun is None):
        return None
    at = datetime.fromisoformat(begun) if begun else start_of(created_on)
    try:
        # What came out of hours counts from the working day it belongs to, and that is another one now.
        day = calendar.reception_day(at) if rule == ENQUIRY else created_on
        return due_at(trigger, at, due_on(trigger, day, calendar), calendar)
    except CalendarEnds:
        return None


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
_SHARED = ("topic", "queue", "script", "priority", "target_on", "alarm_on", "policy", "restricted")
_OWN = ("task_id", "client_id", "period", "branch_id", "found_on", "cause", "concerned", "subject", "due_at")


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
        "due_at": terms.due_at,
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
