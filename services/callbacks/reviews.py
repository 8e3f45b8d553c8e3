"""Quality review (质检) by someone else: sampled by risk, banned phrases listed, reviewer never the caller [A17, B10]."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

import asyncpg

from chassis.errors import Conflict, NotFound, Text
from chassis.personal import mask_text
from chassis.timeline import today
from chassis.uow import UnitOfWork
from services.callbacks import contacts, scripts
from services.callbacks.errors import Excluded
from services.callbacks.policy import CallOutcome, Policies, Quality
from services.callbacks.rules import exclusions
from services.callbacks.tables import Task


class ReviewedBefore(Conflict):
    """Somebody has reviewed this contact already; their word stands."""

    title = Text("Reviewed before", "已完成质检")


def sampling(attempt_id: UUID, topic: str, calls_before: int, flagged: bool, terms: Quality) -> list[str]:
    """Why a contact is reviewed; empty when it is not.

    The draw is a hash of the attempt's id: nobody, the caller least of all, can know or steer it, and it can be repeated.
    """
    reasons = ["flagged"] if flagged else []
    if calls_before < terms.first_calls_of_an_agent:
        reasons.append("first_calls_of_the_agent")
    drawn = Decimal(int.from_bytes(sha256(attempt_id.bytes).digest()[:8], "big")) / Decimal(2**64)
    if drawn < terms.shares.get(topic, terms.other):
        reasons.append(f"sample_of_{topic}")
    return reasons


async def consider(
    uow: UnitOfWork,
    attempt_id: UUID,
    task: Task,
    outcome: CallOutcome,
    answers: Mapping[str, str],
    notes: str,
) -> None:
    """Put a contact on the list of reviews when it is sampled, or when something said in it must not be said."""
    said = " ".join((notes, *answers.values()))
    policies = await uow.policies(Policies)
    phrases = scripts.banned_in(said, policies.script(task.script))
    if not (outcome.reached or phrases):
        return
    agent = uow.actor.person
    before = await uow.sql.fetchval(
        "SELECT count(*) FROM attempts WHERE agent = $1 AND reached AND attempt_id <> $2", agent, attempt_id
    )
    terms = policies.quality.on(await today(uow.sql)).body
    if reasons := sampling(attempt_id, task.topic, before, bool(phrases), terms):
        await uow.sql.execute(
            """INSERT INTO reviews (attempt_id, agent, topic, branch_id, risk, sampled_at, phrases)
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING""",
            attempt_id,
            agent,
            task.topic,
            task.branch_id,
            reasons,
            uow.now,
            phrases,
        )


async def waiting(
    sql: asyncpg.Connection, reviewer: str, sight: str, arguments: Sequence[object], limit: int
) -> list[asyncpg.Record]:
    """Contacts waiting for review, flagged ones first; never one's own, none of tasks out of sight, none whose
    answers led to a finding that concerns the reader [B5].

    `reviewer` is the person, not the sign-in name; `sight` a condition on tasks t whose arguments begin with $3.
    """
    return list(
        await sql.fetch(
            f"""SELECT r.*, a.client_id, a.at, a.outcome, a.evidence_id, a.script, a.answers FROM reviews r
               JOIN attempts a USING (attempt_id) JOIN tasks t USING (task_id)
               WHERE r.reviewer IS NULL AND r.agent <> $1 AND {sight}
                 AND NOT EXISTS (SELECT FROM findings f WHERE f.attempt_id = a.attempt_id AND $1 = ANY(f.concerned))
               ORDER BY jsonb_array_length(r.phrases) > 0 DESC, r.sampled_at, r.attempt_id LIMIT $2""",
            reviewer,
            limit,
            *arguments,
        )
    )


async def judge(
    uow: UnitOfWork,
    reviewer: str,
    sight: str,
    arguments: Sequence[object],
    attempt_id: UUID,
    score: int,
    accepted: bool,
    notes: str,
    at: datetime,
) -> dict[str, Any]:
    """A reviewer's word on a contact: 0 to 100, and whether it counts. `reviewer` and `sight` as in `waiting`.

    One not accepted is no valid contact any more: it leaves coverage.
    Raises: NotFound, ReviewedBefore, Excluded for the caller or whoever avoidance keeps out.
    """
    row = await uow.sql.fetchrow(
        f"""SELECT r.*, a.client_id, t.rule, t.created_on, t.concerned FROM reviews r JOIN attempts a USING (attempt_id)
           JOIN tasks t USING (task_id) WHERE attempt_id = $1 AND $2::int IS NOT NULL AND {sight} FOR UPDATE OF r""",
        attempt_id,
        0,
        *arguments,
    )
    if row is None:
        raise NotFound
    if row["reviewer"] is not None:
        raise ReviewedBefore(by=row["reviewer"])
    trigger, _ = (await uow.policies(Policies)).rule_on(row["rule"], row["created_on"])
    ties = (await contacts.ties_of(uow.sql, [row["client_id"]], {row["client_id"]: row["concerned"]}))[row["client_id"]]
    reasons = exclusions(reviewer, ties, avoidance=trigger.avoidance)
    if reviewer == row["agent"]:
        reasons.append(Text("you made the call yourself", "通话由您本人完成"))
    if reasons:
        raise Excluded(Text("; ".join(r.en for r in reasons), "；".join(r.zh for r in reasons)))
    await uow.sql.execute(
        """UPDATE reviews SET reviewer = $2, reviewed_at = $3, score = $4, accepted = $5, notes = $6
           WHERE attempt_id = $1""",
        attempt_id,
        reviewer,
        at,
        score,
        accepted,
        mask_text(notes) if notes else None,
    )
    if not accepted:
        await uow.sql.execute("UPDATE attempts SET valid = false, covers = false WHERE attempt_id = $1", attempt_id)
    uow.audit(
        "contact_reviewed",
        f"attempt/{attempt_id}",
        key=row["client_id"],
        score=score,
        accepted=accepted,
        agent=row["agent"],
    )
    return {"attempt_id": attempt_id, "score": score, "accepted": accepted}
