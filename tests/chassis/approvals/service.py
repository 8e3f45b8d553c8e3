"""Two small services whose credit limits two persons change."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from chassis import approvals
from chassis.actor import Actor, Role
from chassis.approvals import Approval, ApprovalKind, by
from chassis.errors import Text
from chassis.http import Work, permits, router
from chassis.service import Service
from chassis.staff import CALL_CENTRE
from chassis.tables import new_metadata
from chassis.uow import UnitOfWork
from contracts.broker import ClientOpened

ENDED: list[tuple[str, str]] = []


async def present(uow: UnitOfWork, approval: Approval) -> dict[str, Any]:
    """What the limit is now."""
    amount = await uow.sql.fetchval(
        "SELECT amount FROM limits WHERE client_id = $1 FOR UPDATE", approval.body["client_id"]
    )
    return {"amount": amount}


async def put_in_place(uow: UnitOfWork, approval: Approval) -> None:
    """Change the limit."""
    await uow.sql.execute(
        "UPDATE limits SET amount = $2, changes = changes + 1 WHERE client_id = $1",
        approval.body["client_id"],
        approval.after["amount"],
    )


async def note_ended(uow: UnitOfWork, approval: Approval) -> None:
    """Remember what was not done."""
    ENDED.append((approval.object, approval.state))


LIMIT = ApprovalKind(
    "limit",
    Text("A client's limit", "客户额度"),
    decides=by(Role.BRANCH_MANAGER, Role.HQ, seats={CALL_CENTRE}),
    apply=put_in_place,
    days=7,
    ended=note_ended,
    present=present,
)


class Asked(BaseModel):
    """A limit to change, and whom it is about."""

    client_id: str
    amount: int
    branch_id: str | None = "B1"
    concerned: list[str] = []


def routes_of(name: str) -> APIRouter:
    """The one route of a service: ask."""
    routes = router(f"/v1/{name}", name)

    @routes.post("/limits", status_code=202)
    async def ask(_: Annotated[Actor, permits("limits:ask", *Role)], uow: Work, wanted: Asked) -> dict[str, UUID]:
        asked = await approvals.ask(
            uow,
            LIMIT,
            f"limit/{wanted.client_id}",
            body={"client_id": wanted.client_id},
            why="more business",
            after={"amount": wanted.amount},
            client_id=wanted.client_id,
            branch_id=wanted.branch_id,
            concerned=wanted.concerned,
        )
        return {"approval_id": asked.approval_id}

    return routes


async def let_be(events: Sequence[ClientOpened], uow: UnitOfWork) -> None:
    """Who hears anything hears of the timeline too."""


def service_named(name: str) -> Service:
    """One of the services."""
    return Service(
        name=name,
        tables=new_metadata(),
        migrations=Path(__file__).parent / "limits",
        routes=routes_of(name),
        listens={ClientOpened: let_be},
        waits_for=(),
        approvals=[LIMIT],
    )


EAST, WEST = service_named("east"), service_named("west")
