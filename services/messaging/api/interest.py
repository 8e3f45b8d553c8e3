"""Subscriptions and clicks over HTTP: the client's own word, or what staff and the app report [B15, B18]."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel

from chassis.http import Reading, Work, router
from chassis.timeline import effective_now
from contracts.fields import BusinessDate, Code, Id, Identifier
from contracts.messaging import Channel
from services.messaging import interest
from services.messaging.api.access import Interested, Planner, require_client

routes = router("/v1/messaging", "messaging interest")
SHOWN = 200


class Wish(BaseModel):
    """By which channel a column is wanted."""

    channel: Channel


class Click(BaseModel):
    """A click on a column; `message_id` when it came from a message."""

    column: Code
    message_id: Id | None = None


@routes.get("/clients/{client_id}/subscriptions")
async def list_subscriptions(actor: Interested, sql: Reading, client_id: Identifier) -> list[dict[str, Any]]:
    """The columns a client asked for."""
    await require_client(sql, actor, client_id)
    return await interest.of_client(sql, client_id)


@routes.put("/clients/{client_id}/subscriptions/{column}")
async def subscribe(
    actor: Interested, uow: Work, client_id: Identifier, column: Code, given: Wish
) -> list[dict[str, Any]]:
    """Subscribe to a column; the answer is the whole list."""
    await require_client(uow.sql, actor, client_id)
    await interest.subscribe(uow, client_id, column, given.channel, await effective_now(uow.sql, uow.now))
    return await interest.of_client(uow.sql, client_id)


@routes.delete("/clients/{client_id}/subscriptions/{column}")
async def unsubscribe(actor: Interested, uow: Work, client_id: Identifier, column: Code) -> list[dict[str, Any]]:
    """End a subscription; what waits of it does not go out."""
    await require_client(uow.sql, actor, client_id)
    await interest.unsubscribe(uow, client_id, column, await effective_now(uow.sql, uow.now))
    return await interest.of_client(uow.sql, client_id)


@routes.post("/clients/{client_id}/clicks", status_code=204)
async def note_click(actor: Interested, uow: Work, client_id: Identifier, given: Click) -> None:
    """A column was opened: feedback on the service, no contact."""
    await require_client(uow.sql, actor, client_id)
    await interest.click(uow, client_id, given.column, given.message_id, await effective_now(uow.sql, uow.now))


@routes.get("/clients/{client_id}/feedback")
async def list_feedback(actor: Interested, sql: Reading, client_id: Identifier) -> list[dict[str, Any]]:
    """A client's clicks and subscriptions, newest first, up to 200."""
    await require_client(sql, actor, client_id)
    return await interest.shown_by(sql, client_id, SHOWN)


@routes.get("/columns/feedback")
async def read_feedback(
    actor: Planner,
    sql: Reading,
    start: Annotated[BusinessDate, Query(alias="from")],
    end: Annotated[BusinessDate, Query(alias="to")],
) -> list[dict[str, Any]]:
    """Clicks and subscriptions by column and branch."""
    return await interest.numbers(sql, start, end, None if actor.sees_all_branches else actor.branch_id or "-")
