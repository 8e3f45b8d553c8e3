"""The table of acts of a task: who may do what with it, from which state, and what follows [B19].

A report of a call is one act for each task it served; which one is decided by its outcome (`results.act_of`).
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import asyncpg
from pydantic import BaseModel, Field

from chassis import calendars, staff
from chassis.actor import Actor, Role
from chassis.acts import (
    IDEMPOTENCY_KEY,
    IF_MATCH,
    PLATFORM_ITSELF,
    Act,
    Aggregate,
    Doing,
    Earlier,
    NotYours,
    Sort,
    Who,
    acts,
)
from chassis.clock import business_date
from chassis.clocks import WorkingDays
from chassis.errors import Refusal, Text
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from contracts.callbacks import TaskAssigned, TaskCancelled, TaskExpired
from contracts.fields import Identifier, text_of
from services.callbacks import contacts, evidence, objections, people, results
from services.callbacks.errors import AlreadyTaken, Away, ClaimFirst, Excluded, FullHands, NotToBeCalled, TooEarly
from services.callbacks.policy import Policies
from services.callbacks.results import FREE
from services.callbacks.rules import CALLABLE, IN_HAND, OPEN, STATES, exclusions
from services.callbacks.tables import Task

STAFF = "staff"
SATISFACTION = "satisfaction"
LEADING = (Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE, Role.OPERATIONS)
GOES_ON = tuple(state for state in (*OPEN, "expired") if state != "exhausted")
CALLED = Earlier(WorkingDays(1, from_date=True), same_day=True)
"""A call is entered by the end of the next working day, and never dated before the task was claimed."""


def sight(actor: Actor, next_argument: int, of: str = "t.") -> tuple[str, list[object]]:
    """An SQL condition on tasks and its arguments: the own branch (or everything), nothing restricted unless for
    compliance, nothing one is concerned by. The call centre sees its own queue of every branch; clients see their own."""
    one, two, three, four = range(next_argument, next_argument + 4)
    if actor.role is Role.CLIENT:
        return f"{of}client_id = ${one}::text AND NOT {of}restricted", [actor.client_id]
    condition = f"""(${one}::bool OR {of}branch_id = ${two} OR (${three}::bool AND {of}queue = 'centre')
             OR ${four} IN ({of}owner, {of}holder)) AND NOT (${four}::text = ANY({of}concerned))"""
    if actor.role is not Role.COMPLIANCE:
        condition += f" AND NOT {of}restricted"
    return condition, [actor.sees_all_branches, actor.branch_id, actor.is_centre, actor.person]


def _works(actor: Actor, task: Task) -> bool:
    if actor.role not in people.SERVING or (task.restricted and actor.role is not Role.COMPLIANCE):
        return False
    there = task.queue in ("centre", "compliance") or actor.branch_id == task.branch_id
    return (task.queue in people.queues_of(actor) and there) or actor.person in (task.owner, task.holder)


WORKER = Who[Task]("worker", Text("who works its queue", "该队列的工作人员"), _works)
OWN_CLIENT = Who[Task]("client", Text("its client", "客户本人"), lambda actor, task: actor.client_id == task.client_id)
LEADER = Who[Task](
    "leader",
    Text("who leads its branch, or headquarters", "所属营业部负责人或总部"),
    lambda actor, task: actor.role in LEADING and (actor.sees_all_branches or actor.branch_id == task.branch_id),
)
SURVEYED = Sort[Task](
    "surveyed",
    Text("tasks that wait for the e-survey", "待电子问卷"),
    lambda task: task.late_until is not None or (task.state == "exhausted" and task.channel == "e_survey"),
)
BREACHED = Sort[Task](
    "breached", Text("tasks whose breach was told", "已记录违约"), lambda task: task.expired_at is not None
)
LATE = Sort[Task]("late", Text("tasks that go on after their limit", "逾期续办"), lambda t: t.late_until is not None)
BY_LETTER = Sort[Task]("by_letter", Text("tasks that wait for a letter", "待信函"), lambda t: t.channel == "letter")
REVIEW = Sort[Task](
    "review", Text("internal reviews: the client is not contacted", "内部核查，不联系客户"), lambda t: t.restricted
)
ENQUIRY = Sort[Task]("enquiry", Text("enquiries", "邮件咨询"), lambda task: task.rule == "enquiry")


class Facts(NamedTuple):
    """What stands between a person and a task beyond its row."""

    now: datetime
    away: bool
    owners: Sequence[str]
    held: int
    most: int
    ties: Sequence[Text]
    owed_by: str | None
    """The channel that takes the place of calls, where the client is not to be called."""


async def facts(sql: asyncpg.Connection, actor: Actor, tasks: Sequence[Task]) -> Sequence[Facts | None]:
    """Of each task: who is away, whose deputy the caller is, how much they hold, and whom avoidance keeps out [B10]."""
    if actor.role not in people.SERVING:
        return [None] * len(tasks)
    now, person = await effective_now(sql), actor.person
    policies, roster = await Policies.read(sql), await staff.roster(sql)
    ties = await contacts.ties_of(sql, [t.client_id for t in tasks], {t.client_id: t.concerned for t in tasks})
    held = await sql.fetchval("SELECT count(*) FROM tasks WHERE holder = $1", person)
    calling = policies.calling.on(business_date(now)).body
    most = calling.open_tasks_per_agent
    unwanted = {
        row["task_id"]
        for row in await sql.fetch(
            f"SELECT t.task_id FROM tasks t WHERE t.task_id = ANY($1::uuid[]) AND {objections.against('t', '$2', '$3')}",
            [t.task_id for t in tasks],
            now,
            objections.must_be_made(policies),
        )
    }
    away = roster.person(person, now) is not None and not roster.is_present(person, now)
    owners = people.owners_for(roster, person, now)
    return [
        Facts(
            now,
            away,
            owners,
            held,
            most,
            exclusions(person, ties[t.client_id], avoidance=avoids),
            calling.after_exhaustion[0] if t.task_id in unwanted else None,
        )
        for t in tasks
        for avoids in [policies.rule_on(t.rule, t.created_on)[0].avoidance]
    ]


def kept_from(task: Task, known: Facts) -> Refusal | None:
    """Why somebody who works the queue may not work on this task: away, another's own, or avoidance [B10]."""
    if known.away:
        return Away()
    if task.owner and task.owner not in known.owners and (task.passes_on_at is None or known.now < task.passes_on_at):
        return NotYours(Text(f"it is {task.owner}'s until it passes on", f"归属 {task.owner}，尚未转交"), who=["owner"])
    if known.ties:
        return Excluded(
            Text("; ".join(r.en for r in known.ties), "；".join(r.zh for r in known.ties)),
            reasons=[{"en": r.en, "zh-CN": r.zh} for r in known.ties],
        )
    return None


def _taken(actor: Actor, task: Task) -> Refusal | None:
    if task.holder is None or task.holder == actor.person:
        return None
    since = f"{task.held_since:%H:%M}" if task.held_since else ""
    return AlreadyTaken(
        Text(f"{task.holder} has it since {since} UTC", f"{task.holder} 已领取"),
        holder=task.holder,
        since=task.held_since.isoformat() if task.held_since else None,
    )


def not_free(actor: Actor, task: Task, known: Facts | None) -> Refusal | None:
    """Why a task cannot be claimed by this person."""
    if known is None:
        return None
    if refusal := _taken(actor, task):
        return refusal
    if task.state not in (*CALLABLE, "expired"):
        return None
    if refusal := kept_from(task, known):
        return refusal
    if known.owed_by is not None:
        return NotToBeCalled(not_to_be_called(known.owed_by), owed=known.owed_by)
    if task.not_before is not None and known.now < task.not_before:
        return too_early(task)
    if known.held >= known.most:
        return FullHands(
            Text(f"{known.held} of {known.most}", f"{known.held}/{known.most}"), held=known.held, most=known.most
        )
    return None


def not_to_be_called(channel: str) -> Text:
    """What is owed instead of a call."""
    zh = {"e_survey": "电子问卷", "letter": "信函"}.get(channel, channel)
    return Text(f"the client is not to be called: owed is {channel}", f"客户要求勿扰，须改用{zh}")


def too_early(task: Task) -> TooEarly:
    """Until when a task rests, and whose word that is."""
    until = f"{task.not_before:%F %H:%M}"
    if task.wish:
        return TooEarly(Text(f"the client asked for {until} UTC", f"客户约定 {until} UTC"), not_before=task.not_before)
    return TooEarly(Text(f"not before {until} UTC", f"{until} UTC 之前不再拨打"), not_before=task.not_before)


def not_held(actor: Actor, task: Task, _: Facts | None) -> Refusal | None:
    """Only its holder goes on with a task."""
    if task.holder == actor.person:
        return None
    return ClaimFirst(Text(f"the task is {task.state}", f"任务状态：{task.state}"), holder=task.holder)


def not_open(actor: Actor, task: Task, known: Facts | None) -> Refusal | None:
    """What is written needs no claim: whoever works the queue enters it, unless somebody else has the task in hand."""
    return None if known is None else _taken(actor, task) or kept_from(task, known)


class Released(BaseModel):
    """Why a task is given back."""

    reason: Annotated[str, text_of(200, 3)]


class Sooner(BaseModel):
    """Where it is recorded that the client asked to be called earlier than the task rests."""

    asked_in: Identifier = Field(description="evidence of the client: a recording, a message")


class Cancelled(BaseModel):
    """Why a task is not owed any more."""

    reason: Annotated[str, text_of(200, 5)]


class Ended(NamedTuple):
    """Why the platform ends a task, or takes it up again, and the business date from which that counts."""

    reason: str
    on_day: date


async def give(uow: UnitOfWork, doings: Sequence[Doing[Task]]) -> None:
    """Whoever claims holds the task for the time of a lease."""
    policies = await uow.policies(Policies)
    for one in doings:
        lease = timedelta(minutes=policies.calling.on(business_date(one.at)).body.lease_minutes)
        one.columns |= {"holder": uow.actor.person, "held_since": one.at, "lease_until": one.at + lease}
        one.detail |= {"agent": uow.actor.person, "policy": one.before.policy}


async def bring_forward(uow: UnitOfWork, doings: Sequence[Doing[Task]]) -> None:
    """It rests no longer: the client's word is on record.

    Raises: EvidenceMissing.
    """
    for one in doings:
        await evidence.require(uow.sql, one.before.client_id, one.body.asked_in)
        one.columns |= {"not_before": None, "wish": True}
        one.detail |= {"asked_in": one.body.asked_in, "policy": one.before.policy}


async def tell_assigned(uow: UnitOfWork, doings: Sequence[Doing[Task]]) -> None:
    """Who has it now, and for whom they stand in."""
    for one in doings:
        task, person = one.row, uow.actor.person
        owned = task.owner not in (None, person) and (task.passes_on_at is None or one.at < task.passes_on_at)
        uow.emit(
            TaskAssigned(
                task_id=task.task_id,
                client_id=task.client_id,
                rule=task.rule,
                agent=person,
                assigned_at=one.at,
                deputy_for=task.owner if owned else None,
            )
        )


async def free(_: UnitOfWork, doings: Sequence[Doing[Task]]) -> None:
    """Nobody holds it any more."""
    for one in doings:
        one.columns |= FREE
        one.detail |= {"holder": one.before.holder, "policy": one.before.policy}
        if isinstance(one.body, Released):
            one.detail["reason"] = one.body.reason


async def end(_: UnitOfWork, doings: Sequence[Doing[Task]]) -> None:
    """It is over, for a reason."""
    for one in doings:
        by_staff = isinstance(one.body, Cancelled)
        on_day = business_date(one.at) if by_staff else one.body.on_day
        one.columns |= {**FREE, "outcome": "cancelled_by_staff" if by_staff else one.body.reason, "ended_on": on_day}
        one.columns["late_until"] = None
        one.detail |= {"reason": one.body.reason, "on_day": on_day, "policy": one.before.policy}


async def tell_cancelled(uow: UnitOfWork, doings: Sequence[Doing[Task]]) -> None:
    """It is not owed any more."""
    uow.emit_all(
        TaskCancelled(task_id=one.id, client_id=one.row.client_id, rule=one.row.rule, reason=one.row.outcome or "")
        for one in doings
        if not isinstance(one.body, Cancelled)
    )


async def take_up(_: UnitOfWork, doings: Sequence[Doing[Task]]) -> None:
    """It is owed after all."""
    for one in doings:
        one.columns |= {"outcome": None, "ended_on": None, "expired_at": None}
        one.detail |= {"reason": one.body.reason, "on_day": one.body.on_day, "policy": one.before.policy}


async def breach(uow: UnitOfWork, doings: Sequence[Doing[Task]]) -> None:
    """Its limit ran out: a breach, kept as one [B19]. A satisfaction call goes on, late, until the survey's end [C11]."""
    calendar = await uow.cached(calendars.current)
    policies = await uow.policies(Policies)
    for one in doings:
        task = one.before
        until = (
            results.survey_ends(policies, calendar, task, task.due_at)
            if task.rule == SATISFACTION and not task.attempts
            else None
        )
        one.columns |= {**FREE, "ended_on": task.due_on, "expired_at": task.due_at, "late_until": until}
        one.detail |= {"on_day": task.due_on, "policy": task.policy}


async def run_out(_: UnitOfWork, doings: Sequence[Doing[Task]]) -> None:
    """The time after the limit is over as well."""
    for one in doings:
        one.columns |= {**FREE, "late_until": None}
        one.detail["policy"] = one.before.policy


async def tell_expired(uow: UnitOfWork, doings: Sequence[Doing[Task]]) -> None:
    """The breach, once; the survey of a satisfaction call goes out by itself [C11]."""
    for one in doings:
        if one.row.late_until is not None:
            await results.send_survey(uow, one.row, one.row.due_at)
    uow.emit_all(
        TaskExpired(
            task_id=one.id,
            client_id=one.row.client_id,
            rule=one.row.rule,
            subject=one.row.subject,
            due_on=one.row.due_on,
        )
        for one in doings
    )


async def go_on(_: UnitOfWork, doings: Sequence[Doing[Task]]) -> None:
    """It is called again, at the new number, at once."""
    for one in doings:
        one.columns |= {"not_before": None, "wish": False}
        one.detail |= {"policy": one.before.policy}


async def use_channel(uow: UnitOfWork, doings: Sequence[Doing[Task]]) -> None:
    """No call reaches the client: the channel that follows calls [B20]."""
    policies = await uow.policies(Policies)
    for one in doings:
        channel = policies.calling.on(business_date(one.at)).body.after_exhaustion[0]
        one.columns["channel"] = one.detail["channel"] = channel
        one.detail["policy"] = one.before.policy


async def tell_exhausted(uow: UnitOfWork, doings: Sequence[Doing[Task]]) -> None:
    """No further call is made."""
    for one in doings:
        await results.tell_exhausted(uow, one.row, one.at)


async def write_letter(_: UnitOfWork, doings: Sequence[Doing[Task]]) -> None:
    """A letter follows."""
    for one in doings:
        one.columns |= {"channel": "letter", "late_until": None}
        one.detail |= {"channel": "letter", "policy": one.before.policy}


TASK = Aggregate[Task](
    name="task",
    table="tasks",
    id="task_id",
    row=lambda record: Task(**record),
    states=STATES,
    begins=("planned",),
    final=("completed", "cancelled"),
    sight=lambda actor, n: sight(actor, n, ""),
    audiences=lambda actor, _: frozenset({STAFF}) if actor.role is not Role.CLIENT else frozenset(),
    concerned="concerned",
    parse=UUID,
    facts=facts,
)
_REPORT: dict[str, Any] = {
    "on": IN_HAND, "who": (WORKER,), "at": CALLED, "unless": not_held, "prepare": results.keep, "then": results.tell,
    "tells": (STAFF,),
}  # fmt: skip
_OF_A_CALL = {**_REPORT, "not_for": (REVIEW,)}
_BY_ITSELF: dict[str, Any] = {"who": (PLATFORM_ITSELF,), "tells": (STAFF,)}
ACTS = acts(
    TASK,
    Act("claim", Text("Claim", "领取"), on=CALLABLE, to="assigned", who=(WORKER,), unless=not_free, prepare=give,
        then=tell_assigned, tells=(STAFF,)),
    Act("claim_late", Text("Claim after the limit", "逾期领取"), on=("expired",), to="assigned", who=(WORKER,),
        only=(LATE,), unless=not_free, prepare=give, then=tell_assigned, tells=(STAFF,)),
    Act("release", Text("Give back", "退回"), on=IN_HAND, to="planned", who=(WORKER,), takes=Released,
        needs=("reason",), unless=not_held, prepare=free, tells=(STAFF,)),
    Act("bring_forward", Text("The client asks to be called sooner", "客户要求提前联系"), on=CALLABLE, who=(WORKER,),
        not_for=(REVIEW,), takes=Sooner, needs=("asked_in", IDEMPOTENCY_KEY), unless=not_open, prepare=bring_forward, tells=(STAFF,)),
    Act("attempt", Text("Begin to call", "开始外呼"), on=("assigned",), to="attempting", who=(WORKER,),
        not_for=(REVIEW,), unless=not_held, tells=(STAFF,)),
    Act("reach", Text("The client answers", "已接通"), on=("attempting",), to="reached", who=(WORKER,),
        not_for=(REVIEW,), unless=not_held, tells=(STAFF,)),
    Act("complete", Text("Report: done", "回访完成"), to="completed", **_REPORT),
    Act("postpone", Text("Report: another time", "另约时间"), to="rescheduled", **_OF_A_CALL),
    Act("retry", Text("Report: nobody reached", "未接通"), to="planned", **_OF_A_CALL),
    Act("exhaust", Text("Report: no further call", "不再外呼"), to="exhausted", **_OF_A_CALL),
    Act("await_number", Text("Report: wrong number", "号码错误"), to="waiting", **_OF_A_CALL),
    Act("reply", Text("Record the written reply", "登记书面答复"), on=(*CALLABLE, *IN_HAND), to="completed",
        who=(WORKER,), only=(ENQUIRY,), at=CALLED, unless=not_open, prepare=results.keep, then=results.tell,
        tells=(STAFF,)),
    Act("answer", Text("Answer the survey", "填写问卷"), on=(*OPEN, "expired"), to="completed", who=(OWN_CLIENT,),
        only=(SURVEYED,), prepare=results.keep, then=results.tell, tells=(STAFF,)),
    Act("enter_letter", Text("Record the client's letter", "登记客户来信"), on=("exhausted",), to="completed",
        who=(WORKER,), only=(BY_LETTER,), at=CALLED, unless=not_open, prepare=results.keep, then=results.tell,
        tells=(STAFF,)),
    Act("cancel", Text("Cancel", "取消"), on=OPEN, to="cancelled", who=(LEADER,), takes=Cancelled,
        needs=("reason", IF_MATCH), prepare=end, tells=(STAFF,)),
    Act("lapse", Text("The lease is over", "领取超时退回"), on=IN_HAND, to="planned", prepare=free, **_BY_ITSELF),
    Act("go_on", Text("The right number is known", "已获新号码"), on=("waiting",), to="planned", prepare=go_on,
        **_BY_ITSELF),
    Act("give_up", Text("No number: another channel", "无可用号码，改用其他方式"), on=("waiting",), to="exhausted",
        prepare=use_channel, then=tell_exhausted, **_BY_ITSELF),
    Act("write", Text("No answer: a letter follows", "转寄信函"), on=("exhausted",), to="exhausted", stays=True,
        only=(SURVEYED,), prepare=write_letter, **_BY_ITSELF),
    Act("expire", Text("The limit ran out", "到期未办"), on=OPEN, to="expired", not_for=(BREACHED,), prepare=breach,
        then=tell_expired, **_BY_ITSELF),
    Act("run_out", Text("The time after the limit is over", "逾期续办期满"), on=GOES_ON, to="expired",
        stays=True, only=(LATE,), prepare=run_out, **_BY_ITSELF),
    Act("close", Text("The account is closed", "账户已销户"), on=OPEN, to="cancelled", prepare=end,
        then=tell_cancelled, **_BY_ITSELF),
    Act("withdraw", Text("Not owed: facts corrected", "事实更正，无须回访"), on=(*OPEN, "expired"), to="cancelled",
        prepare=end, then=tell_cancelled, **_BY_ITSELF),
    Act("restore", Text("Owed after all", "事实更正，恢复回访"), on=("cancelled",), to="planned", prepare=take_up,
        **_BY_ITSELF),
)  # fmt: skip
