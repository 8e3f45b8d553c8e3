"""Claiming: the next task in an order that is explained, taken atomically, held by a lease, given back when abandoned."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from chassis.clock import business_date
from chassis.errors import Conflict, Forbidden, NotFound, Text
from chassis.uow import UnitOfWork
from contracts.callbacks import TaskAssigned
from services.callbacks import contacts
from services.callbacks.calling import capped_until
from services.callbacks.people import Agent
from services.callbacks.policy import Calling, Policies
from services.callbacks.rules import CALLABLE, IN_HAND, check_move, exclusions
from services.callbacks.tasks import TaskStep, record

LOOKED_AT = 100
_CALLABLE = ", ".join(f"'{state}'" for state in CALLABLE)
_IN_HAND = ", ".join(f"'{state}'" for state in IN_HAND)

# What an agent may work on [B2], as a condition on tasks t and clients c; arguments 1 to 6 are the agent's and now.
# An owner's task is theirs (or their deputy's) until it passes on, then the branch's; restricted tasks are
# compliance's; nobody sees a task they are concerned by.
WORKABLE = """
    ((t.queue = ANY($1::text[]) AND (t.queue IN ('centre', 'compliance') OR t.branch_id = $2)
      AND (t.owner IS NULL OR t.owner = ANY($3::text[]) OR t.passes_on_at <= $6)) OR t.owner = ANY($3::text[]))
    AND NOT ($4::text = ANY(t.concerned)) AND (NOT t.restricted OR $5::bool)"""


class AlreadyTaken(Conflict):
    """Somebody else has this task: `holder` and `since` say who and since when."""

    title = Text("Somebody else has this task", "任务已被他人领取")


class ClaimFirst(Conflict):
    """The task is not in your hands: claim it first."""

    title = Text("Claim the task first", "请先领取任务")


class Excluded(Forbidden):
    """Avoidance (回避): you have had to do with this client; `reasons` say how [B10]."""

    title = Text("You may not call this client", "须回避该客户")


class FullHands(Conflict):
    """You hold as many tasks as one may; finish or give back some."""

    title = Text("You hold as many tasks as allowed", "持有任务已达上限")


@dataclass(frozen=True, slots=True)
class Taken:
    """What an agent gets: the task, other due tasks of the same client served by the same call, and why this one."""

    tasks: Sequence[asyncpg.Record]
    why: Sequence[Text]
    passed_over: Sequence[dict[str, Any]]


def _arguments(agent: Agent, now: datetime) -> tuple[Any, ...]:
    return (list(agent.queues), agent.branch_id, list(agent.owners), agent.staff_id, agent.is_compliance, now)


async def return_abandoned(uow: UnitOfWork, now: datetime) -> int:
    """Give back tasks whose lease ran out: whoever held them went away. How many it was."""
    rows = await uow.sql.fetch(
        """UPDATE tasks t SET state = 'planned', holder = NULL, held_since = NULL, lease_until = NULL,
                   revision = revision + 1
            FROM (SELECT task_id, state, holder FROM tasks
                  WHERE holder IS NOT NULL AND lease_until < $1 AND state IN ('assigned', 'attempting')
                  ORDER BY task_id FOR UPDATE SKIP LOCKED) AS o
            WHERE t.task_id = o.task_id
            RETURNING t.task_id, t.client_id, t.policy, o.state AS before, o.holder AS had""",
        now,
    )
    day = business_date(now)
    steps = [
        TaskStep(r["task_id"], r["client_id"], day, r["before"], "planned", "lease", {"holder": r["had"]}, r["policy"])
        for r in rows
    ]
    record(uow, steps)
    return len(rows)


async def take_next(uow: UnitOfWork, agent: Agent, now: datetime) -> Taken:
    """The next task for an agent, already theirs; without tasks when there is nothing for them.

    Order: calls clients asked for at this time, then priority, then due date, then the older, then the id.
    Raises: FullHands.
    """
    calling = (await uow.policies(Policies)).calling.on(business_date(now)).body
    await return_abandoned(uow, now)
    await _check_capacity(uow, agent, calling.open_tasks_per_agent)
    passed_over: dict[UUID, list[Text]] = {}
    for task_id in await _candidates(uow.sql, agent, now):
        row = await _lock_if_free(uow.sql, task_id)
        if row is None:  # somebody was faster
            continue
        if reasons := await _reasons_against(uow, agent, row, now, calling):
            passed_over[task_id] = reasons
            continue
        others = await _others_of(uow, agent, row, now, calling)
        taken = await _give(uow, agent, [row, *others], now, calling.lease_minutes)
        return Taken(taken, _why(row, len(others)), _listed(passed_over))
    return Taken([], [], _listed(passed_over))


async def _candidates(sql: asyncpg.Connection, agent: Agent, now: datetime) -> list[UUID]:
    """The tasks an agent might be given, in order, without locking any: whoever locks many hides work from others."""
    rows = await sql.fetch(
        f"""SELECT t.task_id FROM tasks t LEFT JOIN clients c USING (client_id)
            WHERE t.state IN ({_CALLABLE}) AND {WORKABLE} AND (t.not_before IS NULL OR t.not_before <= $6)
              AND t.due_at > $6 AND NOT coalesce(c.do_not_call AND t.channel = 'phone', false)
            ORDER BY t.wish AND t.not_before IS NOT NULL DESC, t.priority, t.due_on, t.created_on, t.task_id
            LIMIT {LOOKED_AT}""",
        *_arguments(agent, now),
    )
    return [row["task_id"] for row in rows]


async def _lock_if_free(sql: asyncpg.Connection, task_id: UUID) -> asyncpg.Record | None:
    return await sql.fetchrow(
        f"SELECT * FROM tasks WHERE task_id = $1 AND state IN ({_CALLABLE}) FOR UPDATE SKIP LOCKED", task_id
    )


def _listed(passed_over: dict[UUID, list[Text]]) -> list[dict[str, Any]]:
    return [{"task_id": task_id, "reasons": reasons} for task_id, reasons in passed_over.items()]


async def claim(uow: UnitOfWork, agent: Agent, task_id: UUID, now: datetime) -> asyncpg.Record:
    """One task by its id. Claiming again what one holds renews the lease.

    Raises: NotFound, AlreadyTaken (with who and since when), Excluded (with every reason), IllegalMove, FullHands.
    """
    calling = (await uow.policies(Policies)).calling.on(business_date(now)).body
    # First the one task that may have to be waited for, then those nobody waits for.
    await uow.sql.execute("SELECT FROM tasks WHERE task_id = $1 FOR UPDATE", task_id)
    await return_abandoned(uow, now)
    row = await workable(uow.sql, agent, task_id, now)
    if row["holder"] == agent.staff_id:
        [row] = await _give(uow, agent, [row], now, calling.lease_minutes)
        return row
    if row["holder"] is not None and row["lease_until"] > now:
        since = row["held_since"]
        raise AlreadyTaken(
            Text(f"{row['holder']} has it since {since:%H:%M} UTC", f"{row['holder']} 已领取"),
            holder=row["holder"],
            since=since.isoformat(),
        )
    check_move(row["state"], "assigned")
    await check_avoidance(uow, agent, row)
    await _check_capacity(uow, agent, calling.open_tasks_per_agent)
    [row] = await _give(uow, agent, [row], now, calling.lease_minutes)
    return row


async def workable(sql: asyncpg.Connection, agent: Agent, task_id: UUID, now: datetime) -> asyncpg.Record:
    """A task the agent may work on, whatever its state.

    Raises: NotFound.
    """
    row = await sql.fetchrow(
        f"SELECT t.* FROM tasks t WHERE t.task_id = $7 AND ({WORKABLE})", *_arguments(agent, now), task_id
    )
    if row is None:
        raise NotFound
    return row


async def check_avoidance(uow: UnitOfWork, agent: Agent, row: asyncpg.Record) -> None:
    """Refuse whoever has had to do with the task's client, where its topic asks for that [B10].

    Raises: Excluded, with every reason.
    """
    trigger, _ = (await uow.policies(Policies)).rule_on(row["rule"], row["created_on"])
    ties = (await contacts.ties_of(uow.sql, [row["client_id"]], {row["client_id"]: row["concerned"]}))[row["client_id"]]
    if reasons := exclusions(agent.staff_id, ties, avoidance=trigger.avoidance):
        raise Excluded(
            Text("; ".join(r.en for r in reasons), "；".join(r.zh for r in reasons)),
            reasons=[{"en": r.en, "zh-CN": r.zh} for r in reasons],
        )


async def release(uow: UnitOfWork, agent: Agent, task_id: UUID, reason: str, now: datetime) -> None:
    """Give a task back.

    Raises: ClaimFirst.
    """
    row = await held(uow, agent, task_id)
    check_move(row["state"], "planned")
    await uow.sql.execute(
        """UPDATE tasks SET state = 'planned', holder = NULL, held_since = NULL, lease_until = NULL,
                  revision = revision + 1 WHERE task_id = $1""",
        task_id,
    )
    step = TaskStep(
        task_id,
        row["client_id"],
        business_date(now),
        row["state"],
        "planned",
        "released",
        {"why": reason},
        row["policy"],
    )
    record(uow, [step])


async def held(uow: UnitOfWork, agent: Agent, task_id: UUID) -> asyncpg.Record:
    """A task in the agent's hands, locked.

    Raises: NotFound, ClaimFirst with who has it.
    """
    row = await uow.sql.fetchrow(
        "SELECT * FROM tasks WHERE task_id = $1 AND NOT ($2::text = ANY(concerned)) FOR UPDATE",
        task_id,
        agent.staff_id,
    )
    if row is None:
        raise NotFound
    if row["holder"] != agent.staff_id:
        raise ClaimFirst(Text(f"the task is {row['state']}", f"任务状态：{row['state']}"), holder=row["holder"])
    return row


async def _check_capacity(uow: UnitOfWork, agent: Agent, most: int) -> None:
    count = await uow.sql.fetchval("SELECT count(*) FROM tasks WHERE holder = $1", agent.staff_id)
    if count >= most:
        raise FullHands(Text(f"{count} of {most}", f"{count}/{most}"), held=count, most=most)


async def _reasons_against(
    uow: UnitOfWork, agent: Agent, row: asyncpg.Record, now: datetime, calling: Calling
) -> list[Text]:
    sql = uow.sql
    trigger, _ = (await uow.policies(Policies)).rule_on(row["rule"], row["created_on"])
    client = row["client_id"]
    ties = (await contacts.ties_of(sql, [client], {client: row["concerned"]}))[client]
    reasons = list(exclusions(agent.staff_id, ties, avoidance=trigger.avoidance))
    # Compliance and complaint calls have to be made; the cap spares clients the others.
    if not trigger.avoidance and not row["wish"]:
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


async def _others_of(
    uow: UnitOfWork, agent: Agent, first: asyncpg.Record, now: datetime, calling: Calling
) -> list[asyncpg.Record]:
    """Other due tasks of the same client that one call can serve, each with a result of its own."""
    rows = await uow.sql.fetch(
        f"""SELECT t.* FROM tasks t WHERE t.client_id = $7 AND t.task_id <> $8 AND t.state IN ({_CALLABLE})
              AND {WORKABLE} AND t.channel = $9 AND NOT t.wish AND t.due_at > $6
            ORDER BY t.priority, t.due_on, t.task_id FOR UPDATE OF t SKIP LOCKED""",
        *_arguments(agent, now),
        first["client_id"],
        first["task_id"],
        first["channel"],
    )
    return [row for row in rows if not await _reasons_against(uow, agent, row, now, calling)]


async def _give(
    uow: UnitOfWork, agent: Agent, rows: Sequence[asyncpg.Record], now: datetime, lease_minutes: int
) -> list[asyncpg.Record]:
    given = await uow.sql.fetch(
        f"""UPDATE tasks SET state = CASE WHEN state IN ({_IN_HAND}) AND holder = $2 THEN state ELSE 'assigned' END,
                   held_since = CASE WHEN holder = $2 THEN held_since ELSE $3 END, holder = $2, lease_until = $4,
                   revision = revision + 1
            WHERE task_id = ANY($1::uuid[]) RETURNING *""",
        [row["task_id"] for row in rows],
        agent.staff_id,
        now,
        now + timedelta(minutes=lease_minutes),
    )
    new = [row for row in rows if row["holder"] != agent.staff_id]
    day = business_date(now)
    record(
        uow,
        [
            TaskStep(
                r["task_id"],
                r["client_id"],
                day,
                r["state"],
                "assigned",
                "claimed",
                {"agent": agent.staff_id},
                r["policy"],
            )
            for r in new
        ],
    )
    uow.happened_at = now
    uow.emit_all(
        TaskAssigned(
            task_id=r["task_id"],
            client_id=r["client_id"],
            rule=r["rule"],
            agent=agent.staff_id,
            assigned_at=now,
            deputy_for=r["owner"] if r["owner"] in agent.owners and r["owner"] != agent.staff_id else None,
        )
        for r in new
    )
    order = {row["task_id"]: place for place, row in enumerate(rows)}
    return sorted(given, key=lambda row: order[row["task_id"]])


def _why(row: asyncpg.Record, others: int) -> list[Text]:
    """Why this task and no other, in the order in which it was decided."""
    found = []
    if row["wish"]:
        at = row["not_before"]
        found.append(Text(f"the client asked to be called at {at:%F %H:%M} UTC", f"客户约定时间 {at:%F %H:%M} UTC"))
    if row["owner"]:
        found.append(Text(f"it belongs to {row['owner']}", f"归属 {row['owner']}"))
    found.append(Text(f"priority {row['priority']}, 1 is the most urgent", f"优先级 {row['priority']}（1 最急）"))
    found.append(Text(f"due on {row['due_on']}", f"到期日 {row['due_on']}"))
    found.append(Text(f"waiting since {row['created_on']}", f"创建于 {row['created_on']}"))
    if others:
        found.append(Text(f"the same call serves {others} more due task(s)", f"同一通电话可完成另外 {others} 项任务"))
    return found
