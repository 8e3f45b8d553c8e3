"""Messages asked for, alarms, wishes and publications over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.errors import Forbidden, NotFound, Text
from chassis.http import Listing, Page, Reading, Work, object_scope, permits, router
from chassis.http.persons import PersonId
from chassis.timeline import today
from contracts.fields import Code, Identifier, Instant, text_of
from services.callbacks import alarms, asking, objections
from services.callbacks.acts import LEADING
from services.callbacks.api.access import Leader, Reader, require_view
from services.callbacks.people import SERVING
from services.callbacks.tables import RequestRow

routes = router("/v1/callbacks", "callbacks messages")
STALE_DAYS, SHOWN = 90, 200
WithClient = Annotated[Actor, permits("callbacks:preferences", *SERVING, Role.CLIENT)]


class Message(BaseModel):
    """A message callbacks asked messaging for, and the latest word on what became of it."""

    request_id: UUID
    client_id: str
    kind: str
    cause: str
    asked_at: datetime
    not_before: datetime | None
    not_after: datetime | None
    state: str
    reason: str
    channel: str | None
    changed_at: datetime


class Preferences(BaseModel):
    """A client's own wishes; what is not given stays."""

    do_not_call: bool | None = None
    objects_to_viewing: bool | None = None


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
    """Every message asked for a client here, newest first, up to 200; their words and addresses are messaging's."""
    await require_view(sql, actor, client_id)
    return [_shown(row) for row in await asking.of_client(sql, client_id, SHOWN)]


@routes.get("/messages/alarms")
async def list_alarms(actor: Leader, sql: Reading) -> list[Message]:
    """Messages that came too late or did not arrive, newest first, up to 200."""
    branch = None if actor.sees_all_branches else actor.branch_id or "-"
    return [_shown(row) for row in await asking.not_arrived(sql, branch, SHOWN)]


def _shown(row: RequestRow) -> Message:
    return Message.model_validate({name: getattr(row, name) for name in Message.model_fields})


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
    """What the client wishes: no calls, no views without a service due. Of messages see messaging's preferences."""
    scope, arguments = object_scope(actor, 3)
    row = await uow.sql.fetchrow(
        f"""UPDATE clients SET objects_to_viewing = coalesce($2, objects_to_viewing)
            WHERE client_id = $1 AND {scope} RETURNING objects_to_viewing""",
        client_id,
        given.objects_to_viewing,
        *arguments,
    )
    if row is None:
        raise NotFound
    if given.do_not_call:
        await objections.place(uow, client_id, objections.ALL, "asked for in the preferences", once=True)
    elif given.do_not_call is False:
        if actor.role not in (Role.CLIENT, *LEADING):
            raise Forbidden(Text("who leads, or the client, ends an objection", "勿扰须由负责人或客户本人解除"))
        await objections.end(uow, client_id, "taken back in the preferences")
    held = await uow.sql.fetchval(
        f"""SELECT EXISTS (SELECT FROM objections o WHERE o.client_id = $1 AND o.scope = 'all'
                           AND {objections.IN_FORCE.format(day="$2::date")})""",
        client_id,
        await today(uow.sql),
    )
    uow.audit("preferences_set", f"client/{client_id}", key=client_id, **given.model_dump(exclude_none=True))
    return Preferences(do_not_call=held, objects_to_viewing=row["objects_to_viewing"])


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
