"""Suggestions (合理化建议) that were adopted earn points, once each [P3, C12]: complaints says so, or two persons of staff."""

from collections.abc import Sequence
from datetime import date

from chassis import approvals
from chassis.actor import Role
from chassis.approvals import Approval, ApprovalKind, by
from chassis.clock import business_date
from chassis.errors import Conflict, Text
from chassis.timeline import today
from chassis.uow import UnitOfWork
from contracts.complaints import SuggestionAdopted
from services.points import bonuses, rules
from services.points.accounts import as_amount
from services.points.policy import Policies
from services.points.tables import BonusRow
from services.points.trades import Cause


class AlreadyRewarded(Conflict):
    """This suggestion has earned its points, for this client or another one."""

    title = Text("Already rewarded", "该建议已奖励")


async def reward_adopted(adopted: Sequence[SuggestionAdopted], uow: UnitOfWork) -> None:
    """Points for ideas that complaints says were adopted; a case without a client earns none."""
    wanted: dict[str, BonusRow] = {}
    causes: dict[str, Cause] = {}
    for event, record in zip(adopted, uow.records(SuggestionAdopted), strict=True):
        if event.client_id is not None:
            one = await _bonus(uow, event.client_id, str(event.suggestion_id), business_date(event.adopted_at))
            wanted[one.item] = one
            causes[event.client_id] = Cause.of(record)
    # One that two persons rewarded before keeps the day it was rewarded on.
    known = await _rewarded(uow, list(wanted))
    left = [one for item, one in wanted.items() if item not in known]
    if left:
        await bonuses.bring(uow, left, causes)


async def propose(uow: UnitOfWork, client_id: str, branch_id: str | None, suggestion_id: str, why: str) -> Approval:
    """Propose points for a client's suggestion; another person agrees.

    Raises: AlreadyRewarded.
    """
    await _require_new(uow, suggestion_id)
    points = (await uow.policies(Policies)).bonuses.on(await today(uow.sql)).body.suggestion
    after = {"suggestion_id": suggestion_id, "points": str(as_amount(points))}
    return await approvals.ask(
        uow, SUGGESTION, f"suggestion/{suggestion_id}", body={"suggestion_id": suggestion_id}, why=why, after=after,
        client_id=client_id, branch_id=branch_id,
    )  # fmt: skip


async def _award(uow: UnitOfWork, approval: Approval) -> None:
    client, suggestion_id = approval.client_id, approval.body["suggestion_id"]
    assert client is not None
    await _require_new(uow, suggestion_id)
    day = await today(uow.sql)
    await bonuses.bring(uow, [await _bonus(uow, client, suggestion_id, day)], {client: Cause(approval.object, day)})


SUGGESTION = ApprovalKind(
    "suggestion",
    Text("Points for a suggestion", "合理化建议奖励"),
    decides=by(Role.BRANCH_MANAGER, Role.HQ),
    apply=_award,
)


async def _require_new(uow: UnitOfWork, suggestion_id: str) -> None:
    if await _rewarded(uow, [f"suggestion/{suggestion_id}"]):
        raise AlreadyRewarded


async def _rewarded(uow: UnitOfWork, items: Sequence[str]) -> set[str]:
    rows = await uow.sql.fetch("SELECT item FROM bonuses WHERE item = ANY($1::text[])", list(items))
    return {row["item"] for row in rows}


async def _bonus(uow: UnitOfWork, client_id: str, suggestion_id: str, day: date) -> BonusRow:
    policies = await uow.policies(Policies)
    version = policies.bonuses.on(day)
    ends_on = rules.lot_end(policies.points, day)
    return BonusRow(client_id, f"suggestion/{suggestion_id}", day, version.body.suggestion, ends_on, version.name, None)
