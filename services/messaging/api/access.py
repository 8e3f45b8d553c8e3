"""Who may do what here, and whose messages a caller may look at."""

from typing import Annotated

import asyncpg

from chassis.actor import Actor, Role
from chassis.errors import NotFound
from chassis.http import permits, require_sight

SERVING = (Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)
Asker = Annotated[Actor, permits("messaging:ask", Role.SYSTEM, Role.HQ, Role.BRANCH_MANAGER)]
Reader = Annotated[Actor, permits("messaging:read", Role.CLIENT, *SERVING, Role.OPERATIONS, Role.SYSTEM)]
Chooser = Annotated[Actor, permits("messaging:preferences", Role.CLIENT, *SERVING)]
Counter = Annotated[Actor, permits("messaging:figures", Role.HQ, Role.COMPLIANCE, Role.OPERATIONS, Role.SYSTEM)]

Planner = Annotated[
    Actor, permits("messaging:mailings", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE, Role.OPERATIONS)
]
Interested = Annotated[Actor, permits("messaging:interest", Role.CLIENT, *SERVING, Role.OPERATIONS, Role.SYSTEM)]


async def require_client(sql: asyncpg.Connection, actor: Actor, client_id: str) -> None:
    """Refuse a client the caller may not see.

    Raises: NotFound, in the words used when there is no such client.
    """
    known = await sql.fetch("SELECT branch_id FROM clients WHERE client_id = $1", client_id)
    if not known:
        raise NotFound
    [[branch_id]] = known
    require_sight(actor, client_id, branch_id, centre=True)
