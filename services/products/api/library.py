"""HTTP in: the library. Staff look at products and move them; each move takes a second person."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.acts import ActView, HistoryStep, history, load, perform, possible
from chassis.http import Reading, Work, etag, permits, router
from contracts.fields import Code, Text500
from services.products.library import ACTS

routes = router("/v1/products", "products")
Looker = Annotated[Actor, permits("products:library", *(role for role in Role if role is not Role.CLIENT))]
Keeper = Annotated[Actor, permits("products:library:move", Role.HQ, Role.COMPLIANCE)]
Move = Literal["review", "put_on_shelf", "suspend", "take_off", "redraft"]


class Why(BaseModel, extra="forbid"):
    """Why it is moved."""

    reason: Text500


class LibraryItem(BaseModel):
    """Where a product stands, what the caller can do, and how it came there."""

    product: str
    state: str
    since: date
    revision: int
    acts: list[ActView]
    history: list[HistoryStep]
    approval_id: UUID | None = None


@routes.get("/library/{product}")
async def read_product(actor: Looker, sql: Reading, product: Code, response: Response) -> LibraryItem:
    """Where a product stands."""
    row = await load(sql, ACTS, actor, product)
    response.headers["etag"] = etag(row.revision)
    return LibraryItem(
        product=row.product, state=row.state, since=row.since, revision=row.revision,
        acts=await possible(sql, ACTS, actor, row), history=await history(sql, ACTS, actor, row),
    )  # fmt: skip


@routes.post("/library/{product}/{move}", status_code=202)
async def move_product(
    actor: Keeper, uow: Work, product: Code, move: Move, why: Why, response: Response
) -> LibraryItem:
    """Ask for a move of a product: it is done when another person agrees [S7]."""
    done = await perform(uow, getattr(ACTS, move), product, why)
    assert done.approval is not None
    response.headers["location"] = f"/v1/products/approvals/{done.approval.approval_id}"
    row = done.row
    return LibraryItem(
        product=row.product, state=row.state, since=row.since, revision=row.revision,
        acts=await possible(uow.sql, ACTS, actor, row), history=await history(uow.sql, ACTS, actor, row),
        approval_id=done.approval.approval_id,
    )  # fmt: skip
