"""Messages over HTTP: asked for once, listed, cancelled."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from chassis import rows
from chassis.actor import Role
from chassis.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Text
from chassis.http import Listing, Page, Purpose, Work, router
from chassis.personal import mask_email, mask_phone
from chassis.personal.reading import open_columns
from chassis.timeline import effective_now, today
from contracts.fields import Code, Id, Identifier, Instant, Text500, text_of
from services.messaging import messages
from services.messaging.api.access import Asker, Reader, require_client
from services.messaging.messages import Wanted, wrong_fields
from services.messaging.policy import Policies
from services.messaging.tables import MessageRow, message_columns

routes = router("/v1/messaging", "messaging")


SHOCKS = ("NOTICE", "SUBSCRIBED")
"""What may go through quiet hours [MS9]."""


class Order(BaseModel, extra="forbid"):
    """A message asked for: of a kind, about a period (or whatever it is about), to a client."""

    kind: Code
    client_id: Identifier
    period: Code
    fields: dict[Code, Text500] = Field(default_factory=dict, description="the template's variables")
    not_before: Instant | None = None
    not_after: Instant | None = None
    required: bool = False
    shock: bool = False


class Asked(BaseModel):
    """What becomes of a message; `why` it does not go, or not yet."""

    message_id: UUID
    state: str
    why: str | None


class Message(BaseModel):
    """A message and what became of it; `to` is masked."""

    message_id: UUID
    client_id: str | None
    kind: str
    period: str
    message_class: str
    channel: str | None
    to: str | None
    language: str | None
    state: str
    why: str | None
    asked_by: str
    asked_at: datetime
    due_at: datetime
    not_after: datetime
    handed_at: datetime | None
    ended_at: datetime | None
    tries: int
    parts: int | None
    template: str | None
    body_sha256: str | None
    provider_ref: str | None
    merged_into: UUID | None


class Cancellation(BaseModel, extra="forbid"):
    """Why a message is not to go."""

    reason: Annotated[str, text_of(200, 1)]


class InHandAlready(Conflict):
    """The message was handed over, or came to its end: `state` says which."""

    title = Text("The message has gone, or never will", "消息已发出或已终结")


@routes.post("/messages", status_code=201, responses={200: {"model": Asked, "description": "It was asked for before"}})
async def ask_for_message(actor: Asker, uow: Work, given: Order, purpose: Purpose, response: Response) -> Asked:
    """Ask for a message. The same kind, client and period is the same message, whatever else is said (200).

    A kind nobody knows, fields that are missing or too long are refused; whatever else speaks against it is in `why`. Word of a
    market shock goes through quiet hours: systems and headquarters say what is one [MS9].
    """
    await require_client(uow.sql, actor, given.client_id)
    book = (await uow.policies(Policies)).templates.on(await today(uow.sql)).body
    template = book.kinds.get(given.kind)
    if template is None:
        raise Invalid(errors=(FieldError("body#/kind", "no template of this kind is in force"),))
    if template.message_class == "VERIFY" and actor.role is not Role.SYSTEM:
        raise Forbidden(Text("codes are asked for by systems only", "验证码仅由系统申请"))
    if given.shock and actor.role is Role.BRANCH_MANAGER:
        raise Forbidden(Text("headquarters say what is a market shock", "市场突发事件由总部认定"))
    if given.shock and template.message_class not in SHOCKS:
        raise Invalid(errors=(FieldError("body#/shock", f"word of a market shock is {' or '.join(SHOCKS)} [MS9]"),))
    if errors := wrong_fields(template, given.fields):
        raise Invalid(errors=tuple(errors))
    if given.not_before and given.not_after and given.not_after <= given.not_before:
        raise Invalid(errors=(FieldError("body#/not_after", "lies before not_before"),))
    now = await effective_now(uow.sql, uow.now)
    one = Wanted(
        client_id=given.client_id, kind=given.kind, cause=given.period, fields=given.fields, asked_by=actor.person,
        asked_at=now, not_before=given.not_before, not_after=given.not_after, required=given.required,
        shock=given.shock,
    )  # fmt: skip
    known = await messages.find(uow, one.message_id)
    if known is None:
        await messages.ask(uow, [one], now)
        known = await messages.find(uow, one.message_id)
        uow.audit(
            "message_asked", f"message/{one.message_id}", key=given.client_id, kind=given.kind, purpose=purpose,
            shock=given.shock,
        )  # fmt: skip
    else:
        response.status_code = 200
    assert known is not None
    return Asked.model_validate(messages.told(known))


@routes.get("/messages/{message_id}")
async def read_message(actor: Reader, uow: Work, message_id: Id) -> Message:
    """One message; a trial is shown to who asked for it, whom it went to, and compliance."""
    row = await messages.find(uow, message_id)
    if row is None:
        raise NotFound
    if row.client_id is not None:
        await require_client(uow.sql, actor, row.client_id)
    elif actor.role is not Role.COMPLIANCE and actor.person not in (row.asked_by, row.staff_id):
        raise NotFound
    [shown] = await _shown(uow, [row])
    return shown


@routes.post("/messages/{message_id}/cancellation")
async def cancel_message(actor: Asker, uow: Work, message_id: Id, given: Cancellation) -> Asked:
    """Take back a message. One in somebody's hand stays `handed`, `withdrawn`: what its provider does not take is not tried
    again, and a member who has not confirmed it cannot any more."""
    row = await messages.find(uow, message_id)
    if row is None or row.client_id is None:
        raise NotFound
    await require_client(uow.sql, actor, row.client_id)
    if not await messages.cancel_one(uow, message_id, given.reason):
        raise InHandAlready(state=row.state)
    found = await messages.find(uow, message_id)
    assert found is not None
    return Asked.model_validate(messages.told(found))


@routes.get("/clients/{client_id}/messages")
async def list_messages(actor: Reader, uow: Work, client_id: Identifier, page: Page) -> Listing[Message]:
    """Every message to a client, newest first; addresses are masked."""
    await require_client(uow.sql, actor, client_id)
    at, key = page.after or (None, None)
    found = await rows.fetch(
        uow.sql,
        MessageRow,
        f"""SELECT {message_columns()} FROM messages
            WHERE client_id = $1 AND ($2::timestamptz IS NULL OR (asked_at, message_id) < ($2, $3::uuid))
            ORDER BY asked_at DESC, message_id DESC LIMIT $4""",
        client_id,
        datetime.fromisoformat(at) if at else None,
        UUID(key) if key else None,
        page.limit + 1,
    )
    shown = page.result(found, lambda row: (row.asked_at.isoformat(), str(row.message_id)))
    shown["items"] = await _shown(uow, shown["items"])
    return Listing[Message].model_validate(shown)


async def _shown(uow: Work, found: list[MessageRow]) -> list[Message]:
    await uow.database.keyring.keys({row.client_id for row in found if row.client_id and row.address})
    return [await _one(uow, row) for row in found]


async def _one(uow: Work, row: MessageRow) -> Message:
    to = None
    if row.address and row.client_id:
        opened = (await open_columns(uow.database, row.client_id, {"address": row.address}))["address"]
        to = opened and (mask_email(opened) if row.channel == "email" else mask_phone(opened))
    values = {name: getattr(row, name) for name in Message.model_fields if hasattr(row, name)}
    return Message.model_validate(values | {"to": to, "why": row.reason or None, "period": row.cause})
