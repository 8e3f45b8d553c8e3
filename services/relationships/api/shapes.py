"""What every route here shares: who may call, and the look-up of the client a request is about."""

import asyncpg
from pydantic import BaseModel, ConfigDict

from chassis.actor import Actor, Role
from chassis.errors import NotFound
from chassis.http import may_see
from chassis.staff import roster
from chassis.timeline import effective_now
from services.relationships.errors import UnknownClient

DESK = (Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER)
STAFF = (*DESK, Role.HQ, Role.COMPLIANCE, Role.OPERATIONS)


class Body(BaseModel):
    """A request's body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


async def see_client(sql: asyncpg.Connection, actor: Actor, client_id: str) -> str | None:
    """The client's branch, if the caller may see them.

    Raises: UnknownClient.
    """
    row = await sql.fetchrow("SELECT branch_id FROM clients WHERE client_id = $1", client_id)
    if row is None or not may_see(actor, client_id, row["branch_id"], centre=True):
        raise UnknownClient
    branch: str | None = row["branch_id"]
    return branch


async def see_person(sql: asyncpg.Connection, actor: Actor, person: str) -> None:
    """Everybody sees what they did themselves; who leads a branch, its people's; those over all branches everybody's.

    Raises: NotFound.
    """
    if actor.person == person or actor.sees_all_branches:
        return
    known = (await roster(sql)).person(person, await effective_now(sql))
    if actor.role is not Role.BRANCH_MANAGER or known is None or known.branch_id != actor.branch_id:
        raise NotFound
