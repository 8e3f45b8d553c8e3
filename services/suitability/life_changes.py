"""Changes of life that a client states [Q5]: a new questionnaire is due, and after that day nothing is bought without one."""

from datetime import date, timedelta
from typing import Literal

from chassis.rows import columns
from chassis.timeline import today
from chassis.uow import UnitOfWork
from contracts.suitability import ReassessmentRequested
from services.suitability.policy import Policies
from services.suitability.stated import CHANGE, sealed
from services.suitability.tables import LifeChange

Change = Literal["income", "assets", "family", "health", "occupation", "objective", "experience", "other"]


async def state(uow: UnitOfWork, client: str, branch_id: str | None, change: Change) -> tuple[date, date]:
    """State a change today; the same one once a day. Returns today and by when a new questionnaire is due.

    Which change it was is said nowhere but here, under the client's key: neither in the event nor in the sealed audit.
    """
    day = await today(uow.sql)
    due_on = day + timedelta(days=(await uow.policies(Policies)).on(day).life_change_days)
    new = await uow.sql.fetchval(
        f"""INSERT INTO life_changes ({columns(LifeChange)}) VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT DO NOTHING RETURNING 1""",
        client, day, await sealed(uow, client, CHANGE, change), branch_id, due_on, uow.actor.person, uow.now,
    )  # fmt: skip
    if new:
        uow.emit(ReassessmentRequested(client_id=client, branch_id=branch_id, due_on=due_on))
        uow.audit("state life change", f"client/{client}", key=client)
    return day, due_on
