"""HTTP in: manual adjustments and points for suggestions, with maker and checker. Points are decimal strings."""

from typing import Annotated

from fastapi import Query
from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.http import Listing, Once, Reading, Work, permits, router
from chassis.http.approvals import ApprovalView, view
from chassis.http.language import Language
from contracts.fields import Amount, BusinessDate, Code, Id, Identifier, Text500
from services.points import adjustments, suggestions
from services.points.accounts import as_amount
from services.points.api import seen

routes = router("/v1/points", "points")
Maker = Annotated[
    Actor, permits("points:adjust", Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ)
]  # fmt: skip
Watcher = Annotated[Actor, permits("points:adjustments", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)]


class Adjustment(BaseModel, extra="forbid"):
    """Points to give, or to take out where they are below zero; a reason of the policy, why, and the document it rests on."""

    points: Amount
    reason: Code
    why: Text500
    attachment: Identifier


class Suggestion(BaseModel, extra="forbid"):
    """A suggestion that was adopted, and why it deserves points."""

    suggestion_id: Id
    why: Text500


class AdjustedSum(BaseModel):
    """What one person had posted in one branch, by size in points."""

    made_by: str
    branch_id: str | None
    size: str
    count: int
    raised: str
    lowered: str


@routes.post("/clients/{client_id}/adjustments", status_code=202)
async def ask_for_adjustment(
    actor: Maker, uow: Work, _once: Once, client_id: Identifier, wanted: Adjustment, accept_language: Language = ""
) -> ApprovalView:
    """Ask for an adjustment: it is posted once another person agrees, within the limits of both their roles."""
    row = await seen(actor, uow.sql, client_id)
    points = int(wanted.points * 100)
    asked = await adjustments.ask(
        uow, client_id, row["branch_id"], points, wanted.reason, wanted.why, wanted.attachment
    )
    return view("points", adjustments.ADJUSTMENT, asked, accept_language)


@routes.post("/clients/{client_id}/suggestions", status_code=202)
async def propose_reward(
    actor: Maker, uow: Work, _once: Once, client_id: Identifier, adopted: Suggestion, accept_language: Language = ""
) -> ApprovalView:
    """Propose points for a suggestion: they are posted once another person agrees, once for each suggestion."""
    row = await seen(actor, uow.sql, client_id)
    asked = await suggestions.propose(uow, client_id, row["branch_id"], str(adopted.suggestion_id), adopted.why)
    return view("points", suggestions.SUGGESTION, asked, accept_language)


@routes.get("/adjustments")
async def sum_adjustments(
    actor: Watcher,
    sql: Reading,
    since: Annotated[BusinessDate, Query(description="the first day")],
    until: Annotated[BusinessDate, Query(description="the last day")],
) -> Listing[AdjustedSum]:
    """Statistics of adjustments by maker, branch and size: who adjusts how much."""
    found = await adjustments.sums(sql, actor, since, until)
    return Listing[AdjustedSum](
        items=[
            AdjustedSum(
                made_by=one.made_by, branch_id=one.branch_id, size=one.size, count=one.count,
                raised=str(as_amount(one.raised)), lowered=str(as_amount(one.lowered)),
            )
            for one in found
        ]
    )  # fmt: skip
