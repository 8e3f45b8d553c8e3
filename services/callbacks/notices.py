"""High-risk permissions (创业板 and the like): a notice to those for whom they are risky, and to nobody else [B7]."""

from collections.abc import Sequence

from chassis.clock import business_date
from chassis.uow import UnitOfWork
from contracts.broker import PermissionRequested
from services.callbacks import tasks
from services.callbacks.obligations import Obligation
from services.callbacks.policy import Policies
from services.callbacks.rules import notice_reasons

LEVELS = ("VERY_LOW", "LOW", "MEDIUM", "MEDIUM_HIGH", "HIGH", "VERY_HIGH")
"""Risk levels in rising order; a level of another scheme's wording counts as below any."""


async def consider(uow: UnitOfWork, requests: Sequence[PermissionRequested]) -> None:
    """Make a notice for each request that is risky for its client, with the reasons found."""
    policies = await uow.policies(Policies)
    uow.happened_at = max(record.time for record in uow.records(PermissionRequested))
    owed: list[Obligation] = []
    for request in requests:
        day = business_date(request.at)
        row = await uow.sql.fetchrow(
            """SELECT c.branch_id, c.birth_date, c.experience_years, c.closed_on,
                      (SELECT level FROM assessments a WHERE a.client_id = $1 AND a.valid_from <= $2
                          AND a.valid_until >= $2 ORDER BY a.valid_from DESC, a.assessment_id DESC LIMIT 1) AS level
               FROM (SELECT $1::text AS client_id) one LEFT JOIN clients c USING (client_id)""",
            request.client_id,
            day,
        )
        assert row is not None
        reasons = notice_reasons(
            request.permission,
            policies.notices.on(day).body,
            on=day,
            level=row["level"],
            levels=LEVELS,
            birth_date=row["birth_date"],
            experience_years=row["experience_years"],
        )
        if not reasons or (row["closed_on"] and row["closed_on"] <= day):
            continue
        cause = {"permission": request.permission, "reasons": reasons, "level": row["level"], "at": request.at}
        owed.append(
            Obligation(
                client_id=request.client_id,
                rule="permission",
                period=f"{request.permission}/{day.isoformat()}",
                created_on=day,
                found_on=day,
                branch_id=row["branch_id"],
                cause=cause,
                begun_at=request.at,
            )
        )
    await tasks.make(uow, owed)
