"""Object-level rules: clients see their own data, staff of a branch their branch's."""

from chassis.actor import Actor, Role
from chassis.errors import NotFound


def object_scope(actor: Actor, next_argument: int, *, centre: bool = False) -> tuple[str, list[str]]:
    """An SQL condition on columns client_id and branch_id, and its arguments, numbered from `$next_argument` on.

    `centre`: what the call centre sees of every branch.
    """
    if actor.role is Role.CLIENT:
        return (f"client_id = ${next_argument}", [actor.client_id]) if actor.client_id else ("false", [])
    if actor.sees_all_branches or (centre and actor.is_centre):
        return "true", []
    return (f"branch_id = ${next_argument}", [actor.branch_id]) if actor.branch_id else ("false", [])


def may_see(actor: Actor, client_id: str, branch_id: str | None, *, centre: bool = False) -> bool:
    """The same rule for one object already read."""
    if actor.role is Role.CLIENT:
        return actor.client_id == client_id
    if actor.sees_all_branches or (centre and actor.is_centre):
        return True
    return actor.branch_id is not None and actor.branch_id == branch_id


def require_sight(actor: Actor, client_id: str, branch_id: str | None, *, centre: bool = False) -> None:
    """Refuse an object the caller may not see, in the words used when it does not exist.

    Raises: NotFound.
    """
    if not may_see(actor, client_id, branch_id, centre=centre):
        raise NotFound
