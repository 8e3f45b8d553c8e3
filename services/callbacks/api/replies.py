"""Written replies over HTTP: to enquiries by e-mail [B14], and letters that came back [B20]."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from chassis.acts import load
from chassis.errors import FieldError, Invalid
from chassis.http import Once, Work, router
from chassis.http.persons import PersonId
from chassis.timeline import effective_now
from contracts.fields import Code, Id, Identifier, Instant, text_of
from services.callbacks import evidence, replies
from services.callbacks.acts import ACTS
from services.callbacks.api.access import Server
from services.callbacks.api.tasks import Task, shown
from services.callbacks.replies import Reply

routes = router("/v1/callbacks", "callbacks replies")


class Written(BaseModel):
    """A reply: its own words, or the evidence that holds them (a scan, a mail already stored)."""

    at: Instant
    channel: Literal["e_mail", "letter"]
    text: Annotated[str, text_of(20000, 5)] | None = Field(None, description="kept as evidence under its SHA-256")
    evidence_id: Identifier | None = None
    answers: dict[Code, Annotated[str, text_of(2000)]] = {}
    concerned: list[PersonId] = Field([], description="whom the answers are about")
    profile: dict[Code, Annotated[str, text_of(400)]] | None = Field(None, description="{}: no change [B11]")


class Replied(BaseModel):
    """The task as it stands now; of an enquiry, whether it was answered on its day. `evidence_id` proves the words."""

    task: Task
    evidence_id: str
    on_the_day: bool | None


@routes.post("/tasks/{task_id}/reply", status_code=201)
async def reply(actor: Server, uow: Work, once: Once, task_id: Id, given: Written) -> Replied:
    """Record a written reply; the task is done, and the clock it answers stops."""
    if (given.text is None) == (given.evidence_id is None):
        raise Invalid(errors=(FieldError("body#/text", "either the words or their evidence"),))
    now = await effective_now(uow.sql, uow.now)
    task = await load(uow.sql, ACTS, actor, task_id)
    evidence_id = given.evidence_id
    if evidence_id is None:
        content, store = (given.text or "").encode(), evidence.store_of(uow.database.settings)
        evidence_id = await evidence.keep(
            uow, store, task.client_id, given.channel, content, "text/plain; charset=utf-8"
        )
    written = Reply(given.at, given.channel, evidence_id, given.answers, tuple(given.concerned), given.profile)
    task, on_the_day = await replies.record(uow, task_id, written, now)
    return Replied(task=shown(task), evidence_id=evidence_id, on_the_day=on_the_day)
