"""The routes of what takes two persons: every service that declares approvals has them."""

from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from chassis import approvals
from chassis.actor import Actor, Role
from chassis.approvals import Approval, ApprovalKind, Wanted
from chassis.clock import utc_now
from chassis.errors import NotFound
from chassis.http.idempotency import router
from chassis.http.language import Language, preferred
from chassis.http.paging import Listing, Page
from chassis.http.permissions import permits
from chassis.http.work import Reading, Work
from chassis.service import Service
from contracts.fields import Code, Id, text_of

State = Literal["waiting", "approved", "refused", "withdrawn", "expired"]
Reader = Annotated[Actor, permits("approvals:read", *Role)]
Decider = Annotated[Actor, permits("approvals:decide", *(role for role in Role if role is not Role.CLIENT))]


class ApprovalView(BaseModel):
    """What somebody asked for that takes a second person, and what became of it."""

    approval_id: UUID
    service: str
    kind: str
    title: str = Field(description="the kind in the language of Accept-Language")
    object: str = Field(description="what it is about: `client/ID`, `case/ID`, ...")
    client_id: str | None
    branch_id: str | None
    why: str
    before: Any = Field(description="what the object was when it was asked")
    after: Any = Field(description="what it becomes")
    body: dict[str, Any]
    state: State
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    because: str | None


class Decision(BaseModel, extra="forbid"):
    """Why it is approved or taken back."""

    because: Annotated[str, text_of(500)] = ""


class Refusal(BaseModel, extra="forbid"):
    """Why it is refused."""

    because: Annotated[str, text_of(500, 1)]


def view(service: str, kind: ApprovalKind, approval: Approval, language: str) -> ApprovalView:
    """An approval as it is shown."""
    values = asdict(approval) | {"state": approval.state_at(utc_now()), "service": service}
    if kind.seals is not None:
        values["because"] = None
    return ApprovalView.model_validate(values | {"title": kind.title.in_language(preferred(language))})


@cache
def approvals_routes(service: Service) -> APIRouter | None:
    """The routes of one service's approvals; None when it declares none."""
    if not service.approvals:
        return None
    routes = router(f"/v1/{service.name}/approvals", "approvals")
    kinds = {kind.name: kind for kind in service.approvals}

    def show(approval: Approval, language: str) -> ApprovalView:
        return view(service.name, kinds[approval.kind], approval, language)

    async def kind_of(uow: Work, approval_id: UUID) -> ApprovalKind:
        name = await uow.sql.fetchval("SELECT kind FROM approvals WHERE approval_id = $1", approval_id)
        if name not in kinds:
            raise NotFound
        return kinds[name]

    @routes.get("")
    async def list_approvals(
        actor: Reader,
        sql: Reading,
        page: Page,
        show_: Annotated[Literal["to_decide", "asked", "all"], Query(alias="show")] = "to_decide",
        kind: Code | None = None,
        object: Code | None = None,
        state: State | None = None,
        after: Annotated[Id | None, Query(description="only those asked after this one")] = None,
        accept_language: Language = "",
    ) -> Listing[ApprovalView]:
        """What waits for the caller, what they asked for, or every approval they may see; in the order they were asked."""
        last = UUID(str(page.after[0])) if page.after else after
        rows = await approvals.listed(
            sql, kinds, actor, Wanted(show_, kind, object, state, after=last, limit=page.limit + 1)
        )
        shown = [show(row, accept_language) for row in rows]
        return Listing[ApprovalView].model_validate(page.result(shown, lambda one: (one.approval_id,)))

    @routes.get("/{approval_id}")
    async def read_approval(
        actor: Reader, sql: Reading, approval_id: Id, accept_language: Language = ""
    ) -> ApprovalView:
        """One approval."""
        return show(await approvals.shown(sql, kinds, actor, approval_id), accept_language)

    @routes.post("/{approval_id}/approve")
    async def grant_approval(
        _: Decider, uow: Work, approval_id: Id, decision: Decision, accept_language: Language = ""
    ) -> ApprovalView:
        """Agree as the second person: what was asked is done."""
        kind = await kind_of(uow, approval_id)
        return show(await approvals.approve(uow, kind, approval_id, decision.because), accept_language)

    @routes.post("/{approval_id}/refuse")
    async def refuse_approval(
        _: Decider, uow: Work, approval_id: Id, refusal: Refusal, accept_language: Language = ""
    ) -> ApprovalView:
        """Refuse as the second person: nothing is done."""
        kind = await kind_of(uow, approval_id)
        return show(await approvals.refuse(uow, kind, approval_id, refusal.because), accept_language)

    @routes.post("/{approval_id}/withdraw")
    async def withdraw_approval(
        _: Reader, uow: Work, approval_id: Id, decision: Decision, accept_language: Language = ""
    ) -> ApprovalView:
        """Take back what the caller asked for."""
        kind = await kind_of(uow, approval_id)
        return show(await approvals.withdraw(uow, kind, approval_id, decision.because), accept_language)

    return routes
