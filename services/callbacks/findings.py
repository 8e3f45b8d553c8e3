"""Findings of conduct (执业行为问题): an answer that shows misconduct reaches compliance the same day, and nobody it
concerns [B5, B6, C28]."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid5

import asyncpg

from chassis.personal import mask_text
from chassis.uow import UnitOfWork
from contracts.callbacks import FindingRaised
from services.callbacks import contacts
from services.callbacks.rules import CALLBACKS
from services.callbacks.scripts import Question
from services.callbacks.tables import Task


async def raise_for(
    uow: UnitOfWork,
    task: Task,
    attempt_id: UUID,
    found: Sequence[Question],
    named: Sequence[str],
    at: datetime,
) -> list[UUID]:
    """A finding for each answer that shows misconduct. Concerned: whoever was named, else everybody tied to the
    client: it is not for the caller to guess which of them it was."""
    ties = (await contacts.ties_of(uow.sql, [task.client_id]))[task.client_id]
    people = set(named) or {
        person for person in (ties.opener, ties.referrer, ties.manager, *ties.former_managers) if person
    }
    made = []
    for question in found:
        key = uuid5(CALLBACKS, f"finding/{attempt_id}/{question.code}")
        await keep(
            uow,
            key,
            client_id=task.client_id,
            branch_id=task.branch_id,
            task_id=task.task_id,
            attempt_id=attempt_id,
            kind=question.finding,
            question=question.code,
            concerned=sorted(people),
            at=at,
            notes=None,
        )
        made.append(key)
    return made


async def keep(
    uow: UnitOfWork,
    finding_id: UUID,
    *,
    client_id: str,
    branch_id: str | None,
    task_id: UUID | None,
    attempt_id: UUID | None,
    kind: str,
    question: str | None,
    concerned: Sequence[str],
    at: datetime,
    notes: str | None,
) -> None:
    """Keep one finding and tell compliance of it. It is not in the audit trail by its content: that is read more widely."""
    new = await uow.sql.fetchval(
        """INSERT INTO findings (finding_id, client_id, branch_id, task_id, attempt_id, kind, question, concerned,
                                 raised_at, raised_by, notes)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING true""",
        finding_id,
        client_id,
        branch_id,
        task_id,
        attempt_id,
        kind,
        question,
        list(concerned),
        at,
        uow.actor.person,
        mask_text(notes) if notes else None,
    )
    if not new:
        return
    uow.happened_at = at
    uow.audit("finding_raised", f"finding/{finding_id}", key=client_id)
    uow.emit(
        FindingRaised(
            finding_id=finding_id,
            client_id=client_id,
            task_id=task_id,
            branch_id=branch_id,
            kind=kind,
            concerned=list(concerned),
            raised_at=at,
        )
    )


async def listed(sql: asyncpg.Connection, reader: str, after: datetime | None, limit: int) -> list[asyncpg.Record]:
    """Findings, newest first, without those that concern the reader."""
    return list(
        await sql.fetch(
            """SELECT * FROM findings WHERE NOT ($1::text = ANY(concerned)) AND ($2::timestamptz IS NULL OR raised_at < $2)
               ORDER BY raised_at DESC, finding_id LIMIT $3""",
            reader,
            after,
            limit,
        )
    )
