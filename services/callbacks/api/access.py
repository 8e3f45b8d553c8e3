"""Who may do what here: the roles of each kind of route, and what a caller sees of the tasks."""

from typing import Annotated

import asyncpg

from chassis.actor import Actor, Role
from chassis.errors import Forbidden, NotFound, Text
from chassis.http import may_see, permits
from contracts.fields import BusinessDate

Day = BusinessDate
SERVING = (Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)
LEADING = (Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE, Role.OPERATIONS)

Server = Annotated[Actor, permits("callbacks:work", *SERVING)]
Reader = Annotated[Actor, permits("callbacks:read", *SERVING, Role.OPERATIONS, Role.SYSTEM)]
Leader = Annotated[Actor, permits("callbacks:lead", *LEADING)]
Chief = Annotated[Actor, permits("callbacks:draw", Role.HQ, Role.COMPLIANCE, Role.OPERATIONS)]
Officer = Annotated[Actor, permits("callbacks:compliance", Role.COMPLIANCE)]
Operator = Annotated[Actor, permits("callbacks:operate", Role.OPERATIONS, Role.SYSTEM)]


def sight(actor: Actor, next_argument: int) -> tuple[str, list[object]]:
    """An SQL condition on tasks t and its arguments: the own branch (or everything), nothing restricted unless for
    compliance, nothing one is concerned by. The call centre sees its own queue of every branch."""
    one, two, three, four = range(next_argument, next_argument + 4)
    everywhere = actor.sees_all_branches
    condition = f"""(${one}::bool OR t.branch_id = ${two} OR (${three}::bool AND t.queue = 'centre'))
        AND NOT (${four}::text = ANY(t.concerned))"""
    if actor.role is not Role.COMPLIANCE:
        condition += " AND NOT t.restricted"
    return condition, [everywhere, actor.branch_id, actor.is_centre, actor.person]


async def require_client(sql: asyncpg.Connection, actor: Actor, client_id: str) -> None:
    """Refuse a client who is neither of the caller's branch nor has a task the caller may see.

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
        f"SELECT EXISTS (SELECT FROM tasks t WHERE t.client_id = $1 AND {condition})", client_id, *arguments
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
