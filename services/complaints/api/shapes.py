"""What every route here shares: field types, who may call, and how a case is shown."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chassis.actor import Role
from chassis.errors import Conflict, Text
from chassis.personal import mask_text
from contracts.fields import BusinessDate, Code, Instant

_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
Name = Code
Label = Annotated[str, Field(min_length=1, max_length=200, pattern=_PRINTABLE)]
Spoken = Annotated[str, Field(min_length=1, max_length=20_000, pattern=r"^[^\x00]+$")]
Words = Annotated[Spoken, AfterValidator(mask_text)]
"""Free text, masked before anything sees it; `Spoken` is what intake keeps encrypted beside the masked form [C29]."""
Day = BusinessDate
PathName = Annotated[str, Path(min_length=1, max_length=64, pattern=_PRINTABLE)]

BRANCH = (Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER)
CENTRE = (Role.HQ, Role.COMPLIANCE)
STAFF = (*BRANCH, *CENTRE)
READERS = (*STAFF, Role.OPERATIONS, Role.SYSTEM)


class NotOver(Conflict):
    """The period is not over, or its last day is not closed: its figures are not final."""

    title = Text("The period is not closed", "该期间尚未关闭")


class Body(BaseModel):
    """A request's body: unknown fields are refused. `at`: when it happened, where it is recorded later."""

    model_config = ConfigDict(extra="forbid")


class Act(Body):
    """An act that may be recorded after it happened."""

    at: Instant | None = None


class Noted(Act):
    """An act with a reason."""

    reason: Words


class Case(BaseModel):
    """A case as it stands; its words are masked."""

    case_id: UUID
    external_ref: str | None
    client_id: str | None
    branch_id: str
    kind: str
    source: str
    channel: str
    flow: str
    severity: str
    category: str
    state: str
    owner: str
    offered_to: str | None
    generation: int
    level: int
    revision: int
    received_at: datetime
    received_on: date
    dispatch_due: datetime | None
    dispatched_at: datetime | None
    dispatch_met: bool | None
    due_on: date | None
    words: str
    product: str | None
    employee: str | None
    script: str | None
    regulator_ref: str | None
    reply_due_on: date | None
    restricted: bool
    imported: bool
    attributes: dict[str, str]
    outcome: str | None
    upheld: bool | None
    closed_at: datetime | None


def shown(row: Any) -> Case:
    """A row as the caller sees it."""
    return Case.model_validate(dict(row))
