"""The app's mailbox over HTTP: what the client finds there, read and unread."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from pydantic import BaseModel

from chassis import rows
from chassis.actor import Actor, Role
from chassis.errors import NotFound
from chassis.http import Listing, Page, Work, permits, router
from chassis.personal.keys import Value
from contracts.fields import Id, Identifier
from services.messaging.api.access import require_client
from services.messaging.tables import MessageRow, message_columns

routes = router("/v1/messaging", "messaging")
Owner = Annotated[Actor, permits("messaging:mailbox", Role.CLIENT)]


class Mail(BaseModel):
    """A message in the app."""

    message_id: UUID
    kind: str
    subject: str
    text: str
    handed_at: datetime
    read_at: datetime | None


class Unread(BaseModel):
    """How many messages wait to be read."""

    unread: int


@routes.get("/clients/{client_id}/mailbox")
async def list_mailbox(actor: Owner, uow: Work, client_id: Identifier, page: Page) -> Listing[Mail]:
    """The client's messages in the app, newest first."""
    await require_client(uow.sql, actor, client_id)
    at, key = page.after or (None, None)
    found = await rows.fetch(
        uow.sql,
        MessageRow,
        f"""SELECT {message_columns()} FROM messages WHERE client_id = $1 AND channel = 'app' AND state = 'delivered'
              AND ($2::timestamptz IS NULL OR (handed_at, message_id) < ($2, $3::uuid))
            ORDER BY handed_at DESC, message_id DESC LIMIT $4""",
        client_id,
        datetime.fromisoformat(at) if at else None,
        UUID(key) if key else None,
        page.limit + 1,
    )
    shown = page.result(found, lambda row: (row.handed_at.isoformat(), str(row.message_id)))
    opened = await uow.database.keyring.open([Value(client_id, "words", row.words) for row in shown["items"]])
    shown["items"] = [
        Mail(
            message_id=row.message_id, kind=row.kind, handed_at=row.handed_at, read_at=row.read_at,
            **(msgspec.json.decode(text) if text else {"subject": "", "text": ""}),
        )
        for row, text in zip(shown["items"], opened, strict=True)
    ]  # fmt: skip
    return Listing[Mail].model_validate(shown)


@routes.get("/clients/{client_id}/mailbox/unread")
async def count_unread(actor: Owner, uow: Work, client_id: Identifier) -> Unread:
    """How many are unread."""
    await require_client(uow.sql, actor, client_id)
    count = await uow.sql.fetchval(
        """SELECT count(*) FROM messages WHERE client_id = $1 AND channel = 'app' AND state = 'delivered'
             AND read_at IS NULL""",
        client_id,
    )
    return Unread(unread=count)


@routes.post("/clients/{client_id}/mailbox/{message_id}/read")
async def mark_read(actor: Owner, uow: Work, client_id: Identifier, message_id: Id) -> Unread:
    """The client has read it; the first time counts. How many are unread now."""
    await require_client(uow.sql, actor, client_id)
    found = await uow.sql.fetchval(
        """UPDATE messages SET read_at = coalesce(read_at, $3) WHERE message_id = $2 AND client_id = $1
             AND channel = 'app' AND state = 'delivered' RETURNING true""",
        client_id,
        message_id,
        uow.now,
    )
    if not found:
        raise NotFound
    uow.audit("message_read", f"message/{message_id}", key=client_id)
    return await count_unread(actor, uow, client_id)
