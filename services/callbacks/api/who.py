"""Who may do what here: the roles of each kind of route, and what a caller sees of the tasks."""

from typing import Annotated

from chassis.actor import Actor, Role
from chassis.http import permits

SERVING = (Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)
LEADING = (Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE, Role.OPERATIONS)

Server = Annotated[Actor, permits("callbacks:work", *SERVING)]
Reader = Annotated[Actor, permits("callbacks:read", *SERVING, Role.OPERATIONS, Role.SYSTEM)]
Leader = Annotated[Actor, permits("callbacks:lead", *LEADING)]
Officer = Annotated[Actor, permits("callbacks:compliance", Role.COMPLIANCE)]
Operator = Annotated[Actor, permits("callbacks:operate", Role.OPERATIONS, Role.SYSTEM)]


def sight(actor: Actor, staff_id: str, next_argument: int) -> tuple[str, list[object]]:
    """An SQL condition on tasks t and its arguments: the own branch (or everything), nothing restricted unless for
    compliance, nothing one is concerned by. The call centre sees its own queue of every branch."""
    one, two, three, four = range(next_argument, next_argument + 4)
    everywhere = actor.sees_all_branches
    centre = actor.role is Role.AGENT and actor.branch_id in (None, "HQ")
    condition = f"""(${one}::bool OR t.branch_id = ${two} OR (${three}::bool AND t.queue = 'centre'))
        AND NOT (${four}::text = ANY(t.concerned))"""
    if actor.role is not Role.COMPLIANCE:
        condition += " AND NOT t.restricted"
    return condition, [everywhere, actor.branch_id, centre, staff_id]
