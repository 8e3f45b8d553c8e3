"""Who acts: a person, a system, or the platform itself."""

from dataclasses import dataclass
from enum import StrEnum


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


@dataclass(frozen=True, slots=True)
class Actor:
    """A caller: `subject` names them, `client_id` is set for clients, `branch_id` for staff of a branch."""

    subject: str
    role: Role
    client_id: str | None = None
    branch_id: str | None = None
    purpose: str | None = None

    @property
    def sees_all_branches(self) -> bool:
        """Whether object rules put no branch limit on this caller."""
        return self.role in {Role.HQ, Role.COMPLIANCE, Role.OPERATIONS, Role.SYSTEM}


PLATFORM = Actor("careline", Role.SYSTEM)
