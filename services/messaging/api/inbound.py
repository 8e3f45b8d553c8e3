"""What comes in over HTTP: receipts and replies from providers; replies as staff read them."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Body, Depends, Request
from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.errors import FieldError, Invalid
from chassis.http import Purpose, Work, permits, router
from chassis.http.declared import declares
from chassis.personal.keys import Value
from chassis.personal.reading import reveal
from contracts.fields import Identifier
from services.messaging import mail_events, receipts, replies
from services.messaging.api.access import SERVING, require_client
from services.messaging.api.signed import Signed
from services.messaging.incoming import Inbound, receipts_of, replies_of

routes = router("/v1/messaging", "messaging")
Provider = Annotated[Actor, permits("messaging:inbound", Role.SYSTEM)]
Listener = Annotated[Actor, permits("messaging:replies", Role.CLIENT, *SERVING)]
SHOWN = 100


class Taken(BaseModel):
    """What became of it: receipts that moved a message, came again, or are of nothing known; replies that are new."""

    moved: int
    repeated: int
    unknown: int
    replies: int


class ReplyShown(BaseModel):
    """A reply; its words are masked but for the client and those who serve them."""

    inbound_id: str
    command: str
    words: str | None
    at: datetime


@routes.post("/inbound")
async def take_inbound(actor: Provider, _: Signed, uow: Work, given: Inbound) -> Taken:
    """Take receipts and replies from a provider, each once, however often it is brought."""
    nameless = [n for n, one in enumerate(given.receipts) if one.message_id is None and one.receipt is None]
    if nameless:
        raise Invalid(errors=tuple(FieldError(f"body#/receipts/{n}", "names no message") for n in nameless))
    counts = await receipts.take(uow, receipts_of(given))
    fresh = await replies.take(uow, replies_of(given))
    return Taken(moved=counts.moved, repeated=counts.repeated, unknown=counts.unknown, replies=fresh)


MAIL_EVENT = {
    "signature": {"timestamp": "1767225600", "token": "a8ce0edb2dd8301dee6c", "signature": "d2271d12299f6592"},
    "event-data": {"event": "failed", "severity": "permanent", "message": {"headers": {"message-id": "ID@careline"}}},
}


@declares(mail_events.NotSigned, Invalid)
async def mail_event(
    uow: Work,
    given: Annotated[
        dict[str, Any], Body(description="an event of the mail provider's webhook", examples=[MAIL_EVENT])
    ],
) -> mail_events.Webhook:
    """What the provider says, once its signature holds. Raises: NotSigned, Invalid."""
    found = mail_events.read(given, uow.now)
    await mail_events.once(uow, found)
    return found


MailEvent = Annotated[mail_events.Webhook, Depends(mail_event, scope="function")]


@routes.post("/inbound/mail")
async def take_mail_event(actor: Provider, uow: Work, event: MailEvent) -> Taken:
    """Take what the mail provider's webhook says of a mail: delivered, bounced, complained about; each once, however often it is
    brought. Its body carries its own signature."""
    counts = await mail_events.take(uow, event)
    return Taken(moved=counts.moved, repeated=counts.repeated, unknown=counts.unknown, replies=0)


@routes.get("/clients/{client_id}/replies")
async def list_replies(
    actor: Listener, uow: Work, request: Request, client_id: Identifier, purpose: Purpose
) -> list[ReplyShown]:
    """What a client replied, newest first, up to 100."""
    await require_client(uow.sql, actor, client_id)
    found = await replies.of_client(uow, client_id, SHOWN)
    words = await reveal(
        uow, f"client/{client_id}",
        {row.inbound_id: Value(row.owner, replies.WORDS, row.words) for row in found},
        purpose, in_full=actor.role in (Role.CLIENT, Role.COMPLIANCE), key=client_id,
    )  # fmt: skip
    return [
        ReplyShown(inbound_id=row.inbound_id, command=row.command, words=words[row.inbound_id], at=row.at)
        for row in found
    ]
