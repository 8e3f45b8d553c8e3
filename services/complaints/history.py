"""What happened to cases, in order, never changed: acts are noted by the table of acts, the rest here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.acts import Step, begin, note
from chassis.uow import UnitOfWork

CLIENT, BRANCH, CENTRE, COMPLIANCE = "client", "branch", "centre", "compliance"
EVERYBODY, STAFF = (CLIENT, BRANCH, CENTRE), (BRANCH, CENTRE)


@dataclass(frozen=True, slots=True)
class CaseStep:
    """One thing that happened to a case without changing its state, and who reads of it."""

    case_id: UUID
    what: str
    state: str
    at: datetime
    detail: dict[str, Any] = field(default_factory=dict)
    tells: Sequence[str] = STAFF

    def as_step(self) -> Step:
        """As histories are kept."""
        return Step(f"case/{self.case_id}", self.what, self.state, self.state, self.at, self.tells, self.detail)


async def first(uow: UnitOfWork, steps: Sequence[CaseStep]) -> None:
    """The first steps of new cases, in one copy."""
    await begin(uow, [one.as_step() for one in steps])


async def add(uow: UnitOfWork, steps: Sequence[CaseStep]) -> None:
    """Further steps, at most one of each case; the cases are locked."""
    await note(uow, [one.as_step() for one in steps])
