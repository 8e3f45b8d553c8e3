"""Who acts: a person, a system, or the platform itself."""

from dataclasses import dataclass
from enum import StrEnum

CALL_CENTRE = "call_centre"
"""The seat of the call centre's people (呼叫中心坐席), in whatever unit."""


class Role(StrEnum):
    """What a caller may be. Object-level rules (own data, own branch) come on top."""

    CLIENT = "client"
    AGENT = "agent"
    CLIENT_MANAGER = "client_manager"
    BRANCH_MANAGER = "branch_manager"
    HQ = "hq"
    COMPLIANCE = "compliance"
    OPERATIONS = "operations"
    SYSTEM = "system"


OF_A_BRANCH = frozenset((Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER))
"""Roles that mean nothing without a branch."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A caller: `subject` is the name they signed in with, `client_id` is set for clients, `branch_id` for staff of a
    branch.

    `person` is who that is, under however many names: the roster's staff id, or the client's id. Every comparison of
    people (ownership, conflict of interest, second person) compares persons. `seats` are the (unit, seat) they act in,
    their own and those they stand in for.
    """

    subject: str
    role: Role
    client_id: str | None = None
    branch_id: str | None = None
    purpose: str | None = None
    person: str = ""
    seats: frozenset[tuple[str, str]] = frozenset()

    def __post_init__(self) -> None:
        if not self.person:
            object.__setattr__(self, "person", self.client_id or self.subject.removeprefix("user:"))

    @property
    def sees_all_branches(self) -> bool:
        """Whether object rules put no branch limit on this caller."""
        return self.role in {Role.HQ, Role.COMPLIANCE, Role.OPERATIONS, Role.SYSTEM}

    @property
    def is_centre(self) -> bool:
        """Whether the caller acts for the call centre: a seat, not a role."""
        return any(seat == CALL_CENTRE for _, seat in self.seats)


PLATFORM = Actor("careline", Role.SYSTEM)
