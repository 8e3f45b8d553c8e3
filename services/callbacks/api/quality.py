"""Quality review over HTTP: what waits, and a reviewer's word on it."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel

from chassis.http import Reading, Work, router
from chassis.timeline import effective_now
from contracts.fields import Id, number_of, text_of
from services.callbacks import reviews
from services.callbacks.acts import sight
from services.callbacks.api.access import Leader

routes = router("/v1/callbacks/reviews", "callbacks quality")


class Waiting(BaseModel):
    """A contact to review: why it was sampled and which banned phrases were found."""

    attempt_id: UUID
    client_id: str
    agent: str
    topic: str
    at: datetime
    outcome: str
    evidence_id: str | None
    script: str
    answers: dict[str, Any]
    risk: list[str]
    phrases: list[str]


class Judgement(BaseModel):
    """The reviewer's word: 0 to 100, and whether the contact counts."""

    score: Annotated[int, number_of(0, 100)]
    accepted: bool
    notes: Annotated[str, text_of(2000)] = ""


@routes.get("")
async def list_waiting(actor: Leader, sql: Reading) -> list[Waiting]:
    """Contacts that wait for review, flagged ones first, up to 200; never the caller's own."""
    reviewer = actor.person
    rows = await reviews.waiting(sql, reviewer, *sight(actor, 3), 200)
    return [Waiting.model_validate(dict(row)) for row in rows]


@routes.post("/{attempt_id}")
async def review(actor: Leader, uow: Work, attempt_id: Id, given: Judgement) -> dict[str, Any]:
    """Review a contact, once; one not accepted leaves coverage."""
    now = await effective_now(uow.sql, uow.now)
    reviewer = actor.person
    seen = sight(actor, 3)
    return await reviews.judge(uow, reviewer, *seen, attempt_id, given.score, given.accepted, given.notes, now)
