"""Reads of a client's record by staff: they carry a purpose and are recorded."""

from dataclasses import replace
from urllib.parse import unquote

from fastapi import Request

from chassis.actor import Actor, Role
from chassis.database import Database
from chassis.errors import Refusal, Text

NOT_STAFF = {Role.CLIENT, Role.SYSTEM}
LONGEST_PURPOSE = 200


class PurposeRequired(Refusal):
    """Staff who read a client's record say why: send a `Purpose` header."""

    status = 400
    title = Text("A purpose is required", "须说明查阅目的")


async def record_read(request: Request, actor: Actor, permission: str, client_id: str) -> Actor:
    """Leave a row about a staff member's read, before it is done; clients and systems read without.

    Raises: PurposeRequired.
    """
    if actor.role in NOT_STAFF:
        return actor
    # Headers are Latin-1: a purpose in Chinese comes percent-encoded.
    purpose = unquote(request.headers.get("purpose", "")).strip()[:LONGEST_PURPOSE] or actor.purpose
    if not purpose:
        raise PurposeRequired
    database: Database = request.app.state.database
    actor = replace(actor, purpose=purpose)
    async with database.unit_of_work(actor) as uow:
        uow.audit(
            "read", f"client/{client_id}", key=client_id, permission=permission, purpose=purpose, path=request.url.path
        )
    return actor
