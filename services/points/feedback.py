"""What clients say of the points service (003, 服务反馈): a score and, where they want, words."""

from datetime import date
from uuid import UUID

import asyncpg
import msgspec
from uuid_utils import uuid7

from chassis import rows
from chassis.actor import Actor
from chassis.personal import mask_text
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from services.points.tables import FeedbackRow


async def give(uow: UnitOfWork, client_id: str, branch_id: str | None, score: int, words: str) -> FeedbackRow:
    """Keep one word; what names or reaches a person is masked."""
    at = await effective_now(uow.sql, uow.now)
    one = FeedbackRow(UUID(bytes=uuid7().bytes), client_id, branch_id, score, mask_text(words), at)
    await uow.sql.execute(
        f"INSERT INTO feedback ({rows.columns(FeedbackRow)}) VALUES ($1, $2, $3, $4, $5, $6)",
        *msgspec.structs.astuple(one),
    )
    uow.audit("points.feedback", f"feedback/{one.feedback_id}", key=client_id, score=score)
    return one


async def given(
    sql: asyncpg.Connection, actor: Actor, since: date, until: date, after: UUID | None, limit: int
) -> list[FeedbackRow]:
    """What was said in a span of days, newest first; of a branch its own."""
    return await rows.fetch(
        sql,
        FeedbackRow,
        f"""SELECT {rows.columns(FeedbackRow)} FROM feedback
            WHERE (at AT TIME ZONE 'Asia/Shanghai')::date BETWEEN $1 AND $2
              AND ($3::text IS NULL OR branch_id = $3) AND ($4::uuid IS NULL OR feedback_id < $4)
            ORDER BY feedback_id DESC LIMIT $5""",
        since,
        until,
        None if actor.sees_all_branches else actor.branch_id or "",
        after,
        limit,
    )
