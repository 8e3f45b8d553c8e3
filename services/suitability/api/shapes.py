"""What every route here shares: field types, who may call, and the look-up of the client a request is about."""

from typing import Annotated, Any

import asyncpg
import msgspec
from fastapi import Response
from pydantic import BaseModel, ConfigDict

from chassis.actor import Actor, Role
from chassis.http import may_see, require_sight
from contracts.base import encode_custom
from contracts.fields import BusinessDate, Code, Label, number_of, text_of
from services.suitability.errors import UnknownClient

Name = Code
Words = Annotated[str, text_of(1000, 1)]
Reference = Label
Day = BusinessDate
Version = Annotated[int, number_of(1, 1_000_000, "the number of a version")]

STAFF = (Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE, Role.OPERATIONS, Role.SYSTEM)
EVERYBODY = (Role.CLIENT, *STAFF)
DESK = (Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER)
CONTROL = (Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)
HEADQUARTERS = (Role.HQ, Role.COMPLIANCE)

_encoder = msgspec.json.Encoder(enc_hook=encode_custom)


class Body(BaseModel):
    """A request's body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


def answer(content: Any, status: int = 200, **headers: str) -> Response:
    """A JSON answer, encoded without a detour: the routes on the hot path use it."""
    return Response(_encoder.encode(content), status, headers, "application/json")


async def see_client(sql: asyncpg.Connection, actor: Actor, client_id: str) -> str | None:
    """The client's branch, if the caller may see them.

    Raises: UnknownClient.
    """
    row = await sql.fetchrow("SELECT branch_id FROM clients WHERE client_id = $1", client_id)
    if row is None or not may_see(actor, client_id, row["branch_id"]):
        raise UnknownClient
    branch: str | None = row["branch_id"]
    return branch


async def require_client(sql: asyncpg.Connection, actor: Actor, client_id: str) -> None:
    """Refuse an object of a client whom the caller may not see today, wherever the client was when it was made.

    Raises: NotFound.
    """
    branch = await sql.fetchval("SELECT branch_id FROM clients WHERE client_id = $1", client_id)
    require_sight(actor, client_id, branch)
