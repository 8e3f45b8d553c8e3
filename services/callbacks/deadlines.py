"""Time in: limits of minutes that run out, surveys nobody answered."""

from collections.abc import Sequence
from uuid import UUID

from chassis.acts import perform_each
from chassis.deadlines import Due
from chassis.uow import UnitOfWork
from services.callbacks.acts import ACTS
from services.callbacks.ending import expire_at


def _tasks(due: Sequence[Due]) -> dict[UUID, Due]:
    return {UUID(one.object.removeprefix("task/")): one for one in due}


async def follow_surveys(due: Sequence[Due], uow: UnitOfWork) -> None:
    """Nobody answered the e-survey in time: a letter follows [B20]; what went on after its limit is over [C11]."""
    tasks = _tasks(due)
    at = {key: one.at for key, one in tasks.items()}
    await perform_each(uow, ACTS.write, dict.fromkeys(tasks), at)
    await perform_each(uow, ACTS.run_out, dict.fromkeys(tasks), at)


async def expire_tasks(due: Sequence[Due], uow: UnitOfWork) -> None:
    """Limits of minutes that ran out [B16, C24]."""
    await expire_at(uow, list(_tasks(due)))
