"""Tasks over HTTP: lists, the next one, claims, calls, why."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Query, Response
from msgspec import structs
from pydantic import BaseModel, Field

from chassis import staff
from chassis.actor import CALL_CENTRE, PLATFORM, Actor, Role
from chassis.acts import ActView, history, load, perform, possible
from chassis.clock import business_date, start_of
from chassis.errors import FieldError, Invalid, Text
from chassis.http import IfMatch, Listing, Once, Page, Purpose, Reading, Work, etag, permits, router
from chassis.http.persons import PersonId
from chassis.personal.keys import Value
from chassis.personal.reading import reveal
from chassis.rows import columns, fetch
from chassis.timeline import effective_now, today
from chassis.uow import UnitOfWork
from contracts.fields import Code, Id, Identifier, Instant, text_of
from services.callbacks import attempts, claims, contacts, people, retention
from services.callbacks import evidence as evidences
from services.callbacks.acts import ACTS, TASK, Cancelled, Released, Sooner, sight
from services.callbacks.api.access import Day, Leader, Reader, Server, require_view
from services.callbacks.policy import Policies
from services.callbacks.results import Call, Reported, Result
from services.callbacks.rule_texts import rule_text
from services.callbacks.rules import exclusions
from services.callbacks.tables import Task as TaskRow

routes = router("/v1/callbacks", "callbacks")
Client = Annotated[Actor, permits("callbacks:survey", Role.CLIENT)]


class Task(BaseModel):
    """A callback that is owed. `possible` are the states it may go to next."""

    task_id: UUID
    client_id: str
    rule: str
    topic: str
    queue: str
    branch_id: str | None
    script: str
    priority: int
    state: str
    possible: list[str]
    created_on: date
    target_on: date | None
    alarm_on: date | None
    due_on: date
    due_at: datetime
    owner: str | None
    holder: str | None
    held_since: datetime | None
    lease_until: datetime | None
    not_before: datetime | None
    wish: bool
    attempts: int
    channel: str
    outcome: str | None
    expired_at: datetime | None = Field(description="when the limit ran out: a breach, also when the task goes on")
    late_until: datetime | None = Field(description="until when it is worked on after its limit [C11]")
    subject: str | None
    revision: int


class TaskInFull(Task):
    """A task, and what the caller can do with it."""

    acts: list[ActView]


class Reason(BaseModel):
    """A reason in both languages."""

    en: str
    zh: str = Field(alias="zh-CN")


class PassedOver(BaseModel):
    """A task that came earlier in the order but is not for this caller."""

    task_id: UUID
    reasons: list[Reason]


class Next(BaseModel):
    """The next task, with the others one call can serve. Without tasks there is nothing to do."""

    tasks: list[Task]
    why: list[Reason]
    passed_over: list[PassedOver]


class TaskStep(BaseModel):
    """One change of a task's state: the act, who did it, and when; `late` when it was entered on a later day."""

    on_day: date
    at: datetime
    from_state: str | None
    to_state: str
    actor: str
    reason: str
    late: bool = False
    detail: dict[str, Any]


class Explanation(BaseModel):
    """Why the task is owed, under which policy, and what became of it."""

    task: Task
    cause: dict[str, Any]
    policy: str
    sentence: Reason
    history: list[TaskStep]


class Candidate(BaseModel):
    """Somebody who works the queue: who may call, and of those who may not, why."""

    staff_id: str
    may_call: bool
    reasons: list[Reason]


class Routing(BaseModel):
    """Who may serve a task."""

    queue: str
    avoidance: bool
    owner: str | None
    passes_on_at: datetime | None
    deputies: list[str]
    candidates: list[Candidate]


class TaskResult(BaseModel):
    """What the call came to for one task."""

    task_id: Id
    outcome: Code
    answers: dict[Code, Annotated[str, text_of(2000)]] = {}
    concerned: list[PersonId] = Field([], description="whom the answers are about")
    wish_at: Instant | None = Field(None, description="when the client wants to be called, to the minute")


class CallReport(BaseModel):
    """One contact, or the try of one, with a result for each task it served."""

    client_id: Identifier
    at: Instant
    channel: Code = "phone"
    results: list[TaskResult] = Field(min_length=1, max_length=20)
    evidence_id: Identifier | None = None
    failed_recording_approval: Identifier | None = Field(None, description="evidence of a supervisor's approval")
    profile: dict[Code, Annotated[str, text_of(400)]] | None = Field(None, description="{}: no change [B11]")
    notes: Annotated[str, text_of(4000)] = ""
    client_asked: bool = Field(False, description="the client asked to be called now; `asked_in` says where")
    asked_in: Identifier | None = Field(None, description="evidence of that; else the call's own recording")


class CallKept(BaseModel):
    """The call's id and where its tasks stand now."""

    call_id: UUID
    tasks: list[Task]


class SurveyAnswers(BaseModel):
    """The client's answers to the e-survey."""

    answers: dict[Code, Annotated[str, text_of(2000)]]


def shown(task: TaskRow) -> Task:
    """A task as it is shown."""
    following = {act.to for act in ACTS.table.values() if task.state in act.on and act.to and act.exists_for(task)}
    return Task.model_validate({**structs.asdict(task), "possible": sorted(following)})


def said(text: Text) -> Reason:
    """A reason as it is shown."""
    return Reason.model_validate({"en": text.en, "zh-CN": text.zh})


def _wanted(
    client_id: Identifier | None = None,
    branch_id: Identifier | None = None,
    queue: Code | None = None,
    rule: Code | None = None,
    topic: Code | None = None,
    holder: Identifier | None = None,
    state: Code | None = None,
    due_by: Annotated[Day | None, Query(description="due on this date or earlier")] = None,
    alarmed_on: Annotated[Day | None, Query(description="past the alarm day by then and not done")] = None,
) -> tuple[Any, ...]:
    """Which tasks are asked for, as the arguments of `_WANTED`."""
    return (client_id, branch_id, queue, rule, topic, holder, state, due_by, alarmed_on)


Wanted = Annotated[tuple[Any, ...], Depends(_wanted)]
_WANTED = """($1::text IS NULL OR t.client_id = $1) AND ($2::text IS NULL OR t.branch_id = $2)
    AND ($3::text IS NULL OR t.queue = $3) AND ($4::text IS NULL OR t.rule = $4)
    AND ($5::text IS NULL OR t.topic = $5) AND ($6::text IS NULL OR t.holder = $6)
    AND ($7::text IS NULL OR t.state = $7) AND ($8::date IS NULL OR t.due_on <= $8)
    AND ($9::date IS NULL OR (t.alarm_on <= $9 AND t.state NOT IN ('completed', 'cancelled', 'expired')))"""


@routes.get("/tasks")
async def list_tasks(actor: Reader, sql: Reading, page: Page, wanted: Wanted) -> Listing[Task]:
    """Tasks the caller may see, by due date."""
    if wanted[0] is not None:
        await require_view(sql, actor, wanted[0])
    condition, arguments = sight(actor, 12)
    rows = await fetch(
        sql,
        TaskRow,
        f"""SELECT {columns(TaskRow, "t")} FROM tasks t
            WHERE {_WANTED} AND ($10::date IS NULL OR (t.due_on, t.task_id) > ($10, $11::uuid)) AND {condition}
            ORDER BY t.due_on, t.task_id LIMIT {page.limit + 1}""",
        *wanted,
        date.fromisoformat(page.after[0]) if page.after else None,
        UUID(page.after[1]) if page.after else None,
        *arguments,
    )
    found = page.result([shown(row) for row in rows], lambda task: (task.due_on.isoformat(), str(task.task_id)))
    return Listing[Task].model_validate(found)


class TaskCount(BaseModel):
    """How many of the tasks asked for are in a state; `late`: of those, how many go on after their limit."""

    state: str
    count: int
    late: int


@routes.get("/tasks/counts")
async def count_tasks(actor: Reader, sql: Reading, wanted: Wanted) -> list[TaskCount]:
    """How many tasks a list of the same filters holds, by state."""
    if wanted[0] is not None:
        await require_view(sql, actor, wanted[0])
    condition, arguments = sight(actor, 10)
    rows = await sql.fetch(
        f"""SELECT t.state, count(*) AS count, count(t.late_until) AS late FROM tasks t WHERE {_WANTED} AND {condition}
            GROUP BY 1 ORDER BY 1""",
        *wanted,
        *arguments,
    )
    return [TaskCount.model_validate(dict(row)) for row in rows]


@routes.get("/clients/{client_id}/tasks")
async def list_client_tasks(actor: Reader, sql: Reading, client_id: Identifier, page: Page) -> Listing[Task]:
    """A client's tasks, newest first. Whoever objects to being looked at is looked at only when a service is due."""
    await require_view(sql, actor, client_id)
    condition, arguments = sight(actor, 4)
    rows = await fetch(
        sql,
        TaskRow,
        f"""SELECT {columns(TaskRow, "t")} FROM tasks t WHERE t.client_id = $1
              AND ($2::date IS NULL OR (t.created_on, t.task_id) < ($2, $3::uuid)) AND {condition}
            ORDER BY t.created_on DESC, t.task_id DESC LIMIT {page.limit + 1}""",
        client_id,
        date.fromisoformat(page.after[0]) if page.after else None,
        UUID(page.after[1]) if page.after else None,
        *arguments,
    )
    found = page.result([shown(row) for row in rows], lambda task: (task.created_on.isoformat(), str(task.task_id)))
    return Listing[Task].model_validate(found)


@routes.get("/tasks/{task_id}")
async def read_task(actor: Reader, sql: Reading, task_id: Id, response: Response) -> TaskInFull:
    """One task, with every act: what the caller can do now, and for the rest why not."""
    task = await load(sql, ACTS, actor, task_id)
    response.headers["etag"] = etag(task.revision)
    can = await possible(sql, ACTS, actor, task)
    return TaskInFull.model_validate(shown(task).model_dump() | {"acts": can})


class Contact(BaseModel):
    """Whom to call and where: in full for the task's holder and the client's manager, else masked. Null: not known, or
    erased. `caller_*` are of the missed call or the booking itself, which may come from another phone."""

    task_id: UUID
    client_id: str
    in_full: bool
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    address: str | None = None
    caller_name: str | None = None
    caller_phone: str | None = None


@routes.get("/tasks/{task_id}/contact")
async def read_contact(actor: Reader, uow: Work, purpose: Purpose, task_id: Id) -> Contact:
    """Name and number for a task: whoever holds it rings back. A read carries a purpose and is recorded."""
    task = await load(uow.sql, ACTS, actor, task_id)
    client_id, me = task.client_id, actor.person
    client = await uow.sql.fetchrow(
        "SELECT manager_id, name, phone, email, address FROM clients WHERE client_id = $1", client_id
    )
    caller = await uow.sql.fetchrow("SELECT owner, name, phone FROM callers WHERE subject = $1", task.subject)
    fields = (
        {name: Value(client_id, name, client[name]) for name in ("name", "phone", "email", "address")} if client else {}
    )
    if caller:
        fields |= {f"caller_{name}": Value(caller["owner"], name, caller[name]) for name in ("name", "phone")}
    in_full = task.holder == me or (client is not None and client["manager_id"] == me)
    known = await reveal(uow, f"task/{task_id}", fields, purpose, in_full=in_full, key=client_id)
    return Contact(task_id=task_id, client_id=client_id, in_full=in_full, **known)


@routes.get("/tasks/{task_id}/script")
async def read_script(actor: Reader, sql: Reading, task_id: Id) -> dict[str, Any]:
    """The script frozen on the task: what to say and ask, in both languages."""
    task = await load(sql, ACTS, actor, task_id)
    script = (await Policies.read(sql)).script(task.script)
    on = await today(sql)
    return {
        "version": task.script,
        "plays": await retention.plays(sql, on) if task.topic == retention.TOPIC else [],
        "words": {"zh-CN": script.zh, "en": script.en},
        "never_say": list(script.never_say),
        "questions": [
            {
                "code": q.code,
                "words": {"zh-CN": q.zh, "en": q.en},
                "kind": q.kind,
                "mandatory": q.mandatory,
                "choices": list(q.choices),
            }
            for q in script.questions
        ],
    }


@routes.get("/tasks/{task_id}/explain")
async def explain_task(
    actor: Reader,
    sql: Reading,
    task_id: Id,
    as_of: Annotated[Day | None, Query(description="what had happened by the end of this date")] = None,
) -> Explanation:
    """Why the task is owed, and every step since."""
    task = await load(sql, ACTS, actor, task_id)
    made = TaskStep(
        on_day=task.found_on,
        at=start_of(task.created_on),
        from_state=None,
        to_state=TASK.begins[0],
        actor=PLATFORM.person,
        reason="created",
        detail=task.cause,
    )
    steps = [
        TaskStep(
            on_day=step.detail.get("on_day") or business_date(step.at),
            at=step.at,
            from_state=step.before,
            to_state=step.after,
            actor=step.person,
            reason=step.act,
            late=step.late,
            detail=step.detail,
        )
        for step in await history(sql, ACTS, actor, task)
    ]
    return Explanation(
        task=shown(task),
        cause=task.cause,
        policy=task.policy,
        sentence=said(sentence(task)),
        history=[step for step in (made, *steps) if as_of is None or step.on_day <= as_of],
    )


@routes.get("/tasks/{task_id}/routing")
async def explain_routing(actor: Reader, uow: Work, task_id: Id) -> Routing:
    """Who works the task's queue, and of each whether they may call, and why not."""
    sql = uow.sql
    task = await load(sql, ACTS, actor, task_id)
    now = await effective_now(sql, uow.now)
    roster = await staff.roster(sql)
    trigger, _ = (await uow.policies(Policies)).rule_on(task.rule, task.created_on)
    client = task.client_id
    ties = (await contacts.ties_of(sql, [client], {client: task.concerned}))[client]
    unit = staff.HQ if task.queue in ("centre", "compliance") else task.branch_id
    seat = {"centre": CALL_CENTRE, "compliance": staff.COMPLIANCE}.get(task.queue)
    working = [
        one
        for one in sorted(roster.people)
        if (person := roster.person(one, now)) is not None
        and (
            (unit, seat) in roster.seats_of(one, now)
            if seat
            else person.branch_id == unit or unit in {u for u, _ in roster.seats_of(one, now)}
        )
    ]
    candidates = []
    for one in working:
        reasons = exclusions(one, ties, avoidance=trigger.avoidance)
        if not roster.is_present(one, now):
            reasons.append(Text(f"{one} is absent", f"{one} 缺勤"))
        candidates.append(Candidate(staff_id=one, may_call=not reasons, reasons=[said(reason) for reason in reasons]))
    owner = task.owner
    away = owner is not None and not roster.is_present(owner, now)
    return Routing(
        queue=task.queue,
        avoidance=trigger.avoidance,
        owner=owner,
        passes_on_at=task.passes_on_at,
        deputies=list(people.deputies(roster, owner, now)) if away else [],
        candidates=candidates,
    )


@routes.post("/next")
async def take_next(actor: Server, uow: Work, once: Once) -> Next:
    """The caller's next task, theirs from now on, with why it is this one and which came before it but are not for them."""
    now, agent = await at_work(uow, actor)
    taken = await claims.take_next(uow, agent, now)
    return Next(
        tasks=[shown(task) for task in taken.tasks],
        why=[said(reason) for reason in taken.why],
        passed_over=[
            PassedOver(task_id=one["task_id"], reasons=[said(reason) for reason in one["reasons"]])
            for one in taken.passed_over
        ],
    )


@routes.post("/tasks/{task_id}/claim")
async def claim_task(actor: Server, uow: Work, task_id: Id) -> Task:
    """Take one task; the loser of a race is told who has it and since when. Claiming again renews the lease."""
    now, _ = await at_work(uow, actor)
    return shown(await claims.claim(uow, task_id, now))


@routes.post("/tasks/{task_id}/release")
async def release_task(actor: Server, uow: Work, task_id: Id, given: Released) -> Task:
    """Give a task back."""
    return shown((await perform(uow, ACTS.release, task_id, given)).row)


@routes.post("/tasks/{task_id}/bring-forward")
async def bring_forward(actor: Server, uow: Work, once: Once, task_id: Id, given: Sooner) -> Task:
    """The client asked to be called earlier than the task rests; the evidence says where [B20]."""
    return shown((await perform(uow, ACTS.bring_forward, task_id, given)).row)


@routes.post("/tasks/{task_id}/attempt")
async def begin_attempt(actor: Server, uow: Work, task_id: Id) -> Task:
    """Say that the call begins; the phone system may do so for its agent."""
    return shown((await perform(uow, ACTS.attempt, task_id)).row)


@routes.post("/tasks/{task_id}/reach")
async def reach_client(actor: Server, uow: Work, task_id: Id) -> Task:
    """Say that the client has answered."""
    return shown((await perform(uow, ACTS.reach, task_id)).row)


@routes.post("/tasks/{task_id}/cancel")
async def cancel_task(actor: Leader, uow: Work, match: IfMatch, task_id: Id, given: Cancelled) -> Task:
    """Say that a task is not owed any more, with the reason; a breach stays a breach."""
    return shown((await perform(uow, ACTS.cancel, task_id, given)).row)


@routes.post("/calls", status_code=201)
async def enter_call(actor: Server, uow: Work, once: Once, report: CallReport) -> CallKept:
    """Enter a call with a result for each task it served; all of it counts, or nothing."""
    now = await effective_now(uow.sql, uow.now)
    asked_in = report.asked_in or (report.evidence_id if report.client_asked else None)
    if report.client_asked and asked_in is None:
        raise Invalid(errors=(FieldError("body#/asked_in", "say where it is recorded that the client asked"),))
    approver = await _approver(uow, report)
    call = Call(
        client_id=report.client_id,
        at=min(report.at, now) if report.at <= now + attempts.LONGEST_AHEAD else report.at,
        channel=report.channel,
        results=[Result(r.task_id, r.outcome, r.answers, tuple(r.concerned), r.wish_at) for r in report.results],
        evidence_id=report.evidence_id or (report.failed_recording_approval if approver else None),
        failed_recording_approved_by=approver,
        profile=report.profile,
        notes=report.notes,
        asked_in=asked_in,
    )
    done = await attempts.enter(uow, call, now)
    return CallKept(
        call_id=call.call_id, tasks=[shown(task) for task in sorted(done, key=lambda one: (one.due_on, one.task_id))]
    )


@routes.post("/tasks/{task_id}/survey", status_code=201)
async def answer_survey(actor: Client, uow: Work, once: Once, task_id: Id, given: SurveyAnswers) -> dict[str, str]:
    """The client answers the e-survey in place of a call; the answers themselves are the evidence."""
    await contacts.hold(uow, actor.client_id or "")
    task = await load(uow.sql, ACTS, actor, task_id)
    evidence_id = await evidences.refer(uow, task.client_id, "survey", f"survey/{task_id}")
    now = await effective_now(uow.sql, uow.now)
    outcome = (await uow.policies(Policies)).outcomes.on(business_date(now)).body["survey_answered"]
    result = Result(task_id, outcome.code, given.answers)
    call = Call(task.client_id, now, "e_survey", [result], evidence_id, profile={})
    done = await perform(uow, ACTS.answer, task_id, Reported(call, result, outcome))
    return {"state": done.row.state}


def sentence(task: TaskRow) -> Text:
    """Why a task is owed, in words a client may read."""
    cause, rule = task.cause, task.rule
    due = task.due_on
    en, zh = {
        "new": (f"the account was opened on {cause.get('opened_on')}", f"账户于 {cause.get('opened_on')} 开立"),
        "core": (f"core client in {cause.get('quarter')}", f"{cause.get('quarter')} 为核心客户"),
        "dormant": (f"no trade for 180 days by {cause.get('since')}", f"至 {cause.get('since')} 已 180 天无交易"),
        "never_traded": (f"no trade since opening by {cause.get('since')}", f"至 {cause.get('since')} 开户后从未交易"),
        "abnormal": (f"unusual activity before {cause.get('since')}", f"{cause.get('since')} 前账户活动与平时不同"),
        "tier_greeting": (f"a higher tier from {cause.get('since')} on", f"自 {cause.get('since')} 起客户级别提升"),
        "suitability_expiring": (
            f"the risk assessment ends on {cause.get('valid_until')}",
            f"风险测评于 {cause.get('valid_until')} 到期",
        ),
    }.get(rule, (rule_text(rule).en, rule_text(rule).zh))
    return Text(f"A callback is owed by {due}: {en}.", f"应于 {due} 前回访：{zh}。")


async def at_work(uow: UnitOfWork, actor: Actor) -> tuple[datetime, people.Agent]:
    """The moment the caller acts at, and the caller as an agent."""
    now = await effective_now(uow.sql, uow.now)
    return now, await people.agent_of(uow.sql, actor, now)


async def _approver(uow: UnitOfWork, report: CallReport) -> str | None:
    """Who approved of a failed recording: a supervisor's own piece of evidence, never the caller's [B8]."""
    if report.failed_recording_approval is None:
        return None
    by: str | None = await uow.sql.fetchval(
        """SELECT stored_by FROM evidence WHERE evidence_id = $1 AND client_id = $2 AND kind = 'approval'""",
        report.failed_recording_approval,
        report.client_id,
    )
    return by if by not in (None, uow.actor.person) else None
