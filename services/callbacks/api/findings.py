"""Findings over HTTP: for compliance alone, and never for whom they concern."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field
from uuid_utils.compat import uuid7

from chassis.http import Once, Reading, Work, router
from chassis.http.persons import PersonId
from chassis.timeline import effective_now
from contracts.fields import Code, Identifier, Instant, text_of
from services.callbacks import findings
from services.callbacks.api.access import Officer, Server

routes = router("/v1/callbacks/findings", "callbacks findings")


class Finding(BaseModel):
    """Possible misconduct found in a callback [B5]."""

    finding_id: UUID
    client_id: str
    branch_id: str | None
    task_id: UUID | None
    kind: str
    question: str | None
    concerned: list[str]
    raised_at: datetime
    raised_by: str
    notes: str | None


class Suspicion(BaseModel):
    """What a member of staff noticed outside a script's questions."""

    client_id: Identifier
    branch_id: Identifier | None = None
    kind: Code
    concerned: list[PersonId] = Field(max_length=20)
    notes: Annotated[str, text_of(4000, 5)]


class Raised(BaseModel):
    """The new finding's id; more is not told to whoever raised it."""

    finding_id: UUID


@routes.get("")
async def list_findings(actor: Officer, sql: Reading, before: Instant | None = None) -> list[Finding]:
    """Findings, newest first, up to 200, without those that concern the caller."""
    rows = await findings.listed(sql, actor.person, before, 200)
    return [Finding.model_validate(dict(row)) for row in rows]


@routes.post("", status_code=201)
async def raise_finding(actor: Server, uow: Work, once: Once, given: Suspicion) -> Raised:
    """Tell compliance of something noticed."""
    finding_id = uuid7()
    await findings.keep(
        uow,
        finding_id,
        client_id=given.client_id,
        branch_id=given.branch_id,
        task_id=None,
        attempt_id=None,
        kind=given.kind,
        question=None,
        concerned=given.concerned,
        at=await effective_now(uow.sql, uow.now),
        notes=given.notes,
    )
    return Raised(finding_id=finding_id)
