"""The app's mailbox over HTTP: what the client finds there, read and unread."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import Request
from pydantic import BaseModel
from starlette.responses import Response, StreamingResponse

from chassis import rows
from chassis.actor import Actor, Role
from chassis.database import Database
from chassis.errors import NotFound
from chassis.http import Listing, Page, Reading, Work, gives, permits, router
from chassis.live import HEADERS, MEDIA_TYPE, STREAM_SECONDS, Live
from chassis.personal.keys import Value
from contracts.fields import Id, Identifier
from services.messaging.api.access import require_client
from services.messaging.messages import mailbox_of
from services.messaging.tables import MessageRow, message_columns

routes = router("/v1/messaging", "messaging")
HEARTBEAT_SECONDS = 5.0
"""A stream that is silent for longer says that it is there: proxies end what says nothing."""
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
    return Unread(unread=await uow.sql.fetchval(_UNREAD, client_id))


_UNREAD = """SELECT count(*) FROM messages WHERE client_id = $1 AND channel = 'app' AND state = 'delivered' AND read_at IS NULL"""
_NEWEST = """SELECT message_id::text FROM messages WHERE client_id = $1 AND channel = 'app' AND state = 'delivered'
             ORDER BY handed_at DESC, message_id DESC LIMIT 1"""


@routes.get("/clients/{client_id}/mailbox/stream", response_class=Response, responses=gives(MEDIA_TYPE))
async def follow_mailbox(
    actor: Owner,
    sql: Reading,
    request: Request,
    client_id: Identifier,
) -> Response:
    """Server-sent events: `mailbox` with how many are unread and which is the newest, now and whenever that changes. It ends by
    itself; the next says how it is by then, so nothing is missed in between."""
    await require_client(sql, actor, client_id)
    state = request.app.state
    return StreamingResponse(_followed(state.live, state.database, client_id), media_type=MEDIA_TYPE, headers=HEADERS)


async def _followed(live: Live, database: Database, client_id: str) -> AsyncIterator[str]:
    clock = asyncio.get_running_loop().time
    end, ended, told = clock() + STREAM_SECONDS, live.ended, dict[str, Any]()
    async with live.about(mailbox_of(client_id)) as notices:
        yield "retry: 1000\n\n"
        while (left := end - clock()) > 0 and not ended.is_set():
            seen = notices.count
            async with database.reading() as sql:
                found = {
                    "unread": await sql.fetchval(_UNREAD, client_id), "newest": await sql.fetchval(_NEWEST, client_id),
                }  # fmt: skip
            if found != told:
                told = found
                yield f"event: mailbox\ndata: {msgspec.json.encode(told).decode()}\n\n"
            else:
                yield ": still here\n\n"
            await notices.wait(seen, min(left, HEARTBEAT_SECONDS))


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
    uow.notify(mailbox_of(client_id))
    return await count_unread(actor, uow, client_id)
