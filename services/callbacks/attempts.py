"""Calls: one call, a result for each task it served, and what follows from each [B8, B11, B20]."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from chassis import calendars
from chassis.acts import load, perform
from chassis.calendar import Calendar
from chassis.clock import business_date
from chassis.errors import Conflict, FieldError, Invalid, Text
from chassis.uow import UnitOfWork
from services.callbacks import contacts, ending
from services.callbacks.acts import ACTS, SATISFACTION, too_early
from services.callbacks.calling import may_call, next_opening
from services.callbacks.evidence import EvidenceMissing, require
from services.callbacks.policy import Calling, CallOutcome, Policies
from services.callbacks.results import Call, Reported, act_of
from services.callbacks.rules import LONGEST_TRIES_DAYS
from services.callbacks.tables import Task

CHANNELS = ("phone", "visit", "letter", "e_mail", "app", "e_survey", "branch", "internal")
RECORDED = ("phone",)
CONTACT_DATA = "contact_data"
LONGEST_AHEAD = timedelta(minutes=5)
"""So far clocks may differ: a caller's ahead of the database's (such a call was made now), the phone system's from both."""


class OutsideCallingWindow(Conflict):
    """Clients are not called at this time unless they asked for it; `next` says when one may [B20]."""

    title = Text("Not a time to call", "不在可外呼时段")


async def enter(uow: UnitOfWork, call: Call, now: datetime) -> list[Task]:
    """Keep a call with all its results, or nothing of it: one act for each task. The tasks as they are then.

    Raises: NotFound, Invalid, ClaimFirst, IllegalMove, AnswersMissing, EvidenceMissing, OutsideCallingWindow.
    """
    calendar = await uow.cached(calendars.current)
    day = business_date(call.at)
    policies = await uow.policies(Policies)
    calling, outcomes = policies.calling.on(day).body, policies.outcomes.on(day).body
    await contacts.hold(uow, call.client_id)
    ids = sorted({result.task_id for result in call.results})
    await uow.sql.execute("SELECT FROM tasks WHERE task_id = ANY($1::uuid[]) ORDER BY task_id FOR UPDATE", ids)
    held = {task_id: await load(uow.sql, ACTS, uow.actor, task_id) for task_id in ids}
    _check_call(call, held, outcomes, now)
    _check_time(call, held, calling, calendar)
    await check_evidence(uow.sql, call, outcomes)
    done = []
    for result in call.results:
        outcome = outcomes[result.outcome]
        act, columns, detail = await act_of(uow, held[result.task_id], outcome, call, result)
        body = Reported(call, result, outcome, columns, detail)
        done.append((await perform(uow, getattr(ACTS, act), result.task_id, body)).row)
    await contacts.change(
        uow, call.client_id, call.profile or {}, call.at, call.evidence_id or call.failed_recording_approved_by
    )
    await _follow_numbers(uow, call, done)
    return done


def _check_time(call: Call, held: Mapping[UUID, Task], calling: Calling, calendar: Calendar) -> None:
    """Clients are called in the windows, and again not before the time set, unless they asked for it [B20]."""
    if call.channel != "phone" or call.asked_in is not None:
        return
    for task in held.values():
        if task.not_before is not None and call.at < task.not_before:
            raise too_early(task)
    if not any(task.wish for task in held.values()) and not may_call(call.at, calling, calendar):
        following = next_opening(call.at, calling, calendar)
        raise OutsideCallingWindow(
            Text(f"next: {following:%F %H:%M} UTC", f"下一时段：{following:%F %H:%M} UTC"), next=following
        )


async def _follow_numbers(uow: UnitOfWork, call: Call, done: Sequence[Task]) -> None:
    """A new number takes up every task of the client that waits for one; a search that found none ends the wait of its own."""
    if "phone" in (call.profile or {}):
        await ending.go_on(uow, [call.client_id], call.at)
    sought = [
        UUID(one.cause["task"])
        for one in done
        if one.rule == CONTACT_DATA and one.state == "completed" and "task" in one.cause  # else an address failed
    ]
    await ending.give_up(uow, sought, call.at)


def _check_call(call: Call, held: Mapping[UUID, Task], outcomes: Mapping[str, CallOutcome], now: datetime) -> None:
    errors = []
    if len(held) != len(call.results) or not call.results:
        errors.append(FieldError("body#/results", "one result for each task"))
    if call.channel not in CHANNELS:
        errors.append(FieldError("body#/channel", f"one of {', '.join(CHANNELS)}"))
    if call.at > now:
        errors.append(FieldError("body#/at", "lies ahead"))
    for place, result in enumerate(call.results):
        outcome, task = outcomes.get(result.outcome), held[result.task_id]
        if task.client_id != call.client_id:
            errors.append(FieldError(f"body#/results/{place}/task_id", "a task of another client"))
        if outcome is None:
            errors.append(FieldError(f"body#/results/{place}/outcome", f"one of {', '.join(sorted(outcomes))}"))
        elif task.restricted and (call.channel != "internal" or not outcome.covers):
            errors.append(
                FieldError("body#/channel", "an internal review: it is completed, the client not contacted [B6]")
            )
        elif outcome.written and not call.written:
            errors.append(FieldError(f"body#/results/{place}/outcome", "belongs to a survey, a letter or an e-mail"))
        elif outcome.wish and (result.wish_at is None or result.wish_at <= call.at):
            errors.append(FieldError(f"body#/results/{place}/wish_at", "say when the client wants to be called"))
        elif outcome.wish and result.wish_at is not None and _last_call(task) <= result.wish_at:
            last = _last_call(task).isoformat()
            errors.append(FieldError(f"body#/results/{place}/wish_at", f"lies after the limit, {last}"))
        elif outcome.covers and call.profile is None:
            errors.append(FieldError("body#/profile", "say which fields changed, or {} for none"))
    errors += [FieldError(f"body#/profile/{name}", "is none") for name in contacts.wrong_changes(call.profile or {})]
    if errors:
        raise Invalid(errors=tuple(errors))


def _last_call(task: Task) -> datetime:
    """Until when a client may put the call off; the limit of a satisfaction call is for the first one [C11]."""
    if task.late_until is not None:
        return task.late_until
    return task.due_at + timedelta(days=LONGEST_TRIES_DAYS if task.rule == SATISFACTION else 0)


async def check_evidence(sql: asyncpg.Connection, call: Call, outcomes: Mapping[str, CallOutcome]) -> None:
    """Whoever was reached was recorded, or a supervisor, not the caller, approved of the failed recording [B8]; a change of
    contact data is proven like that as well [B13]. One recording proves one call, made when it was recorded.

    Raises: EvidenceMissing, Invalid.
    """
    for given in filter(None, (call.asked_in, call.evidence_id)):
        await require(sql, call.client_id, given)
    if call.channel in RECORDED and call.evidence_id is not None:
        await _check_recording(sql, call, call.evidence_id)
    changed = set(contacts.CHANGEABLE) & set(call.profile or {})
    if call.evidence_id is not None or not (
        changed or any(outcomes[result.outcome].reached for result in call.results)
    ):
        return
    if not (call.channel in RECORDED and call.failed_recording_approved_by):
        raise EvidenceMissing(
            Text(
                "a recording reference, or a supervisor's approval of its failure",
                "须有录音编号，或主管对录音失败的批准",
            )
        )


async def _check_recording(sql: asyncpg.Connection, call: Call, evidence_id: str) -> None:
    before = await sql.fetchrow(
        """SELECT e.recorded_at, (SELECT a.at FROM attempts a WHERE a.client_id = e.client_id
                                   AND a.evidence_id = e.evidence_id AND a.call_id <> $3 LIMIT 1) AS proves
           FROM evidence e WHERE e.evidence_id = $1 AND e.client_id = $2""",
        evidence_id,
        call.client_id,
        call.call_id,
    )
    assert before is not None, "evidence is required before"
    if before["proves"] is not None:
        proven = f"{before['proves']:%F %H:%M}"
        raise EvidenceMissing(Text(f"it proves the call of {proven} UTC already", f"该凭证已用于 {proven} UTC 的通话"))
    recorded = before["recorded_at"]
    if recorded is not None and abs(recorded - call.at) > LONGEST_AHEAD:
        raise Invalid(errors=(FieldError("body#/at", f"the recording is of {recorded.isoformat()}"),))
