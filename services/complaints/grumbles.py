"""Grumbles (抱怨) heard in any contact: pre-complaints, never counted as nothing [A33]."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from chassis.clock import business_date
from chassis.uow import UnitOfWork
from contracts.complaints import ChurnSignalled
from contracts.relationships import GrumbleHeard
from services.complaints import cases
from services.complaints.followed_histories import GRUMBLE_TIERS, tier_on

IN_SERVICE_LOG = "relationships"
"""Who heard what the service log tells: the log knows, and keeps the words."""


async def keep_heard(events: Sequence[GrumbleHeard], uow: UnitOfWork) -> None:
    """Grumbles entered in the service log, each once."""
    for one in events:
        await keep(uow, one.contact_id, one.client_id, one.heard_at, IN_SERVICE_LOG, one.mood, "")


async def keep(
    uow: UnitOfWork, made: UUID, client_id: str, at: datetime, heard_by: str, mood: str, words: str,
    given_tier: str | None = None, given_branch: str | None = None,
) -> Literal["churn"] | None:  # fmt: skip
    """Keep a grumble: two in 30 days, or one of a platinum client or above, are a signal; none is counted as nothing.

    A signal asks for a care call, once while it is fresh. Grumbles recorded later count at the time they were heard.
    """
    limits = await cases.limits_of(uow, at)
    # Two who hear the same client at once see each other's.
    await uow.sql.execute("SELECT pg_advisory_xact_lock(hashtextextended('grumbles ' || $1, 0))", client_id)
    near = await uow.sql.fetchrow(
        """SELECT count(*) AS others, count(signal) AS signals FROM pre_complaints
           WHERE client_id = $1 AND heard_at > $2::timestamptz - make_interval(days => $3)
             AND heard_at < $2::timestamptz + make_interval(days => $3) AND id <> $4""",
        client_id,
        at,
        limits.grumble_days,
        made,
    )
    assert near is not None
    branch = await uow.sql.fetchval("SELECT branch_id FROM clients WHERE client_id = $1", client_id) or given_branch
    tier = await tier_on(uow.sql, client_id, business_date(at)) or given_tier
    reason: Literal["repeated", "tier"] | None = None
    if tier in GRUMBLE_TIERS:
        reason = "tier"
    elif near["others"] + 1 >= limits.grumbles:
        reason = "repeated"
    kept = await uow.sql.fetchval(
        """INSERT INTO pre_complaints (id, client_id, branch_id, heard_at, heard_by, mood, words, signal, tier)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING id""",
        made,
        client_id,
        branch,
        at,
        heard_by,
        mood,
        words,
        "churn" if reason else None,
        tier,
    )
    if kept is None:
        return None
    uow.audit("hear grumble", f"pre-complaint/{made}", key=client_id, mood=mood, signal=reason)
    if reason and not near["signals"]:
        uow.emit(
            ChurnSignalled(
                signal_id=made, client_id=client_id, branch_id=branch, reason=reason, mood=mood, signalled_at=at
            ),
            at=at,
        )  # fmt: skip
    return "churn" if reason else None
