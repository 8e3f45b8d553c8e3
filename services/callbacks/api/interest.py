"""Subscriptions and clicks over HTTP: the client's own word, or what staff and the app report [B15, B18]."""

from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.errors import NotFound
from chassis.http import Reading, Work, may_see, permits, router
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from contracts.fields import Code, Id, Identifier
from services.callbacks import interest, satisfaction
from services.callbacks.api.access import Day, Leader, Reader, require_client, require_view
from services.callbacks.people import SERVING

routes = router("/v1/callbacks", "callbacks interest")
Interested = Annotated[Actor, permits("callbacks:interest", *SERVING, Role.CLIENT, Role.OPERATIONS, Role.SYSTEM)]


class Way(BaseModel):
    """By which way a column is wanted."""

    channel: Literal["email", "sms"]


class Click(BaseModel):
    """A click on a column; `message_id` when it came from a message."""

    column: Code
    message_id: Id | None = None


@routes.get("/clients/{client_id}/subscriptions")
async def list_subscriptions(actor: Interested, sql: Reading, client_id: Identifier) -> list[dict[str, Any]]:
    """The columns a client asked for."""
    await _require(sql, actor, client_id)
    if actor.role is not Role.CLIENT:
        await require_view(sql, actor, client_id)
    rows = await sql.fetch(
        """SELECT column_code AS column, channel, since, recorded_by FROM subscriptions WHERE client_id = $1
           ORDER BY column_code""",
        client_id,
    )
    return [dict(row) for row in rows]


@routes.put("/clients/{client_id}/subscriptions/{column}")
async def subscribe(
    actor: Interested, uow: Work, client_id: Identifier, column: Code, given: Way
) -> list[dict[str, Any]]:
    """Subscribe to a column; the answer is the whole list."""
    await _require(uow.sql, actor, client_id)
    await interest.subscribe(uow, client_id, column, given.channel, await effective_now(uow.sql, uow.now))
    return await _listed(uow, client_id)


@routes.delete("/clients/{client_id}/subscriptions/{column}")
async def unsubscribe(actor: Interested, uow: Work, client_id: Identifier, column: Code) -> list[dict[str, Any]]:
    """End a subscription; what is planned of it does not go out."""
    await _require(uow.sql, actor, client_id)
    await interest.unsubscribe(uow, client_id, column, await effective_now(uow.sql, uow.now))
    return await _listed(uow, client_id)


@routes.post("/clients/{client_id}/clicks", status_code=204)
async def note_click(actor: Interested, uow: Work, client_id: Identifier, given: Click) -> None:
    """A column was opened: feedback on the service, no contact."""
    await _require(uow.sql, actor, client_id)
    await interest.click(uow, client_id, given.column, given.message_id, await effective_now(uow.sql, uow.now))


@routes.get("/clients/{client_id}/feedback")
async def list_feedback(actor: Reader, sql: Reading, client_id: Identifier) -> list[dict[str, Any]]:
    """A client's clicks and subscriptions, newest first, up to 200."""
    await require_view(sql, actor, client_id)
    rows = await sql.fetch(
        """SELECT column_code AS column, kind, at, message_id FROM feedback WHERE client_id = $1
           ORDER BY at DESC, feedback_id LIMIT 200""",
        client_id,
    )
    return [dict(row) for row in rows]


@routes.get("/statistics/feedback")
async def read_feedback(
    actor: Leader, sql: Reading, start: Annotated[Day, Query(alias="from")], end: Annotated[Day, Query(alias="to")]
) -> list[dict[str, Any]]:
    """Clicks and subscriptions by column and branch."""
    return await interest.numbers(sql, start, end, None if actor.sees_all_branches else actor.branch_id or "-")


@routes.get("/statistics/satisfaction")
async def read_satisfaction(
    actor: Leader,
    sql: Reading,
    start: Annotated[Day, Query(alias="from")],
    end: Annotated[Day, Query(alias="to")],
    core_only: bool = False,
) -> list[dict[str, Any]]:
    """Scores of satisfaction given in valid contacts, by branch, topic and question."""
    branch = None if actor.sees_all_branches else actor.branch_id or "-"
    return await satisfaction.numbers(sql, start, end, branch, core_only)


@routes.get("/statistics/needs")
async def read_needs(
    actor: Leader, sql: Reading, start: Annotated[Day, Query(alias="from")], end: Annotated[Day, Query(alias="to")]
) -> list[dict[str, Any]]:
    """Changed needs that came up in care calls, newest first, up to 200."""
    return await satisfaction.needs(sql, start, end, None if actor.sees_all_branches else actor.branch_id or "-")


async def _require(sql: Any, actor: Actor, client_id: Identifier) -> None:
    if actor.role is not Role.CLIENT:
        await require_client(sql, actor, client_id)
    elif not may_see(actor, client_id, None):
        raise NotFound


async def _listed(uow: UnitOfWork, client_id: Identifier) -> list[dict[str, Any]]:
    rows = await uow.sql.fetch(
        """SELECT column_code AS column, channel, since, recorded_by FROM subscriptions WHERE client_id = $1
           ORDER BY column_code""",
        client_id,
    )
    return [dict(row) for row in rows]
