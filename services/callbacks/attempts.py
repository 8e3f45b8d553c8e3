"""Calls: one call, a result for each task it served, and what follows from each [B8, B11, B20]."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from chassis import calendars
from chassis.acts import load, perform
from chassis.clock import business_date
from chassis.errors import Conflict, FieldError, Invalid, Text
from chassis.uow import UnitOfWork
from services.callbacks import contacts
from services.callbacks.acts import ACTS
from services.callbacks.calling import may_call, next_opening
from services.callbacks.evidence import EvidenceMissing
from services.callbacks.policy import CallOutcome, Policies
from services.callbacks.results import Call, Reported, act_of
from services.callbacks.tables import Task

CHANNELS = ("phone", "visit", "letter", "e_mail", "app", "e_survey", "branch", "internal")
RECORDED = ("phone",)
LONGEST_AHEAD = timedelta(minutes=5)
"""So far a caller's clock may be ahead of the database's: such a call was made now."""


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
    asked = call.client_asked or any(task.wish for task in held.values())
    if call.channel == "phone" and not asked and not may_call(call.at, calling, calendar):
        following = next_opening(call.at, calling, calendar)
        raise OutsideCallingWindow(
            Text(f"next: {following:%F %H:%M} UTC", f"下一时段：{following:%F %H:%M} UTC"), next=following
        )
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
    return done


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
