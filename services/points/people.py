"""Who moves redemptions and applications, and who reads their steps."""

from typing import Protocol

from chassis.actor import Actor, Role
from chassis.acts import Who
from chassis.errors import Text

CLIENT, STAFF = "client", "staff"


class Owned(Protocol):
    """An object of a client of a branch."""

    @property
    def client_id(self) -> str: ...
    @property
    def branch_id(self) -> str | None: ...


OWN_CLIENT = Who[Owned]("client", Text("its client", "客户本人"), lambda actor, one: actor.client_id == one.client_id)
BRANCH_STAFF = Who[Owned](
    "branch",
    Text("staff of its branch", "所属营业部人员"),
    lambda actor, one: (
        actor.role not in (Role.CLIENT, Role.SYSTEM) and (actor.sees_all_branches or actor.branch_id == one.branch_id)
    ),
)
DECIDERS = Who[Owned](
    "deciders",
    Text("the branch's manager or headquarters", "营业部负责人或总部"),
    lambda actor, one: (
        actor.role is Role.HQ or (actor.role is Role.BRANCH_MANAGER and actor.branch_id == one.branch_id)
    ),
)


def audiences(actor: Actor, _: Owned) -> frozenset[str]:
    """Whose steps the caller reads."""
    return frozenset({CLIENT} if actor.role is Role.CLIENT else {CLIENT, STAFF})
