"""What every route here shares: who may call, and how a case is shown."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.acts import ActView
from chassis.errors import Conflict, Text
from services.complaints.tables import CaseRow

BRANCH = (Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER)
CENTRE = (Role.HQ, Role.COMPLIANCE)
STAFF = (*BRANCH, *CENTRE)
READERS = (*STAFF, Role.OPERATIONS, Role.SYSTEM)


class NotOver(Conflict):
    """The period is not over, or its last day is not closed: its figures are not final."""

    title = Text("The period is not closed", "该期间尚未关闭")


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
    owner: str | None
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


class CaseInFull(Case):
    """A case, with what the caller can do to it now, and for the rest why not."""

    acts: list[ActView]


def shown(actor: Actor, case: CaseRow) -> Case:
    """A case as the caller sees it: a client is told no name of staff."""
    return Case.model_validate(told_to(actor, case))


def told_to(actor: Actor, case: CaseRow) -> dict[str, Any]:
    """The columns of a case that the caller reads."""
    known = msgspec.structs.asdict(case)
    return known | {"owner": None, "offered_to": None} if actor.role is Role.CLIENT else known
