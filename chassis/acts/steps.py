"""The history of an object: one list, each step with the audiences that read it; closed unless its act says so."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from pydantic import BaseModel, Field

from chassis.actor import Actor
from chassis.acts.table import Acts, Doing, Row
from chassis.uow import UnitOfWork
from contracts.base import encode_custom


class HistoryStep(BaseModel):
    """One thing that happened to an object."""

    number: int
    act: str
    before: str
    after: str
    at: datetime = Field(description="when it happened")
    recorded_at: datetime
    late: bool = Field(description="entered after it happened")
    person: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to an object (`case/ID`), and the audiences that read of it."""

    object: str
    act: str
    before: str
    after: str
    at: datetime
    tells: Sequence[str] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)
    late: bool = False


COLUMNS = (
    "object", "number", "act", "before", "after", "at", "recorded_at", "late", "person", "role", "tells", "detail",
)  # fmt: skip


async def begin(uow: UnitOfWork, steps: Sequence[Step]) -> None:
    """The first steps of new objects, in one copy; several of one object in their order."""
    numbers: defaultdict[str, int] = defaultdict(int)
    rows = []
    for one in steps:
        numbers[one.object] += 1
        rows.append(
            (
                one.object, numbers[one.object], one.act, one.before, one.after, one.at, uow.now, one.late,
                uow.actor.person, uow.actor.role, list(one.tells), dict(one.detail),
            )
        )  # fmt: skip
    await uow.sql.copy_records_to_table("act_steps", records=rows, columns=COLUMNS)


async def note(uow: UnitOfWork, steps: Sequence[Step]) -> None:
    """Further steps, at most one of each object; the objects are locked. For what happens to an object without an act of
    anybody's: a clock that runs out, somebody who is told."""
    alike: defaultdict[Sequence[str], list[Step]] = defaultdict(list)
    for one in steps:
        alike[tuple(one.tells)].append(one)
    for tells, group in alike.items():
        await uow.sql.execute(
            """INSERT INTO act_steps (object, number, act, before, after, at, recorded_at, late, person, role, tells, detail)
               SELECT n.object, (SELECT coalesce(max(number), 0) + 1 FROM act_steps s WHERE s.object = n.object),
                      n.act, n.before, n.after, n.at, $7, n.late, $8, $9, $10, n.detail::jsonb
               FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bool[], $11::text[])
                    AS n(object, act, before, after, at, late, detail)""",
            [one.object for one in group],
            [one.act for one in group],
            [one.before for one in group],
            [one.after for one in group],
            [one.at for one in group],
            [one.late for one in group],
            uow.now,
            uow.actor.person,
            uow.actor.role,
            list(tells),
            [msgspec.json.encode(one.detail, enc_hook=encode_custom).decode() for one in group],
        )


async def add(uow: UnitOfWork, table: Acts[Row], done: Sequence[Doing[Row]]) -> None:
    """A step for each act; the objects are locked."""
    aggregate = table.aggregate
    await note(
        uow,
        [
            Step(
                aggregate.named(one.id), one.act.name, aggregate.state_of(one.before), aggregate.state_of(one.row),
                one.at, one.act.tells, one.detail, one.late,
            )
            for one in done
        ],
    )  # fmt: skip


async def history(sql: asyncpg.Connection, table: Acts[Row], actor: Actor, row: Row) -> list[HistoryStep]:
    """The steps of an object that the caller may read, oldest first."""
    aggregate = table.aggregate
    rows = await sql.fetch(
        "SELECT * FROM act_steps WHERE object = $1 AND tells && $2::text[] ORDER BY number",
        aggregate.named(aggregate.of(row, aggregate.id)),
        sorted(aggregate.audiences(actor, row)),
    )
    return [HistoryStep.model_validate(dict(step)) for step in rows]


async def last_steps(sql: asyncpg.Connection, objects: Sequence[str]) -> dict[str, datetime]:
    """When the last step of each object happened, of those that have one."""
    rows = await sql.fetch(
        "SELECT object, max(at) AS at FROM act_steps WHERE object = ANY($1::text[]) GROUP BY object", list(objects)
    )
    return {row["object"]: row["at"] for row in rows}
