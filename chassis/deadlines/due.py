"""A deadline that fires, as its handler sees it."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from chassis.uow import UnitOfWork


class Due(msgspec.Struct, frozen=True, gc=False):
    """A deadline that fires now. `due` is what was armed; `at` is when it counts as having fired (aware, UTC).

    In a real home `at` is the moment it fires, late as that may be; in a simulated home it is `due`. An effect that
    is true from the deadline on (a breach) counts from `due`, what is done about it (a notice) from `at`.

    `by` is up to when deadlines fire now. What a handler would arm for a time until then, as the next step of the same,
    it may see to at once, and keep with `fired_along`: in a backlog that spares each step the way through the table.
    """

    kind: str
    object: str
    key: str
    step: str
    due: datetime
    at: datetime
    generation: int
    by: datetime
    payload: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def late(self) -> timedelta:
        """How late it fires; nothing in a simulated home."""
        return self.at - self.due


DeadlineHandler = Callable[[Sequence[Due], UnitOfWork], Awaitable[None]]
