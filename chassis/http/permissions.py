"""What a route asks of its caller."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from chassis.actor import Actor, Role
from chassis.errors import Forbidden, Text
from chassis.http.identity import identified
from chassis.http.reads import note_actor, record_read, require_sight_of


@dataclass(frozen=True, slots=True)
class Permission:
    """What a route asks of its caller: one of the roles. `centre`: the call centre's people pass as well, or not even
    with such a role."""

    name: str
    roles: frozenset[Role]
    centre: bool | None = None

    def allows(self, actor: Actor) -> bool:
        """Whether the caller may."""
        if self.centre is not None and actor.is_centre:
            return self.centre
        return actor.role in self.roles


def permits(name: str, *roles: Role, centre: bool | None = None) -> Any:
    """A route's permission: `actor: Annotated[Actor, permits("points:read", Role.CLIENT, ...)]`, its first parameter.

    Only these roles pass (403), with `centre` set whoever sits in the call centre as well (True) or never (False); a
    member of staff who reads a client's record (a GET with `client_id` in its path) says why in the `Purpose` header or
    the token, and the read is recorded (400 without one).
    """
    permission = Permission(name, frozenset(roles), centre)

    async def check(request: Request, actor: Annotated[Actor, Depends(identified)]) -> Actor:
        if not permission.allows(actor):
            raise Forbidden(Text(f"{permission.name} is not for role {actor.role}", f"角色 {actor.role} 无权限 {name}"))
        note_actor(request, actor, permission.name)
        client_id = request.path_params.get("client_id")
        if client_id is not None and request.method == "GET":
            return await record_read(request, actor, permission.name, client_id)
        if request.method == "GET" and (asked := request.query_params.get("client_id")):
            await require_sight_of(request, actor, asked)
        return actor

    check.permission = permission  # type: ignore[attr-defined]
    return Depends(check)


def permission_of(dependant: Any) -> Permission | None:
    """The permission that a route's dependencies name, for the test that walks every route."""
    for below in dependant.dependencies:
        call: Callable[..., Any] | None = below.call
        found: Permission | None = getattr(call, "permission", None) or permission_of(below)
        if found:
            return found
    return None
