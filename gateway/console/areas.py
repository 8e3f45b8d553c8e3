"""The work areas and for whom each is: the bar shows a visitor theirs."""

from typing import NamedTuple

from chassis.actor import Role

STAFF = tuple(role for role in Role if role is not Role.CLIENT)
PEOPLE = tuple(role for role in STAFF if role is not Role.SYSTEM)
SERVING = (Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)


class Area(NamedTuple):
    """A work area: its address, its name in the bar, and for whom it is."""

    path: str
    name: str
    roles: tuple[Role, ...]


AREAS = (
    Area("/", "My day", STAFF),
    Area("/callbacks", "Callbacks", SERVING),
    Area("/complaints", "Complaints", (*SERVING, Role.OPERATIONS)),
    Area("/approvals", "Approvals", PEOPLE),
    Area("/clients", "Clients", STAFF),
    Area("/managers", "Managers", (Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)),
    Area("/me", "My account", (Role.CLIENT,)),
    Area("/policies", "Policy", PEOPLE),
    Area("/compliance", "Compliance", (Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)),
    Area("/operations", "Operations", STAFF),
    Area("/docs", "API", STAFF),
    Area("/events", "Events", STAFF),
)
