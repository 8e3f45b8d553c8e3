"""What every route here shares: field types, who may call, and the look-up of the client a request is about."""

from typing import Annotated, Any

import asyncpg
import msgspec
from fastapi import Path, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis.actor import Actor, Role
from chassis.http import require_sight
from contracts.base import encode_custom
from contracts.fields import BusinessDate, Code
from services.suitability.errors import UnknownClient

_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
Name = Code
Words = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]+$")]
Reference = Annotated[str, Field(min_length=1, max_length=200, pattern=_PRINTABLE)]
Day = BusinessDate
Version = Annotated[int, Field(ge=1, le=1_000_000)]
PathName = Annotated[str, Path(min_length=1, max_length=64, pattern=_PRINTABLE)]
PathVersion = Annotated[int, Path(ge=1, le=1_000_000)]

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

    Raises: UnknownClient, NotFound.
    """
    row = await sql.fetchrow("SELECT branch_id FROM clients WHERE client_id = $1", client_id)
    if row is None:
        raise UnknownClient
    require_sight(actor, client_id, row["branch_id"])
    branch: str | None = row["branch_id"]
    return branch
