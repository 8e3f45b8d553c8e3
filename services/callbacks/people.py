"""Who works which queue [B2]: the call centre or the branch, for themselves and for those they stand in for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from chassis import staff
from chassis.actor import Actor, Role
from chassis.staff import Roster
from services.callbacks.errors import Away

SERVING = (Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)
"""The roles of those who work on tasks."""
OPEN_TO_ALL = (Role.HQ, Role.OPERATIONS, Role.SYSTEM)


@dataclass(frozen=True, slots=True)
class Agent:
    """A person at work: their staff id, the queues they work, the branch, and whose own tasks they may take."""

    staff_id: str
    role: Role
    branch_id: str | None
    queues: tuple[str, ...]
    owners: tuple[str, ...]

    @property
    def is_compliance(self) -> bool:
        """Whether restricted tasks may be seen [B6]."""
        return self.role is Role.COMPLIANCE


async def agent_of(sql: asyncpg.Connection, actor: Actor, at: datetime) -> Agent:
    """The caller as an agent.

    Raises: Away when the roster knows them as absent, or gone.
    """
    roster, staff_id = await staff.roster(sql), actor.person
    if roster.person(staff_id, at) is not None and not roster.is_present(staff_id, at):
        raise Away
    return Agent(staff_id, actor.role, actor.branch_id, queues_of(actor), tuple(owners_for(roster, staff_id, at)))


def queues_of(actor: Actor) -> tuple[str, ...]:
    """The queues a caller works: the call centre's seat its own, a branch's people the branch's and the managers'."""
    if actor.role is Role.COMPLIANCE:
        return ("compliance",)
    if actor.role in OPEN_TO_ALL or actor.is_centre:
        return ("centre",)
    return ("branch", "manager")


def owners_for(roster: Roster, staff_id: str, at: datetime) -> list[str]:
    """Whose own tasks somebody may take: their own, and those of absent colleagues they are the deputy of, at any
    remove; circles end where they began."""
    found = [staff_id]
    for other in sorted(roster.people):
        if other != staff_id and not roster.is_present(other, at) and staff_id in deputies(roster, other, at):
            found.append(other)
    return found


def deputies(roster: Roster, staff_id: str, at: datetime) -> Sequence[str]:
    """The first present deputies of an absent person: a deputy who is away too is asked for theirs."""
    waiting, asked, found = [staff_id], {staff_id}, []
    while waiting:
        person = roster.person(waiting.pop(0), at)
        for deputy in person.deputies if person else ():
            if deputy in asked:
                continue
            asked.add(deputy)
            if roster.is_present(deputy, at):
                found.append(deputy)
            else:
                waiting.append(deputy)
    return found
