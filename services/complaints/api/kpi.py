"""The complaint share and the other KPIs of complaints, by branch and person [C20]."""

from typing import Annotated

from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.http import Reading, permits, router
from contracts.fields import Code
from services.complaints import kpi
from services.complaints.api.shapes import CENTRE
from services.complaints.packs.figures import period_of
from services.complaints.policy import Policies

routes = router("/v1/complaints/kpi", "complaints")
Viewer = Annotated[Actor, permits("complaints.kpi:read", Role.BRANCH_MANAGER, *CENTRE)]


class BranchKpi(BaseModel):
    """A branch's complaints closed in the period. `complaint_share`: of all upheld ones of the firm.

    `in_time`: within the result clock; `told`: the complainant knows the result; `satisfaction`: of those who answered.
    """

    branch_id: str
    closed: int
    upheld: int
    complaint_share: str | None
    in_time: int
    in_time_share: str | None
    told: int
    told_share: str | None
    recorded_late: int = Field(
        0, description="of those closed: in an earlier period, and recorded after its figures were made", examples=[1]
    )
    answered: int
    satisfied: int
    satisfaction: str | None
    core_answered: int
    core_satisfied: int
    core_satisfaction: str | None


class PersonKpi(BaseModel):
    """Upheld complaints about one person. `complaint_share`: of their branch's; `per_hundred_clients` in their care."""

    branch_id: str
    employee: str
    upheld: int
    complaint_share: str | None
    clients: int
    per_hundred_clients: str | None


class Kpi(BaseModel):
    """The KPIs of a month or year; the caller's own branch, or all of them."""

    period: str
    core_satisfaction_target_percent: int
    branches: list[BranchKpi]
    people: list[PersonKpi]


@routes.get("/{period}")
async def read_kpi(actor: Viewer, sql: Reading, period: Code) -> Kpi:
    """The complaint share (投诉占比) of a month (`2009-03`), quarter or year: upheld complaints only, so that none is kept
    out. Figures of a period that was closed never change."""
    wanted = period_of(period)
    policies = await Policies.read(sql)
    branches, people = await kpi.kept(sql, wanted)

    def mine(branch_id: str) -> bool:
        return actor.sees_all_branches or actor.branch_id == branch_id

    return Kpi(
        period=wanted.name,
        core_satisfaction_target_percent=policies.limits.on(wanted.last).body.core_satisfaction_percent,
        branches=[BranchKpi.model_validate(r) for r in branches if mine(r["branch_id"])],
        people=[PersonKpi.model_validate(r) for r in people if mine(r["branch_id"])],
    )
