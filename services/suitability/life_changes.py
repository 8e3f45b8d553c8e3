"""Changes of life that a client states [Q5]: a new questionnaire is due, and after that day nothing is bought without one."""

from datetime import date, timedelta
from typing import Any, Literal

from chassis.personal.keys import Value
from chassis.personal.reading import reveal
from chassis.rows import columns, fetch
from chassis.timeline import today
from chassis.uow import UnitOfWork
from contracts.suitability import ReassessmentRequested
from services.suitability.policy import Policies
from services.suitability.stated import CHANGE, sealed
from services.suitability.tables import LifeChange
from services.suitability.vulnerability import ACTS_ON_IT

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


async def read(uow: UnitOfWork, client: str, purpose: str) -> list[dict[str, Any]]:
    """What a client stated, oldest first, with which change it was for whoever acts on it; each read is recorded.

    Raises: Unavailable while the keys cannot be had.
    """
    rows = await fetch(
        uow.sql,
        LifeChange,
        f"SELECT {columns(LifeChange)} FROM life_changes WHERE client_id = $1 ORDER BY stated_on, at, change",
        client,
    )
    acts_on_it = uow.actor.role in ACTS_ON_IT
    fields = {str(place): Value(client, CHANGE, row.change) for place, row in enumerate(rows) if acts_on_it}
    known = await reveal(uow, f"client/{client}", fields, purpose, in_full=acts_on_it, key=client)
    return [
        {"stated_on": row.stated_on, "change": known.get(str(place)), "due_on": row.due_on, "stated_by": row.stated_by}
        for place, row in enumerate(rows)
    ]
