"""Shadow run of a policy: the service's own code runs twice over today's data, as it is in force and with the draft.

Both runs happen in a transaction whose every trace is undone: nothing is kept, nothing is told. What each leaves is
compared state by state, so that an unchanged policy changes nothing.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from chassis.errors import Conflict, Text
from chassis.policy import PolicyTable
from chassis.timeline import today
from chassis.uow import UnitOfWork

SAMPLE = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run leaves: by aspect (`tier`) the state of each object (client: GOLD), and sums (`points`)."""

    states: Mapping[str, Mapping[str, str]]
    sums: Mapping[str, Decimal] = field(default_factory=dict)


Shadow = Callable[[UnitOfWork, date], Awaitable[Outcome]]
"""Runs a service's coming closes from a day on and says what they leave."""


class NoShadowRun(Conflict):
    """This service has nothing to run in shadow."""

    title = Text("No shadow run", "不支持试运行")


class Move(BaseModel):
    """How many objects would be in another state."""

    aspect: str
    before: str = Field(serialization_alias="from")
    after: str = Field(serialization_alias="to")
    objects: int = Field(serialization_alias="clients")


class Moved(BaseModel):
    """One object that would be in another state."""

    aspect: str
    object: str = Field(serialization_alias="client_id")
    before: str = Field(serialization_alias="from")
    after: str = Field(serialization_alias="to")


class Sum(BaseModel):
    """A sum as it would be now and with the draft; the difference is the cost."""

    name: str
    before: Decimal
    after: Decimal
    difference: Decimal


class ShadowRun(BaseModel):
    """What a draft would change: how many were looked at, who moves from what to what, sums and their difference."""

    first_day: date
    evaluated: int
    moves: list[Move]
    sample: list[Moved]
    sums: list[Sum]


class Change(BaseModel):
    """One place of a body: a JSON pointer, what stands there now and what would."""

    pointer: str
    before: Any = None
    after: Any = None


async def run(
    uow: UnitOfWork, shadow: Shadow | None, table: PolicyTable[Any], branch: str, body: dict[str, Any]
) -> ShadowRun:
    """Run the service's coming closes without and with a body in force.

    Raises: PolicyInvalid, NoShadowRun.
    """
    table.parse(dict(body))
    if shadow is None:
        raise NoShadowRun
    # The closer takes its turn before or after this, never in between.
    await uow.sql.execute("SELECT FROM closed_days FOR UPDATE")
    first = await today(uow.sql)
    outcomes = []
    for draft in (None, body):
        async with uow.undone():
            await _schedule(uow, table, branch, first, draft)
            outcomes.append(await shadow(uow, first))
    return compared(first, *outcomes)


async def _schedule(
    uow: UnitOfWork, table: PolicyTable[Any], branch: str, first: date, draft: dict[str, Any] | None
) -> None:
    """What is in force on the first day stays in force, or the draft is: versions of later days are not looked at."""
    await uow.sql.execute(
        """UPDATE policy_versions SET state = 'withdrawn' WHERE name = $1 AND state = 'published'
           AND (effective_on > $2 OR effective_on = $2 AND scope = $3 AND $4)""",
        table.name,
        first,
        branch,
        draft is not None,
    )
    if draft is not None:
        await uow.sql.execute(
            """INSERT INTO policy_versions (name, scope, version, effective_on, body, reason, state, made_by, made_at)
               VALUES ($1, $2, 0, $3, $4, 'shadow run', 'published', $5, $6)""",
            table.name,
            branch,
            first,
            draft,
            uow.actor.person,
            uow.now,
        )


def compared(first: date, before: Outcome, after: Outcome) -> ShadowRun:
    """The difference of two outcomes."""
    moves: Counter[tuple[str, str, str]] = Counter()
    sample: list[Moved] = []
    evaluated = 0
    for aspect in {**before.states, **after.states}:
        was, now = before.states.get(aspect, {}), after.states.get(aspect, {})
        evaluated = max(evaluated, len(was), len(now))
        for object_ in sorted(was.keys() | now.keys()):
            old, new = was.get(object_, ""), now.get(object_, "")
            if old != new:
                moves[aspect, old, new] += 1
                if len(sample) < SAMPLE:
                    sample.append(Moved(aspect=aspect, object=object_, before=old, after=new))
    sums = []
    for name in {**before.sums, **after.sums}:
        old_sum, new_sum = before.sums.get(name, Decimal(0)), after.sums.get(name, Decimal(0))
        sums.append(Sum(name=name, before=old_sum, after=new_sum, difference=new_sum - old_sum))
    return ShadowRun(
        first_day=first,
        evaluated=evaluated,
        moves=[
            Move(aspect=aspect, before=old, after=new, objects=count)
            for (aspect, old, new), count in sorted(moves.items(), key=lambda move: (-move[1], move[0]))
        ],
        sample=sample,
        sums=sums,
    )


def changes_between(before: Any, after: Any) -> list[Change]:
    """Every place in which two bodies differ, lists compared item by item."""
    return list(_changes(before, after, ""))


def _changes(before: Any, after: Any, pointer: str) -> Iterator[Change]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _changes(before.get(key), after.get(key), f"{pointer}/{key}")
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            was, now = (side[index] if index < len(side) else None for side in (before, after))
            yield from _changes(was, now, f"{pointer}/{index}")
    elif before != after:
        yield Change(pointer=pointer, before=before, after=after)
