"""Attempts: one call, a result for each task it served, and what follows from each [B8, B11, B20]."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from chassis import calendars, deadlines
from chassis.calendar import Calendar
from chassis.clock import business_date, end_of
from chassis.deadlines import Deadline
from chassis.errors import Conflict, FieldError, Invalid, Text
from chassis.personal import mask_text
from chassis.uow import UnitOfWork
from contracts.callbacks import TaskAttempted, TaskCompleted, TaskExhausted
from services.callbacks import claims, contacts, findings, reviews, scripts, tasks
from services.callbacks.calling import may_call, next_attempt
from services.callbacks.evidence import EvidenceMissing
from services.callbacks.messages import planning
from services.callbacks.obligations import Obligation
from services.callbacks.people import Agent
from services.callbacks.policy import Calling, CallOutcome, Policies
from services.callbacks.rules import check_move
from services.callbacks.tasks import TaskStep, record

CHANNELS = ("phone", "visit", "letter", "e_mail", "app", "e_survey", "branch", "internal")
RECORDED = ("phone",)
SURVEY = "survey"
LONGEST_AHEAD = timedelta(minutes=5)


class OutsideCallingWindow(Conflict):
    """Clients are not called at this time unless they asked for it; `next` says when one may [B20]."""

    title = Text("Not a time to call", "不在可外呼时段")


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
    """One contact with a client, or the try of one. `profile` holds fields the client changed, {} for no change."""

    client_id: str
    at: datetime
    channel: str
    results: Sequence[Result]
    evidence_id: str | None = None
    failed_recording_approved_by: str | None = None
    profile: Mapping[str, str] | None = None
    notes: str = ""
    client_asked: bool = False
    written: bool = False


async def enter(uow: UnitOfWork, agent: Agent, call: Call, now: datetime) -> UUID:
    """Keep a call with all its results, or nothing of it.

    Raises: Invalid, ClaimFirst, IllegalMove, AnswersMissing, EvidenceMissing, OutsideCallingWindow.
    """
    calendar = await calendars.current(uow.sql)
    day = business_date(call.at)
    policies = await uow.policies(Policies)
    calling, outcomes = policies.calling.on(day).body, policies.outcomes.on(day).body
    await contacts.hold(uow, call.client_id)
    held = {
        result.task_id: await claims.held(uow, agent, result.task_id)
        for result in sorted(call.results, key=lambda result: result.task_id)
    }
    _check_call(call, held, outcomes, now)
    asked = call.client_asked or any(task["wish"] for task in held.values())
    if call.channel == "phone" and not asked and not may_call(call.at, calling, calendar):
        from services.callbacks.calling import next_opening

        following = next_opening(call.at, calling, calendar)
        raise OutsideCallingWindow(
            Text(f"next: {following:%F %H:%M} UTC", f"下一时段：{following:%F %H:%M} UTC"), next=following
        )
    await check_evidence(uow.sql, call, outcomes)
    await contacts.change(
        uow, call.client_id, call.profile or {}, call.at, call.evidence_id or call.failed_recording_approved_by
    )
    call_id = uuid7()
    for result in call.results:
        task = held[result.task_id]
        await _Entry(
            uow, policies, agent, call, call_id, result, task, outcomes[result.outcome], calendar, calling, now
        ).apply()
    return call_id


def _check_call(
    call: Call, held: Mapping[UUID, asyncpg.Record], outcomes: Mapping[str, CallOutcome], now: datetime
) -> None:
    errors = []
    if len(held) != len(call.results) or not call.results:
        errors.append(FieldError("body#/results", "one result for each task"))
    if call.channel not in CHANNELS:
        errors.append(FieldError("body#/channel", f"one of {', '.join(CHANNELS)}"))
    if call.at > now + LONGEST_AHEAD:
        errors.append(FieldError("body#/at", "lies ahead"))
    for place, result in enumerate(call.results):
        outcome, task = outcomes.get(result.outcome), held[result.task_id]
        if task["client_id"] != call.client_id:
            errors.append(FieldError(f"body#/results/{place}/task_id", "a task of another client"))
        if outcome is None:
            errors.append(FieldError(f"body#/results/{place}/outcome", f"one of {', '.join(sorted(outcomes))}"))
        elif outcome.written and not call.written:
            errors.append(FieldError(f"body#/results/{place}/outcome", "belongs to a survey, a letter or an e-mail"))
        elif outcome.wish and (result.wish_at is None or result.wish_at <= call.at):
            errors.append(FieldError(f"body#/results/{place}/wish_at", "say when the client wants to be called"))
        elif outcome.covers and call.profile is None:
            errors.append(FieldError("body#/profile", "say which fields changed, or {} for none"))
    errors += [FieldError(f"body#/profile/{name}", "is none") for name in contacts.wrong_changes(call.profile or {})]
    if errors:
        raise Invalid(errors=tuple(errors))


async def check_evidence(sql: asyncpg.Connection, call: Call, outcomes: Mapping[str, CallOutcome]) -> None:
    """Whoever was reached was recorded, or a supervisor, not the caller, approved of the failed recording [B8]; a change of
    contact data is proven like that as well [B13]."""
    changed = set(contacts.CHANGEABLE) & set(call.profile or {})
    if not changed and not any(outcomes[result.outcome].reached for result in call.results):
        return
    if call.evidence_id is None:
        if call.channel in RECORDED and call.failed_recording_approved_by:
            return
        raise EvidenceMissing(
            Text(
                "a recording reference, or a supervisor's approval of its failure",
                "须有录音编号，或主管对录音失败的批准",
            )
        )
    known = await sql.fetchval(
        "SELECT EXISTS (SELECT FROM evidence WHERE evidence_id = $1 AND client_id = $2)",
        call.evidence_id,
        call.client_id,
    )
    if not known:
        raise EvidenceMissing(Text("no such evidence of this client", "该客户名下无此凭证"))


@dataclass(slots=True)
class _Entry:
    """One result of a call, and what follows from it."""

    uow: UnitOfWork
    policies: Policies
    agent: Agent
    call: Call
    call_id: UUID
    result: Result
    task: asyncpg.Record
    outcome: CallOutcome
    calendar: Calendar
    calling: Calling
    now: datetime

    @property
    def day(self) -> date:
        return business_date(self.call.at)

    async def apply(self) -> None:
        """Keep the attempt, move the task, tell of both."""
        task, outcome, result = self.task, self.outcome, self.result
        script = self.policies.script(task["script"])
        scripts.check_answers(script, result.answers, complete=outcome.covers)
        attempt_id = uuid7()
        await self._keep(attempt_id)
        steps = []
        state = task["state"]
        if state == "assigned":
            check_move(state, "attempting")
            steps.append(
                self._step(state, "attempting", "called", {"call": self.call_id, "channel": self.call.channel})
            )
            state = "attempting"
        if outcome.reached:
            check_move(state, "reached")
            steps.append(self._step(state, "reached", outcome.code, {"attempt": attempt_id}))
            state = "reached"
        after, columns, detail = await self._what_follows()
        check_move(state, after)
        steps.append(self._step(state, after, outcome.code, {"attempt": attempt_id, **detail}))
        await self._move(after, columns)
        record(self.uow, steps)
        await self._tell(attempt_id, after, columns)
        if found := scripts.findings_in(script, result.answers):
            await findings.raise_for(self.uow, task, attempt_id, found, result.concerned, self.now)
        await self._mark_client()
        await reviews.consider(
            self.uow, attempt_id, task, self.agent.staff_id, outcome, result.answers, self.call.notes
        )

    async def _what_follows(self) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """The next state, the columns that go with it, and the words for the history."""
        outcome, day = self.outcome, self.day
        if outcome.wish:
            return "rescheduled", {"not_before": self.result.wish_at, "wish": True}, {"wish_at": self.result.wish_at}
        if outcome.final and outcome.reached:
            return "completed", {"ended_on": day}, {}
        if outcome.needs:
            return await self._ask_for(outcome.needs)
        tried = await self.uow.sql.fetch(
            "SELECT at FROM attempts WHERE task_id = $1 AND outcome = ANY($2::text[]) ORDER BY at",
            self.task["task_id"],
            [code for code, known in self.policies.outcomes.on(day).body.items() if known.retry],
        )
        retry = next_attempt([row["at"] for row in tried], self.calling, self.calendar)
        if retry.at is None:
            return await self._go_on_by(0, retry.why)
        after = "rescheduled" if outcome.reached else "planned"
        return after, {"not_before": retry.at, "wish": False}, {"next": retry.at, "why": retry.why.en}

    async def _go_on_by(self, step: int, why: Text) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """Calls are exhausted: the next channel, an e-survey first, then a letter [B20]."""
        channel = self.calling.after_exhaustion[step]
        last = self.calendar.add_days(self.day, self.calling.survey_working_days)
        task = self.task
        if channel == "e_survey":
            await deadlines.arm(
                self.uow, [Deadline(SURVEY, f"task/{task['task_id']}", task["client_id"], end_of(last))]
            )
            await _plan_survey(self.uow, task)
        return "exhausted", {"channel": channel}, {"channel": channel, "why": why.en}

    async def _ask_for(self, rule: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """The number is wrong: stop calling, and have the branch find the right one [A11, B20]."""
        owed = Obligation(
            client_id=self.task["client_id"],
            rule=rule,
            period=str(self.task["task_id"]),
            created_on=self.day,
            found_on=self.day,
            branch_id=self.task["branch_id"],
            cause={"task": self.task["task_id"], "outcome": self.outcome.code},
        )
        [*made] = await tasks.make(self.uow, [owed])
        return "exhausted", {"channel": rule}, {"channel": rule, "asked": made}

    def _step(self, before: str, after: str, reason: str, detail: dict[str, Any]) -> TaskStep:
        task = self.task
        detail = {"agent": self.agent.staff_id, **detail}
        return TaskStep(
            task["task_id"], task["client_id"], self.day, before, after, reason, detail, task["policy"], self.call.at
        )

    async def _keep(self, attempt_id: UUID) -> None:
        call, outcome, task = self.call, self.outcome, self.task
        trigger, _ = self.policies.rule_on(task["rule"], task["created_on"])
        await self.uow.sql.execute(
            """INSERT INTO attempts (attempt_id, call_id, task_id, client_id, branch_id, topic, script, agent, at, on_day,
                                     channel, outcome, reached, valid, covers, answers, evidence_id,
                                     failed_recording_approved_by, profile, notes)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)""",
            attempt_id,
            self.call_id,
            task["task_id"],
            task["client_id"],
            task["branch_id"],
            task["topic"],
            task["script"],
            self.agent.staff_id,
            call.at,
            self.day,
            call.channel,
            outcome.code,
            outcome.reached,
            outcome.valid,
            outcome.covers and trigger.covers,
            scripts.masked(self.policies.script(task["script"]), self.result.answers),
            call.evidence_id,
            call.failed_recording_approved_by,
            contacts.without_values(call.profile) if call.profile is not None else None,
            mask_text(call.notes) if call.notes else None,
        )

    async def _move(self, after: str, columns: dict[str, Any]) -> None:
        """Write the new state; whoever held the task no longer does."""
        given = {"outcome": self.outcome.code, **columns}
        sets = ", ".join(f"{name} = ${place}" for place, name in enumerate(given, 3))
        await self.uow.sql.execute(
            f"""UPDATE tasks SET state = $2, holder = NULL, held_since = NULL, lease_until = NULL,
                       attempts = attempts + 1, revision = revision + 1, {sets} WHERE task_id = $1""",
            self.task["task_id"],
            after,
            *given.values(),
        )

    async def _tell(self, attempt_id: UUID, after: str, columns: Mapping[str, Any]) -> None:
        uow, task, call = self.uow, self.task, self.call
        uow.happened_at = call.at
        names = {"task_id": task["task_id"], "client_id": task["client_id"], "rule": task["rule"]}
        uow.emit(
            TaskAttempted(
                **names,
                attempt_id=attempt_id,
                agent=self.agent.staff_id,
                channel=call.channel,
                outcome=self.outcome.code,
                valid_contact=self.outcome.valid,
                attempted_at=call.at,
            )
        )
        if after == "completed":
            answers = self.result.answers
            accepted = {"yes": True, "no": False}.get(answers.get("accepted", ""))
            uow.emit(
                TaskCompleted(
                    **names,
                    outcome=self.outcome.code,
                    subject=task["subject"],
                    scores=scripts.scores_in(self.policies.script(task["script"]), answers),
                    accepted=accepted,
                    opinions=mask_text(answers.get("opinions", "")) or None,
                    completed_at=call.at,
                )
            )
        elif after == "exhausted":
            uow.emit(TaskExhausted(**names, subject=task["subject"], channel=columns["channel"], exhausted_at=call.at))

    async def _mark_client(self) -> None:
        """What the contact says of the client: never to be called again; the timer of A7a starts anew."""
        await self.uow.sql.execute(
            """UPDATE clients SET do_not_call = do_not_call OR $2,
                      last_valid_contact = CASE WHEN $3 THEN greatest(last_valid_contact, $4) ELSE last_valid_contact END
               WHERE client_id = $1 AND ($2 OR $3)""",
            self.task["client_id"],
            self.outcome.do_not_call,
            self.outcome.valid,
            self.call.at,
        )


async def _plan_survey(uow: UnitOfWork, task: asyncpg.Record) -> None:
    """The e-survey's invitation goes out when there is an address for it; without one the letter follows in time."""
    client = await uow.sql.fetchrow(
        """SELECT client_id, branch_id, language, phone IS NOT NULL AS by_phone FROM clients
           WHERE client_id = $1 AND (phone IS NOT NULL OR email IS NOT NULL)""",
        task["client_id"],
    )
    if client:
        channel = "sms" if client["by_phone"] else "email"
        reference = str(task["task_id"])
        await planning.plan(uow, "e_survey", dict(client), channel, reference, uow.now, None, {"reference": reference})


async def answer_survey(
    uow: UnitOfWork,
    task: asyncpg.Record,
    answers: Mapping[str, str],
    evidence_id: str,
    outcome_code: str,
    at: datetime,
    agent: Agent | None = None,
    profile: Mapping[str, str] | None = None,
) -> None:
    """The client answered the e-survey or the letter in place of a call: the task is done, with the answers as proof.

    `agent` is who entered a letter; a survey the client entered themselves.

    Raises: IllegalMove, AnswersMissing.
    """
    check_move(task["state"], "completed")
    policies = await uow.policies(Policies)
    outcome = policies.outcomes.on(business_date(at)).body[outcome_code]
    agent = agent or Agent(uow.actor.person, uow.actor.role, None, (), ())
    channel = "e_survey" if outcome_code == "survey_answered" else "letter"
    result = Result(task["task_id"], outcome_code, answers)
    call = Call(task["client_id"], at, channel, [result], evidence_id, profile=profile or {})
    calendar = await calendars.current(uow.sql)
    calling = policies.calling.on(business_date(at)).body
    entry = _Entry(uow, policies, agent, call, uuid7(), call.results[0], task, outcome, calendar, calling, at)
    script = policies.script(task["script"])
    scripts.check_answers(script, answers, complete=True)
    attempt_id = uuid7()
    await entry._keep(attempt_id)
    record(uow, [entry._step(task["state"], "completed", outcome.code, {"attempt": attempt_id})])
    await entry._move("completed", {"ended_on": business_date(at)})
    await entry._tell(attempt_id, "completed", {})
    if found := scripts.findings_in(script, answers):
        await findings.raise_for(uow, task, attempt_id, found, (), at)
    await entry._mark_client()
    await contacts.change(uow, task["client_id"], call.profile or {}, at, evidence_id)


async def stop_waiting(uow: UnitOfWork, task_id: UUID) -> None:
    """The survey's time no longer matters, because it is being answered; before any task is locked."""
    await deadlines.cancel(uow, [(SURVEY, f"task/{task_id}")])
