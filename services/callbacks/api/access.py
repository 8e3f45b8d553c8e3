"""Who may do what here: the roles of each kind of route, and whose client a caller may look at."""

from typing import Annotated

import asyncpg

from chassis.actor import Actor, Role
from chassis.errors import Forbidden, NotFound, Text
from chassis.http import may_see, permits
from contracts.fields import BusinessDate
from services.callbacks.acts import LEADING, sight
from services.callbacks.people import SERVING

Day = BusinessDate

Server = Annotated[Actor, permits("callbacks:work", *SERVING)]
Reader = Annotated[Actor, permits("callbacks:read", *SERVING, Role.OPERATIONS, Role.SYSTEM)]
Leader = Annotated[Actor, permits("callbacks:lead", *LEADING)]
Chief = Annotated[Actor, permits("callbacks:draw", Role.HQ, Role.COMPLIANCE, Role.OPERATIONS)]
Officer = Annotated[Actor, permits("callbacks:compliance", Role.COMPLIANCE)]
Operator = Annotated[Actor, permits("callbacks:operate", Role.OPERATIONS, Role.SYSTEM)]


async def require_client(sql: asyncpg.Connection, actor: Actor, client_id: str) -> None:
    """Refuse a client who is neither of the caller's branch nor has a task the caller may see: what a branch has done for a
    client who is another's by now is no reason to look.

    Raises: NotFound, in the words used when there is no such client.
    """
    known = await sql.fetchrow(
        """SELECT (SELECT branch_id FROM clients WHERE client_id = $1) AS branch_id
           WHERE EXISTS (SELECT FROM clients WHERE client_id = $1) OR EXISTS (SELECT FROM tasks WHERE client_id = $1)""",
        client_id,
    )
    if known is None:
        raise NotFound
    if may_see(actor, client_id, known["branch_id"]):
        return
    condition, arguments = sight(actor, 2)
    if not await sql.fetchval(
        f"""SELECT EXISTS (SELECT FROM tasks t WHERE t.client_id = $1 AND {condition}
                           AND (t.queue = 'centre' OR t.state <> ALL('{{completed,cancelled}}')))""",
        client_id,
        *arguments,
    ):
        raise NotFound


async def require_view(sql: asyncpg.Connection, actor: Actor, client_id: str) -> None:
    """As `require_client`, for looking at a client without a task at hand. A client who objects to that is seen only by
    compliance, or by whoever has a service of theirs in hand [A16].

    Raises: NotFound, Forbidden.
    """
    await require_client(sql, actor, client_id)
    if actor.role in (Role.COMPLIANCE, Role.SYSTEM):
        return
    barred = await sql.fetchval(
        """SELECT objects_to_viewing AND NOT EXISTS (
               SELECT FROM tasks WHERE client_id = $1 AND holder = $2) FROM clients WHERE client_id = $1""",
        client_id,
        actor.person,
    )
    if barred:
        raise Forbidden(Text("the client objects to views without a service due", "客户反对无服务事由的查阅"))
