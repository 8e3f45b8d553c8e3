"""Messages, alarms, wishes and publications over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Request
from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.database import Database
from chassis.errors import NotFound
from chassis.http import Listing, Page, Reading, Work, object_scope, permits, router
from chassis.http.persons import PersonId
from chassis.timeline import today
from contracts.fields import Code, Identifier, Instant, Label, text_of
from services.callbacks import alarms
from services.callbacks.acts import LEADING
from services.callbacks.api.access import Leader, Operator, Reader, require_view
from services.callbacks.messages import sending
from services.callbacks.messages.adapters import MessageSettings, ports
from services.callbacks.people import SERVING

routes = router("/v1/callbacks", "callbacks messages")
STALE_DAYS = 90
WithClient = Annotated[Actor, permits("callbacks:preferences", *SERVING, Role.CLIENT)]


class Message(BaseModel):
    """A message and what became of it."""

    message_id: UUID
    client_id: str
    kind: str
    channel: str
    language: str
    state: str
    due_at: datetime
    limit_at: datetime | None
    sent_at: datetime | None
    tries: int
    template: str | None
    body_sha256: str | None
    receipt: str | None
    reason: str


class Receipt(BaseModel):
    """A provider's word on a message."""

    receipt: Label
    state: Literal["delivered", "undeliverable"]
    reason: Annotated[str, text_of(300)] = ""


class Preferences(BaseModel):
    """A client's own wishes; what is not given stays."""

    do_not_call: bool | None = None
    no_marketing: bool | None = None
    objects_to_viewing: bool | None = None
    language: Literal["zh-CN", "en"] | None = None


class Alarm(BaseModel):
    """Something that was not done in its time [A21, B12, B14]; `told_to`: whom a step of the ladder is for."""

    alarm_id: UUID
    client_id: str
    branch_id: str | None
    kind: str
    subject: str
    step: str
    told_to: list[str]
    due_at: datetime
    raised_at: datetime


class Publication(BaseModel):
    """What a branch publishes of itself, and who answers for it [B17]."""

    what: Code
    value: Annotated[str, text_of(500, 1)]
    responsible: PersonId


@routes.get("/clients/{client_id}/messages")
async def list_messages(actor: Reader, sql: Reading, client_id: Identifier) -> list[Message]:
    """Every message to a client, newest first, up to 200."""
    await require_view(sql, actor, client_id)
    scope, arguments = object_scope(actor, 2)
    rows = await sql.fetch(
        f"SELECT * FROM messages WHERE client_id = $1 AND {scope} ORDER BY due_at DESC, message_id LIMIT 200",
        client_id,
        *arguments,
    )
    return [Message.model_validate(dict(row)) for row in rows]


@routes.post("/messages/dispatch")
async def dispatch(actor: Operator, request: Request) -> dict[str, int]:
    """Send what is due now, as the worker does by itself every few seconds; harmless when called twice at once."""
    database: Database = request.app.state.database
    settings = database.settings
    return await sending.send_due(database, ports(MessageSettings(), settings.home))


@routes.post("/messages/receipts")
async def receive_receipt(actor: Operator, uow: Work, given: Receipt) -> Message:
    """A provider's delivery receipt."""
    await sending.receive_receipt(uow, given.receipt, given.state, given.reason)
    row = await uow.sql.fetchrow("SELECT * FROM messages WHERE receipt = $1", given.receipt)
    assert row is not None
    return Message.model_validate(dict(row))


@routes.get("/messages/alarms")
async def list_alarms(actor: Leader, sql: Reading) -> list[Message]:
    """New clients still without a manager on day 10, messages missed or undeliverable, up to 200."""
    scope, arguments = object_scope(actor, 1)
    rows = await sql.fetch(
        f"""SELECT * FROM messages WHERE (state IN ('missed', 'undeliverable') OR reason = 'no_manager_alarm') AND {scope}
            ORDER BY due_at DESC, message_id LIMIT 200""",
        *arguments,
    )
    return [Message.model_validate(dict(row)) for row in rows]


@routes.get("/alarms")
async def list_missed(
    actor: Leader,
    sql: Reading,
    page: Page,
    before: Annotated[Instant | None, Query(description="older than this")] = None,
) -> Listing[Alarm]:
    """Enquiries not answered on their day, mandatory moments not done in time; newest first."""
    branch = None if actor.sees_all_branches else actor.branch_id or "-"
    rows = await alarms.listed(sql, branch, before, page.after, page.limit + 1)
    found = page.result([dict(row) for row in rows], lambda row: (row["raised_at"], row["alarm_id"]))
    return Listing[Alarm].model_validate(found)


@routes.patch("/clients/{client_id}/preferences")
async def set_preferences(actor: WithClient, uow: Work, client_id: Identifier, given: Preferences) -> Preferences:
    """What the client wishes: no calls, no marketing, no views without a service due, the language."""
    scope, arguments = object_scope(actor, 6)
    row = await uow.sql.fetchrow(
        f"""UPDATE clients SET do_not_call = coalesce($2, do_not_call), no_marketing = coalesce($3, no_marketing),
                   objects_to_viewing = coalesce($4, objects_to_viewing), language = coalesce($5, language)
            WHERE client_id = $1 AND {scope} RETURNING do_not_call, no_marketing, objects_to_viewing, language""",
        client_id,
        given.do_not_call,
        given.no_marketing,
        given.objects_to_viewing,
        given.language,
        *arguments,
    )
    if row is None:
        raise NotFound
    uow.audit("preferences_set", f"client/{client_id}", key=client_id, **given.model_dump(exclude_none=True))
    return Preferences.model_validate(dict(row))


@routes.put("/branches/{branch_id}/publications")
async def publish(
    actor: Annotated[Actor, permits("callbacks:publish", *LEADING)],
    uow: Work,
    branch_id: Identifier,
    given: Publication,
) -> dict[str, Any]:
    """Confirm what a branch publishes, today, through a named person."""
    if not actor.sees_all_branches and actor.branch_id != branch_id:
        raise NotFound
    day = await today(uow.sql)
    await uow.sql.execute(
        """INSERT INTO publications VALUES ($1, $2, $3, $4, $5) ON CONFLICT (branch_id, what) DO UPDATE
           SET value = excluded.value, responsible = excluded.responsible, confirmed_on = excluded.confirmed_on""",
        branch_id,
        given.what,
        given.value,
        given.responsible,
        day,
    )
    uow.audit("publication_confirmed", f"branch/{branch_id}", what=given.what, responsible=given.responsible)
    return {"branch_id": branch_id, "what": given.what, "confirmed_on": day}


@routes.get("/branches/publications")
async def list_publications(actor: Reader, uow: Work) -> list[dict[str, Any]]:
    """What branches publish; what nobody confirmed for more than 90 days is stale."""
    day = await today(uow.sql)
    rows = await uow.sql.fetch(
        "SELECT *, $1 - confirmed_on > $2 AS stale FROM publications ORDER BY branch_id, what", day, STALE_DAYS
    )
    return [dict(row) for row in rows]
