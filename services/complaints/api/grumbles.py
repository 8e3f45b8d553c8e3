"""Grumbles (抱怨) heard in any contact: pre-complaints, never counted as nothing [A33]."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel
from uuid_utils import uuid7

from chassis.actor import Actor
from chassis.http import Listing, Page, Reading, Work, object_scope, permits, router
from contracts.classification import TierCode
from contracts.fields import Identifier
from services.complaints import cases, grumbles
from services.complaints.api.shapes import STAFF
from services.complaints.forms import Entered, Name, Words

routes = router("/v1/complaints/pre-complaints", "complaints")
Handler = Annotated[Actor, permits("complaints.cases:handle", *STAFF)]


class Grumble(Entered):
    """A grumble (抱怨). `tier` is only asked where the platform does not know it."""

    client_id: Name
    mood: Literal["calm", "annoyed", "angry"]
    words: Words
    tier: TierCode | None = None


class Heard(BaseModel):
    """What was kept; `signal` when it means the client may leave."""

    id: UUID
    signal: Literal["churn"] | None


@routes.post("", status_code=201)
async def hear_grumble(actor: Handler, uow: Work, body: Grumble) -> Heard:
    """Log a grumble: two in 30 days, or one of a platinum client or above, are a signal; none is counted as nothing.

    A signal asks for a care call, once while it is fresh. Grumbles recorded later count at the time they were heard.
    """
    made = UUID(bytes=uuid7().bytes)
    signal = await grumbles.keep(
        uow, made, body.client_id, cases.moment(uow, body.at), actor.person, body.mood, body.words, body.tier,
        actor.branch_id,
    )  # fmt: skip
    return Heard(id=made, signal=signal)


class PreComplaint(BaseModel):
    """A grumble as it was kept; its words are masked."""

    id: UUID
    client_id: str
    branch_id: str | None
    heard_at: datetime
    heard_by: str
    mood: str
    words: str
    tier: str | None
    signal: str | None


@routes.get("")
async def read_grumbles(
    actor: Handler, sql: Reading, page: Page, client: Identifier | None = None
) -> Listing[PreComplaint]:
    """Grumbles the caller may see, newest first."""
    scope, arguments = object_scope(actor, 5, centre=True)
    after = page.after or (None, None)
    rows = await sql.fetch(
        f"""SELECT * FROM pre_complaints WHERE ($1::text IS NULL OR client_id = $1) AND {scope}
              AND ($2::timestamptz IS NULL OR (heard_at, id) < ($2, $3::uuid))
            ORDER BY heard_at DESC, id DESC LIMIT $4""",
        client,
        datetime.fromisoformat(after[0]) if after[0] else None,
        UUID(after[1]) if after[1] else None,
        page.limit + 1,
        *arguments,
    )
    found = page.result(
        [PreComplaint.model_validate(dict(row)) for row in rows], lambda one: (one.heard_at.isoformat(), str(one.id))
    )
    return Listing[PreComplaint].model_validate(found)
