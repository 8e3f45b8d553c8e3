"""Time in: limits of minutes that run out, surveys nobody answered, abandoned leases."""

from collections.abc import Sequence
from uuid import UUID

from chassis.clock import business_date
from chassis.deadlines import Due
from chassis.uow import UnitOfWork
from services.callbacks.tasks import TaskStep, expire_at, record


async def follow_surveys(due: Sequence[Due], uow: UnitOfWork) -> None:
    """Nobody answered the e-survey in time: a letter follows [B20]."""
    for one in due:
        row = await uow.sql.fetchrow(
            """UPDATE tasks SET channel = 'letter', revision = revision + 1
               WHERE task_id = $1 AND state = 'exhausted' AND channel = 'e_survey'
               RETURNING task_id, client_id, policy""",
            UUID(one.object.removeprefix("task/")),
        )
        if row:
            step = TaskStep(
                row["task_id"],
                row["client_id"],
                business_date(one.due),
                "exhausted",
                "exhausted",
                "survey_unanswered",
                {"channel": "letter"},
                row["policy"],
                one.at,
            )
            record(uow, [step])


async def expire_tasks(due: Sequence[Due], uow: UnitOfWork) -> None:
    """Limits of minutes that ran out [B16, C24]."""
    await expire_at(uow, [UUID(one.object.removeprefix("task/")) for one in due])
