"""Written replies: ours to an enquiry by e-mail [B14], and the client's to the letter that followed calls in vain [B20].

Whoever answers says when, and leaves what was written. An enquiry answered on its day stops the clock of that day; one
answered later is done, and the day stays missed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.acts import Performed, load, perform
from chassis.clock import business_date
from chassis.deadlines import cancel
from chassis.errors import FieldError, Invalid
from chassis.uow import UnitOfWork
from services.callbacks import alarms, attempts, contacts
from services.callbacks.acts import ACTS
from services.callbacks.policy import Policies
from services.callbacks.results import Call, Reported, Result
from services.callbacks.tables import Task

ENQUIRY = "enquiry"


@dataclass(frozen=True, slots=True)
class Reply:
    """What was written and when; `evidence_id` is its SHA-256 among the client's evidence."""

    at: datetime
    channel: str
    evidence_id: str
    answers: Mapping[str, str] = field(default_factory=dict)
    concerned: Sequence[str] = ()
    profile: Mapping[str, str] | None = None


async def record(uow: UnitOfWork, task_id: UUID, reply: Reply, now: datetime) -> tuple[Task, bool | None]:
    """Keep a reply and end the task it answers: the task, and of an enquiry whether it was answered on its day.

    Raises: NotFound, IllegalMove with what is possible, AlreadyTaken, Excluded, Invalid, EvidenceMissing.
    """
    task = await load(uow.sql, ACTS, uow.actor, task_id)
    if reply.at > now:
        raise Invalid(errors=(FieldError("body#/at", "lies ahead"),))
    await contacts.hold(uow, task.client_id)
    if task.state == "exhausted":
        return await _answer_letter(uow, task, reply), None
    return await _answer_enquiry(uow, task, reply)


async def _answer_enquiry(uow: UnitOfWork, task: Task, reply: Reply) -> tuple[Task, bool | None]:
    if task.rule != ENQUIRY:
        return (await perform(uow, ACTS.reply, task.task_id)).row, None  # refused: calls serve it
    came, target = (datetime.fromisoformat(task.cause[name]) for name in ("at", "target"))
    if reply.at < came:
        raise Invalid(errors=(FieldError("body#/at", "lies before the enquiry"),))
    on_the_day = reply.at < target
    answers = {"replied": "yes", **reply.answers}
    done = await _enter(uow, ACTS.reply, task, reply, "replied", answers, {"on_the_day": on_the_day})
    if on_the_day:
        await cancel(uow, [(alarms.TARGET, f"task/{task.task_id}")])
    return done, on_the_day


async def _answer_letter(uow: UnitOfWork, task: Task, reply: Reply) -> Task:
    if reply.profile is None:
        raise Invalid(errors=(FieldError("body#/profile", "say which fields changed, or {} for none"),))
    return await _enter(uow, ACTS.enter_letter, task, reply, "letter_answered", reply.answers, {})


async def _enter(
    uow: UnitOfWork, act: Any, task: Task, reply: Reply, code: str, answers: Mapping[str, str], detail: dict[str, Any]
) -> Task:
    if wrong := contacts.wrong_changes(reply.profile or {}):
        raise Invalid(errors=tuple(FieldError(f"body#/profile/{name}", "is none") for name in wrong))
    outcomes = (await uow.policies(Policies)).outcomes.on(business_date(reply.at)).body
    result = Result(task.task_id, code, answers, tuple(reply.concerned))
    channel = reply.channel if code == "replied" else "letter"
    call = Call(task.client_id, reply.at, channel, [result], reply.evidence_id, profile=reply.profile, written=True)
    await attempts.check_evidence(uow.sql, call, outcomes)
    done: Performed[Task] = await perform(uow, act, task.task_id, Reported(call, result, outcomes[code], detail=detail))
    await contacts.change(uow, task.client_id, call.profile or {}, reply.at, reply.evidence_id)
    return done.row
