"""What a contact came to for one task: which act follows from its outcome, what is kept of it, and who is told
[B8, B11, B19, B20]."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from chassis import calendars, deadlines
from chassis.acts import Doing
from chassis.calendar import Calendar
from chassis.clock import business_date
from chassis.clocks import WorkingDays
from chassis.deadlines import Deadline
from chassis.personal import mask_text
from chassis.replans import Moved, limited, replan_limits
from chassis.uow import UnitOfWork
from contracts.callbacks import TaskAttempted, TaskCompleted, TaskExhausted
from services.callbacks import asking, contacts, findings, objections, reviews, scripts, tasks
from services.callbacks.calling import next_attempt
from services.callbacks.obligations import Obligation
from services.callbacks.policy import CallOutcome, Policies
from services.callbacks.tables import Task

SURVEY = "survey"
MOMENT = timedelta(microseconds=1)
FREE: dict[str, Any] = {"holder": None, "held_since": None, "lease_until": None}
"""The columns of a task that nobody has in hand."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a call came to for one task."""

    task_id: UUID
    outcome: str
    answers: Mapping[str, str] = field(default_factory=dict)
    concerned: Sequence[str] = ()
    wish_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One contact with a client, or the try of one. `profile` holds fields the client changed, {} for no change; `asked_in`
    is the evidence of the client having asked to be called at this time."""

    client_id: str
    at: datetime
    channel: str
    results: Sequence[Result]
    evidence_id: str | None = None
    failed_recording_approved_by: str | None = None
    profile: Mapping[str, str] | None = None
    notes: str = ""
    asked_in: str | None = None
    written: bool = False
    call_id: UUID = field(default_factory=uuid7)


@dataclass(frozen=True, slots=True)
class Reported:
    """The body of an act that reports a contact: `columns` of the task and `detail` of its history follow from it."""

    call: Call
    result: Result
    outcome: CallOutcome
    columns: Mapping[str, Any] = field(default_factory=dict)
    detail: Mapping[str, Any] = field(default_factory=dict)
    attempt_id: UUID = field(default_factory=uuid7)

    @property
    def at(self) -> datetime:
        """When the contact was made."""
        return self.call.at


async def act_of(
    uow: UnitOfWork, task: Task, outcome: CallOutcome, call: Call, result: Result
) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The act that follows from an outcome, the columns that go with it, and the words for the history."""
    if outcome.wish:
        return "postpone", {"not_before": result.wish_at, "wish": True}, {"wish_at": result.wish_at}
    if outcome.final and outcome.reached:
        return "complete", {}, {}
    if outcome.needs:
        return "await_number", {}, {"asked": await _ask_for(uow, task, outcome, call)}
    policies, calendar = await uow.policies(Policies), await uow.cached(calendars.current)
    day = business_date(call.at)
    calling = policies.calling.on(day).body
    tried = await uow.sql.fetch(
        "SELECT at FROM attempts WHERE task_id = $1 AND outcome = ANY($2::text[]) ORDER BY at",
        task.task_id,
        [code for code, known in policies.outcomes.on(day).body.items() if known.retry],
    )
    retry = next_attempt(sorted([*(row["at"] for row in tried), call.at]), calling, calendar)
    if retry.at is not None:
        act = "postpone" if outcome.reached else "retry"
        return act, {"not_before": retry.at, "wish": False}, {"next": retry.at, "why": retry.why.en}
    # Calls are exhausted: the next channel, an e-survey first, then a letter [B20].
    channel = calling.after_exhaustion[0]
    return "exhaust", {"channel": channel}, {"channel": channel, "why": retry.why.en}


async def _ask_for(uow: UnitOfWork, task: Task, outcome: CallOutcome, call: Call) -> list[UUID]:
    """The number is wrong: have the branch find the right one [A11, B20]. Once for each wrong number."""
    owed = Obligation(
        client_id=task.client_id,
        rule=outcome.needs or "",
        period=f"{task.task_id}/{task.attempts + 1}",
        created_on=business_date(call.at),
        found_on=business_date(call.at),
        branch_id=task.branch_id,
        cause={"task": task.task_id, "outcome": outcome.code},
    )
    return await tasks.make(uow, [owed])


async def keep(uow: UnitOfWork, doings: Sequence[Doing[Task]]) -> None:
    """Keep each attempt; whoever held the task no longer does.

    Raises: AnswersMissing.
    """
    policies = await uow.policies(Policies)
    for one in doings:
        body, task, day = one.body, one.before, business_date(one.at)
        call, outcome = body.call, body.outcome
        script = policies.script(task.script)
        scripts.check_answers(script, body.result.answers, complete=outcome.covers)
        trigger, _ = policies.rule_on(task.rule, task.created_on)
        await uow.sql.execute(
            """INSERT INTO attempts (attempt_id, call_id, task_id, client_id, branch_id, topic, script, agent, at, on_day,
                                     channel, outcome, reached, valid, covers, answers, evidence_id,
                                     failed_recording_approved_by, profile, notes)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)""",
            body.attempt_id,
            call.call_id,
            task.task_id,
            task.client_id,
            task.branch_id,
            task.topic,
            task.script,
            uow.actor.person,
            one.at,
            day,
            call.channel,
            outcome.code,
            outcome.reached,
            _is_contact(task, outcome),
            outcome.covers and trigger.covers,
            scripts.masked(script, body.result.answers),
            call.evidence_id,
            call.failed_recording_approved_by,
            contacts.without_values(call.profile) if call.profile is not None else None,
            mask_text(call.notes) if call.notes else None,
        )
        over = {"ended_on": day, "late_until": None} if one.act.to == "completed" else {}
        one.columns |= {**FREE, "outcome": outcome.code, "attempts": task.attempts + 1, **over, **body.columns}
        one.detail |= {
            "agent": uow.actor.person, "outcome": outcome.code, "attempt": body.attempt_id, "call": call.call_id,
            "channel": call.channel, "evidence": call.evidence_id, "policy": task.policy, **body.detail,
        }  # fmt: skip


async def tell(uow: UnitOfWork, doings: Sequence[Doing[Task]]) -> None:
    """Tell of the attempt and of what became of the task; then what the answers and the notes give rise to."""
    policies = await uow.policies(Policies)
    for one in doings:
        body, task = one.body, one.row
        script, answers = policies.script(task.script), body.result.answers
        names: dict[str, Any] = {"task_id": task.task_id, "client_id": task.client_id, "rule": task.rule}
        uow.emit(
            TaskAttempted(
                **names,
                attempt_id=body.attempt_id,
                agent=uow.actor.person,
                channel=body.call.channel,
                outcome=body.outcome.code,
                valid_contact=_is_contact(task, body.outcome),
                attempted_at=one.at,
            )
        )
        if task.state == "completed":
            uow.emit(
                TaskCompleted(
                    **names,
                    outcome=body.outcome.code,
                    subject=task.subject,
                    scores=scripts.scores_in(script, answers),
                    accepted={"yes": True, "no": False}.get(answers.get("accepted", "")),
                    opinions=mask_text(answers.get("opinions", "")) or None,
                    completed_at=one.at,
                )
            )
        elif task.state == "exhausted":
            await tell_exhausted(uow, task, one.at)
        if found := scripts.findings_in(script, answers):
            await findings.raise_for(uow, task, body.attempt_id, found, body.result.concerned, one.at)
        await _mark_client(uow, task, body.outcome, one.at)
        if one.act.name not in (
            "answer",
            "enter_letter",
        ):  # what clients write themselves is not the agent's to be judged by
            await reviews.consider(uow, body.attempt_id, task, body.outcome, answers, body.call.notes)


def _is_contact(task: Task, outcome: CallOutcome) -> bool:
    """Whether the client was spoken to; an internal review speaks to nobody [B6, A7a]."""
    return outcome.valid and not task.restricted


async def tell_exhausted(uow: UnitOfWork, task: Task, at: datetime) -> None:
    """Calls have ended; the next channel begins [B20]."""
    uow.emit(
        TaskExhausted(
            task_id=task.task_id,
            client_id=task.client_id,
            rule=task.rule,
            subject=task.subject,
            channel=task.channel,
            exhausted_at=at,
        )
    )
    if task.channel == "e_survey" and task.late_until is None:  # after a breach the survey is out already
        await send_survey(uow, task, at)


def _survey(policies: Policies, task: Task, calendar: Calendar, at: datetime) -> Deadline:
    """The end of a survey that goes out at an instant: 24:00 of the last of so many working days."""
    begun = at - MOMENT
    days = policies.calling.on(business_date(begun)).body.survey_working_days
    limit = WorkingDays(days, from_date=True, to_midnight=True)
    return limited(SURVEY, f"task/{task.task_id}", task.client_id, limit, begun, calendar)


def survey_ends(policies: Policies, calendar: Calendar, task: Task, at: datetime) -> datetime:
    """Until when a survey that goes out at an instant is waited for."""
    return _survey(policies, task, calendar, at).due


async def replan_surveys(uow: UnitOfWork, calendar: Calendar) -> Sequence[Moved]:
    """The ends of surveys that are out; until then a task goes on that was missed [C11]."""
    moved = await replan_limits(SURVEY)(uow, calendar)
    await uow.sql.execute(
        """UPDATE tasks t SET late_until = n.after, revision = t.revision + 1
           FROM unnest($1::uuid[], $2::timestamptz[]) AS n(task_id, after)
           WHERE t.task_id = n.task_id AND t.late_until IS NOT NULL""",
        [one.object.removeprefix("task/") for one in moved],
        [one.after for one in moved],
    )
    return moved


async def send_survey(uow: UnitOfWork, task: Task, at: datetime) -> None:
    """The e-survey's invitation goes out when there is an address for it; its end is watched [B20, C11]."""
    survey = _survey(await uow.policies(Policies), task, await uow.cached(calendars.current), at)
    await deadlines.arm(uow, [survey])
    ends = survey.due
    reachable = await uow.sql.fetchval(
        "SELECT EXISTS (SELECT FROM clients WHERE client_id = $1 AND (phone IS NOT NULL OR email IS NOT NULL))",
        task.client_id,
    )
    if reachable:
        reference = str(task.task_id)
        asked = asking.wanted_of(uow, "e_survey", task.client_id, reference, {"reference": reference}, uow.now, ends)
        await asking.ask(uow, [asked])


async def _mark_client(uow: UnitOfWork, task: Task, outcome: CallOutcome, at: datetime) -> None:
    """What the contact says of the client: never to be called again; the timer of A7a starts anew."""
    await uow.sql.execute(
        "UPDATE clients SET last_valid_contact = greatest(last_valid_contact, $3) WHERE client_id = $1 AND $2",
        task.client_id,
        _is_contact(task, outcome),
        at,
    )
    if outcome.do_not_call:
        await objections.place(uow, task.client_id, objections.ALL, outcome.code, once=True)
