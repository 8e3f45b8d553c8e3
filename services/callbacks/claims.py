"""Claiming: the next task in an order that is explained, taken atomically, held by a lease, given back when abandoned."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from chassis.actor import PLATFORM
from chassis.acts import Performed, load, perform, perform_each
from chassis.clock import business_date
from chassis.errors import Text
from chassis.rows import columns, fetch
from chassis.uow import UnitOfWork
from services.callbacks import contacts, objections
from services.callbacks.acts import ACTS, not_to_be_called
from services.callbacks.calling import capped_until
from services.callbacks.errors import FullHands
from services.callbacks.people import Agent
from services.callbacks.policy import Calling, Policies
from services.callbacks.rules import CALLABLE, IN_HAND, exclusions
from services.callbacks.tables import Task

LOOKED_AT = 100
SHOWN_RESTING = 20
_CALLABLE = ", ".join(f"'{state}'" for state in CALLABLE)
_IN_HAND = ", ".join(f"'{state}'" for state in IN_HAND)

# What an agent may work on [B2], as a condition on tasks t and clients c; arguments 1 to 6 are the agent's and now.
# An owner's task is theirs (or their deputy's) until it passes on, then the branch's; restricted tasks are
# compliance's; nobody sees a task they are concerned by.
WORKABLE = """
    ((t.queue = ANY($1::text[]) AND (t.queue IN ('centre', 'compliance') OR t.branch_id = $2)
      AND (t.owner IS NULL OR t.owner = ANY($3::text[]) OR t.passes_on_at <= $6)) OR t.owner = $4)
    AND NOT ($4::text = ANY(t.concerned)) AND (NOT t.restricted OR $5::bool)"""


_UNWANTED = objections.against("t", "$6", "$7")


@dataclass(frozen=True, slots=True)
class Taken:
    """What an agent gets: the task, other due tasks of the same client served by the same call, and why this one."""

    tasks: Sequence[Task]
    why: Sequence[Text]
    passed_over: Sequence[dict[str, Any]]


def _arguments(agent: Agent, now: datetime) -> tuple[Any, ...]:
    return (list(agent.queues), agent.branch_id, list(agent.owners), agent.staff_id, agent.is_compliance, now)


async def return_abandoned(uow: UnitOfWork, now: datetime) -> int:
    """Give back tasks whose lease ran out: whoever held them went away. How many it was."""
    rows = await uow.sql.fetch(
        f"""SELECT task_id FROM tasks WHERE holder IS NOT NULL AND lease_until < $1 AND state IN ({_IN_HAND})
            ORDER BY task_id FOR UPDATE SKIP LOCKED""",
        now,
    )
    if not rows:
        return 0
    actor, uow.actor = uow.actor, PLATFORM
    done = await perform_each(uow, ACTS.lapse, dict.fromkeys(row["task_id"] for row in rows), now)
    uow.actor = actor
    return len(done)


async def take_next(uow: UnitOfWork, agent: Agent, now: datetime) -> Taken:
    """The next task for an agent, already theirs; without tasks when there is nothing for them.

    Order: calls clients asked for at this time, then priority, then due date, then the older, then the id.
    Raises: FullHands.
    """
    policies = await uow.policies(Policies)
    calling, must = policies.calling.on(business_date(now)).body, objections.must_be_made(policies)
    await return_abandoned(uow, now)
    held = await _check_capacity(uow, agent, calling.open_tasks_per_agent)
    passed_over: dict[UUID, list[Text]] = {}
    for task_id in await _candidates(uow.sql, agent, now, must):
        [*found] = await fetch(
            uow.sql,
            Task,
            f"""SELECT {columns(Task)} FROM tasks WHERE task_id = $1
                  AND (state IN ({_CALLABLE}) OR state = 'expired' AND late_until IS NOT NULL)
                FOR UPDATE SKIP LOCKED""",
            task_id,
        )
        if not found:  # somebody was faster
            continue
        task = found[0]
        if reasons := await _reasons_against(uow, agent, task, now, calling):
            passed_over[task_id] = reasons
            continue
        others = await _others_of(uow, agent, task, now, calling)
        given = [(await perform(uow, _claim_of(task), task_id)).row]
        for other in others[: calling.open_tasks_per_agent - held - 1]:
            given.append((await perform(uow, ACTS.claim, other.task_id)).row)
        return Taken(given, _why(task, len(given) - 1), _listed(passed_over))
    return Taken(
        [], [], [*_listed(passed_over), *await _resting(uow.sql, agent, now, must, calling.after_exhaustion[0])]
    )


def _claim_of(task: Task) -> Any:
    """The act that claims it: after its limit a task is claimed late [C11]."""
    return ACTS.claim_late if task.state == "expired" and task.late_until is not None else ACTS.claim


async def _resting(
    sql: asyncpg.Connection, agent: Agent, now: datetime, must: Sequence[str], channel: str
) -> list[dict[str, Any]]:
    """Open tasks of the agent's queues that nobody calls now, and why: they rest, or the client is not to be called."""
    rows = await sql.fetch(
        f"""SELECT t.task_id, t.not_before, {_UNWANTED} AS do_not_call FROM tasks t
            WHERE t.state IN ({_CALLABLE}) AND {WORKABLE} AND (t.not_before > $6 OR {_UNWANTED})
            ORDER BY t.due_on, t.task_id LIMIT {SHOWN_RESTING}""",
        *_arguments(agent, now),
        must,
    )
    unwanted = not_to_be_called(channel)
    return [
        {"task_id": r["task_id"], "reasons": [unwanted if r["do_not_call"] else _rests(r["not_before"])]} for r in rows
    ]


def _rests(until: datetime) -> Text:
    return Text(f"not before {until:%F %H:%M} UTC", f"{until:%F %H:%M} UTC 之前不再拨打")


async def _candidates(sql: asyncpg.Connection, agent: Agent, now: datetime, must: Sequence[str]) -> list[UUID]:
    """The tasks an agent might be given, in order, without locking any: whoever locks many hides work from others."""
    rows = await sql.fetch(
        f"""SELECT t.task_id FROM (
                SELECT * FROM tasks t WHERE t.state IN ({_CALLABLE}) AND {WORKABLE}
                UNION ALL
                SELECT * FROM tasks t WHERE t.late_until > $6 AND t.state = 'expired' AND {WORKABLE}) t
            WHERE (t.not_before IS NULL OR t.not_before <= $6)
              AND (t.due_at > $6 OR t.attempts > 0 OR t.late_until > $6) AND NOT {_UNWANTED}
            ORDER BY t.wish AND t.not_before IS NOT NULL DESC, t.priority, t.due_on, t.created_on, t.task_id
            LIMIT {LOOKED_AT}""",
        *_arguments(agent, now),
        must,
    )
    return [row["task_id"] for row in rows]


def _listed(passed_over: dict[UUID, list[Text]]) -> list[dict[str, Any]]:
    return [{"task_id": task_id, "reasons": reasons} for task_id, reasons in passed_over.items()]


async def claim(uow: UnitOfWork, task_id: UUID, now: datetime) -> Task:
    """One task by its id. Claiming again what one holds renews the lease.

    Raises: NotFound, AlreadyTaken (with who and since when), Excluded (with every reason), IllegalMove, FullHands.
    """
    # First the one task that may have to be waited for, then those nobody waits for.
    await uow.sql.execute("SELECT FROM tasks WHERE task_id = $1 FOR UPDATE", task_id)
    await return_abandoned(uow, now)
    task = await load(uow.sql, ACTS, uow.actor, task_id)
    if task.holder != uow.actor.person:
        claimed: Performed[Task] = await perform(uow, _claim_of(task), task_id)
        return claimed.row
    lease = (await uow.policies(Policies)).calling.on(business_date(now)).body.lease_minutes
    [renewed] = await fetch(
        uow.sql,
        Task,
        f"""UPDATE tasks SET lease_until = $2, revision = revision + 1 WHERE task_id = $1
            RETURNING {columns(Task)}""",
        task_id,
        now + timedelta(minutes=lease),
    )
    return renewed


async def _check_capacity(uow: UnitOfWork, agent: Agent, most: int) -> int:
    """How many tasks the agent holds.

    Raises: FullHands.
    """
    count: int = await uow.sql.fetchval("SELECT count(*) FROM tasks WHERE holder = $1", agent.staff_id)
    if count >= most:
        raise FullHands(Text(f"{count} of {most}", f"{count}/{most}"), held=count, most=most)
    return count


async def _reasons_against(uow: UnitOfWork, agent: Agent, task: Task, now: datetime, calling: Calling) -> list[Text]:
    sql = uow.sql
    trigger, _ = (await uow.policies(Policies)).rule_on(task.rule, task.created_on)
    client = task.client_id
    ties = (await contacts.ties_of(sql, [client], {client: task.concerned}))[client]
    reasons = list(exclusions(agent.staff_id, ties, avoidance=trigger.avoidance))
    # Compliance and complaint calls have to be made; the cap spares clients the others.
    if not trigger.avoidance and not task.wish:
        contacted = await sql.fetch(
            "SELECT at FROM attempts WHERE client_id = $1 AND reached AND at > $2",
            client,
            now - timedelta(days=calling.cap_days),
        )
        if until := capped_until([r["at"] for r in contacted], now, calling):
            count, days = calling.cap_count, calling.cap_days
            reasons.append(
                Text(
                    f"the client had {count} contacts in {days} days: until {until:%F}",
                    f"该客户 {days} 天内已联系 {count} 次，{until:%F} 前不再打扰",
                )
            )
    return reasons


async def _others_of(uow: UnitOfWork, agent: Agent, first: Task, now: datetime, calling: Calling) -> list[Task]:
    """Other due tasks of the same client that one call can serve, each with a result of its own."""
    rows = await fetch(
        uow.sql,
        Task,
        f"""SELECT {columns(Task, "t")} FROM tasks t WHERE t.client_id = $7 AND t.task_id <> $8
              AND t.state IN ({_CALLABLE}) AND {WORKABLE} AND t.channel = $9 AND NOT t.wish AND t.due_at > $6
            ORDER BY t.priority, t.due_on, t.task_id FOR UPDATE OF t SKIP LOCKED""",
        *_arguments(agent, now),
        first.client_id,
        first.task_id,
        first.channel,
    )
    return [row for row in rows if not await _reasons_against(uow, agent, row, now, calling)]


def _why(task: Task, others: int) -> list[Text]:
    """Why this task and no other, in the order in which it was decided."""
    found = []
    if task.wish and task.not_before is not None:
        at = task.not_before
        found.append(Text(f"the client asked to be called at {at:%F %H:%M} UTC", f"客户约定时间 {at:%F %H:%M} UTC"))
    if task.owner:
        found.append(Text(f"it belongs to {task.owner}", f"归属 {task.owner}"))
    found.append(Text(f"priority {task.priority}, 1 is the most urgent", f"优先级 {task.priority}（1 最急）"))
    found.append(Text(f"due on {task.due_on}", f"到期日 {task.due_on}"))
    found.append(Text(f"waiting since {task.created_on}", f"创建于 {task.created_on}"))
    if others:
        found.append(Text(f"the same call serves {others} more due task(s)", f"同一通电话可完成另外 {others} 项任务"))
    return found
