"""Written replies: ours to an enquiry by e-mail [B14], and the client's to the letter that followed calls in vain [B20].

Whoever answers says when, and leaves what was written. An enquiry answered on its day stops the clock of that day; one
answered later is done, and the day stays missed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from chassis.acts import IllegalMove
from chassis.deadlines import cancel
from chassis.errors import FieldError, Invalid, Text
from chassis.uow import UnitOfWork
from services.callbacks import alarms, attempts, claims, contacts
from services.callbacks.attempts import Call, Result
from services.callbacks.people import Agent
from services.callbacks.policy import Policies
from services.callbacks.rules import MOVES

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


async def record(uow: UnitOfWork, agent: Agent, task_id: UUID, reply: Reply, now: datetime) -> bool | None:
    """Keep a reply and end the task it answers; of an enquiry, whether it was answered on its day.

    Raises: NotFound, IllegalMove with what is possible, AlreadyTaken, Excluded, Invalid, EvidenceMissing.
    """
    task = await claims.workable(uow.sql, agent, task_id, now)
    if reply.at > now + attempts.LONGEST_AHEAD:
        raise Invalid(errors=(FieldError("body#/at", "lies ahead"),))
    if task["state"] == "exhausted":
        await _answer_letter(uow, agent, task_id, reply, now)
        on_the_day = None
    elif task["rule"] == ENQUIRY:
        on_the_day = await _answer_enquiry(uow, agent, task_id, reply, now)
    else:
        raise IllegalMove(
            Text("this task is served by a call", "该任务须电话回访"),
            state=task["state"],
            possible=sorted(MOVES[task["state"]]),
        )
    uow.audit(
        "reply_recorded",
        f"task/{task_id}",
        key=task["client_id"],
        policy=task["policy"],
        channel=reply.channel,
        at=reply.at,
        evidence=reply.evidence_id,
        on_the_day=on_the_day,
        by=agent.staff_id,
    )
    return on_the_day


async def _answer_enquiry(uow: UnitOfWork, agent: Agent, task_id: UUID, reply: Reply, now: datetime) -> bool:
    task = await claims.workable(uow.sql, agent, task_id, now)
    came, target = (datetime.fromisoformat(task["cause"][name]) for name in ("at", "target"))
    if reply.at < came:
        raise Invalid(errors=(FieldError("body#/at", "lies before the enquiry"),))
    on_the_day = reply.at < target
    if on_the_day:
        await cancel(uow, [(alarms.TARGET, f"task/{task_id}")])
    await contacts.hold(uow, task["client_id"])
    await claims.claim(uow, agent, task_id, now)
    result = Result(task_id, "replied", {"replied": "yes", **reply.answers}, tuple(reply.concerned))
    call = Call(
        task["client_id"], reply.at, reply.channel, [result], reply.evidence_id, profile=reply.profile, written=True
    )
    await attempts.enter(uow, agent, call, now)
    return on_the_day


async def _answer_letter(uow: UnitOfWork, agent: Agent, task_id: UUID, reply: Reply, now: datetime) -> None:
    await attempts.stop_waiting(uow, task_id)
    await contacts.hold(uow, (await claims.workable(uow.sql, agent, task_id, now))["client_id"])
    await uow.sql.execute("SELECT FROM tasks WHERE task_id = $1 FOR UPDATE", task_id)
    task = await claims.workable(uow.sql, agent, task_id, now)
    if task["state"] != "exhausted" or task["channel"] != "letter":
        possible = ["survey"] if task["channel"] == "e_survey" else sorted(MOVES[task["state"]])
        raise IllegalMove(
            Text("no letter was sent for this task", "该任务未寄送信函"), state=task["state"], possible=possible
        )
    if reply.profile is None:
        raise Invalid(errors=(FieldError("body#/profile", "say which fields changed, or {} for none"),))
    if wrong := contacts.wrong_changes(reply.profile):
        raise Invalid(errors=tuple(FieldError(f"body#/profile/{name}", "is none") for name in wrong))
    await claims.check_avoidance(uow, agent, task)
    call = Call(
        task["client_id"], reply.at, "letter", [Result(task_id, "letter_answered", reply.answers)], reply.evidence_id
    )
    await attempts.check_evidence(uow.sql, call, (await uow.policies(Policies)).outcomes.on(task["created_on"]).body)
    await attempts.answer_survey(
        uow, task, reply.answers, reply.evidence_id, "letter_answered", reply.at, agent, reply.profile
    )
