"""Who moves products and subscriptions, and who reads their steps."""

from typing import Any

from chassis.actor import Actor, Role
from chassis.acts import Who
from chassis.approvals import by
from chassis.errors import Text

CLIENT, STAFF = "client", "staff"
DESK = Who[Any](
    "desk", Text("headquarters or compliance", "总部或合规"), lambda actor, _: actor.role in (Role.HQ, Role.COMPLIANCE)
)
OWN_CLIENT = Who[Any]("client", Text("its client", "客户本人"), lambda actor, one: actor.client_id == one.client_id)
BRANCH_STAFF = Who[Any](
    "branch",
    Text("staff of its branch", "所属营业部人员"),
    lambda actor, one: (
        actor.role not in (Role.CLIENT, Role.SYSTEM) and (actor.sees_all_branches or actor.branch_id == one.branch_id)
    ),
)
DESK_DECIDES = by(Role.HQ, Role.COMPLIANCE)


def audiences(actor: Actor, _: Any) -> frozenset[str]:
    """Whose steps the caller reads."""
    return frozenset({CLIENT} if actor.role is Role.CLIENT else {CLIENT, STAFF})
