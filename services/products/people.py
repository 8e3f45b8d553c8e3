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
DESK_DECIDES = by(Role.HQ, Role.COMPLIANCE)


def audiences(actor: Actor, _: Any) -> frozenset[str]:
    """Whose steps the caller reads."""
    return frozenset({CLIENT} if actor.role is Role.CLIENT else {CLIENT, STAFF})
