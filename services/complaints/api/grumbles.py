"""Grumbles (抱怨) heard in any contact: pre-complaints, never counted as nothing [A33]."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel
from uuid_utils import uuid7

from chassis.actor import Actor
from chassis.http import Work, permits, router
from chassis.personal import mask_text
from services.complaints import cases
from services.complaints.api.shapes import STAFF, Act, Name, Words

routes = router("/v1/complaints/pre-complaints", "complaints")
Handler = Annotated[Actor, permits("complaints.cases:handle", *STAFF)]


class Grumble(Act):
    """A grumble (抱怨) heard in any contact [A33]."""

    client_id: Name
    mood: Literal["calm", "annoyed", "angry"]
    words: Words
    tier: Name | None = None


class Heard(BaseModel):
    """What was kept; `signal` when it means the client may leave."""

    id: UUID
    signal: Literal["churn"] | None


@routes.post("", status_code=201)
async def hear_grumble(actor: Handler, uow: Work, body: Grumble) -> Heard:
    """Log a grumble: two in 30 days, or one of a platinum client or above, are a signal; none is counted as nothing."""
    at = cases.moment(uow, body.at)
    limits = await cases.limits_of(uow, at)
    before: int = await uow.sql.fetchval(
        """SELECT count(*) FROM pre_complaints WHERE client_id = $1 AND heard_at <= $2
             AND heard_at > $2::timestamptz - make_interval(days => $3)""",
        body.client_id,
        at,
        limits.grumble_days,
    )
    signal: Literal["churn"] | None = None
    if before + 1 >= limits.grumbles or body.tier in {"PLATINUM", "DIAMOND"}:
        signal = "churn"
    made = UUID(bytes=uuid7().bytes)
    await uow.sql.execute(
        """INSERT INTO pre_complaints (id, client_id, branch_id, heard_at, heard_by, mood, words, signal)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        made,
        body.client_id,
        actor.branch_id,
        at,
        actor.subject,
        body.mood,
        mask_text(body.words),
        signal,
    )
    uow.audit("hear grumble", f"pre-complaint/{made}", key=body.client_id, mood=body.mood, signal=signal)
    return Heard(id=made, signal=signal)
