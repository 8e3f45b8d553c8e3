"""Grumbles (抱怨) heard in any contact: pre-complaints, never counted as nothing [A33]."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel
from uuid_utils import uuid7

from chassis.actor import Actor
from chassis.clock import business_date
from chassis.http import Listing, Page, Reading, Work, object_scope, permits, router
from contracts.classification import TierCode
from contracts.complaints import ChurnSignalled
from contracts.fields import Identifier
from services.complaints import cases
from services.complaints.api.shapes import STAFF
from services.complaints.followed_histories import GRUMBLE_TIERS, tier_on
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
    at = cases.moment(uow, body.at)
    limits = await cases.limits_of(uow, at)
    # Two who hear the same client at once see each other's.
    await uow.sql.execute("SELECT pg_advisory_xact_lock(hashtextextended('grumbles ' || $1, 0))", body.client_id)
    near = await uow.sql.fetchrow(
        """SELECT count(*) AS others, count(signal) AS signals FROM pre_complaints
           WHERE client_id = $1 AND heard_at > $2::timestamptz - make_interval(days => $3)
             AND heard_at < $2::timestamptz + make_interval(days => $3)""",
        body.client_id,
        at,
        limits.grumble_days,
    )
    assert near is not None
    branch = await uow.sql.fetchval("SELECT branch_id FROM clients WHERE client_id = $1", body.client_id)
    tier = await tier_on(uow.sql, body.client_id, business_date(at)) or body.tier
    reason: Literal["repeated", "tier"] | None = None
    if tier in GRUMBLE_TIERS:
        reason = "tier"
    elif near["others"] + 1 >= limits.grumbles:
        reason = "repeated"
    made = UUID(bytes=uuid7().bytes)
    await uow.sql.execute(
        """INSERT INTO pre_complaints (id, client_id, branch_id, heard_at, heard_by, mood, words, signal, tier)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
        made,
        body.client_id,
        branch or actor.branch_id,
        at,
        actor.person,
        body.mood,
        body.words,
        "churn" if reason else None,
        tier,
    )
    uow.audit("hear grumble", f"pre-complaint/{made}", key=body.client_id, mood=body.mood, signal=reason)
    if reason and not near["signals"]:
        uow.emit(
            ChurnSignalled(
                signal_id=made, client_id=body.client_id, branch_id=branch or actor.branch_id, reason=reason,
                mood=body.mood, signalled_at=at,
            ),
            at=at,
        )  # fmt: skip
    return Heard(id=made, signal="churn" if reason else None)


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
