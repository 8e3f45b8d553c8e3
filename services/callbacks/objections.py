"""Who is not to be called (勿扰): how far, why, until when, and on whose word [B20]. What is owed then is owed by another channel."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from chassis.errors import NotFound
from chassis.http.objects import object_scope
from chassis.personal import mask_text
from chassis.uow import UnitOfWork
from services.callbacks.policy import Policies

ALL, CARE = "all", "care"
"""All calls, or all but those that have to be made: of compliance and about complaints."""
ASKED_FOR = "'{missed_call,booking,enquiry}'"
"""Rules by which a client is called because they called, booked or wrote: no objection holds that back [B20]."""
IN_FORCE = "o.ended_at IS NULL AND (o.until IS NULL OR o.until >= {day})"


def must_be_made(policies: Policies) -> list[str]:
    """The rules whose calls have to be made whoever asked for none but the necessary ones: those with avoidance [B10]."""
    return sorted({rule for version in policies.triggers.all for rule, one in version.body.items() if one.avoidance})


def against(task: str, now: str, must: str) -> str:
    """SQL: whether the client of a task is not to be called about it, at an instant."""
    day = f"({now} AT TIME ZONE 'Asia/Shanghai')::date"
    return f"""({task}.channel = 'phone' AND {task}.rule <> ALL({ASKED_FOR}) AND EXISTS (
        SELECT FROM objections o WHERE o.client_id = {task}.client_id AND {IN_FORCE.format(day=day)}
          AND (o.scope = 'all' OR {task}.rule <> ALL({must}::text[]))))"""


async def place(
    uow: UnitOfWork, client_id: str, scope: str, reason: str, until: date | None = None, *, once: bool = False
) -> UUID | None:
    """Keep an objection; with `once` only where none so far is in force."""
    found: UUID | None = await uow.sql.fetchval(
        """INSERT INTO objections (objection_id, client_id, scope, reason, until, since, recorded_by)
           SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT $8 OR NOT EXISTS (
               SELECT FROM objections WHERE client_id = $2 AND scope = $3 AND ended_at IS NULL AND until IS NULL)
           RETURNING objection_id""",
        uuid7(), client_id, scope, mask_text(reason), until, uow.happened_at, uow.actor.person, once,
    )  # fmt: skip
    if found is not None:
        uow.audit("objection_placed", f"client/{client_id}", key=client_id, scope=scope, until=until)
    return found


async def end(uow: UnitOfWork, client_id: str, reason: str, objection_id: UUID | None = None) -> int:
    """End an objection, or all of a client's, with the reason. How many it was."""
    rows = await uow.sql.fetch(
        """UPDATE objections SET ended_at = $2, ended_by = $3, end_reason = $4
           WHERE client_id = $1 AND ended_at IS NULL AND ($5::uuid IS NULL OR objection_id = $5) RETURNING objection_id""",
        client_id, uow.happened_at, uow.actor.person, mask_text(reason), objection_id,
    )  # fmt: skip
    if rows:
        uow.audit("objection_ended", f"client/{client_id}", key=client_id, objections=len(rows))
    return len(rows)


async def require_client(uow: UnitOfWork, client_id: str) -> None:
    """Refuse a client whom the caller may not see.

    Raises: NotFound.
    """
    scope, arguments = object_scope(uow.actor, 2)
    if not await uow.sql.fetchval(f"SELECT true FROM clients WHERE client_id = $1 AND {scope}", client_id, *arguments):
        raise NotFound


async def listed(
    sql: asyncpg.Connection, branch_id: str | None, ended: bool, day: date, after: Sequence[Any] | None, limit: int
) -> list[asyncpg.Record]:
    """Objections of one branch's clients or of all, the newest first: those in force, or with `ended` all there were."""
    found = await sql.fetch(
        f"""SELECT o.*, c.branch_id, {IN_FORCE.format(day="$3::date")} AS in_force FROM objections o JOIN clients c USING (client_id)
            WHERE ($1::text IS NULL OR c.branch_id = $1) AND ($2 OR {IN_FORCE.format(day="$3::date")})
              AND ($4::text IS NULL OR (o.since, o.objection_id) < ($4::text::timestamptz, $5::text::uuid))
            ORDER BY o.since DESC, o.objection_id DESC LIMIT $6""",
        branch_id, ended, day, *(after or (None, None)), limit,
    )  # fmt: skip
    return list(found)
