"""The history of an object: one list, each step with the audiences that read it; closed unless its act says so."""

from collections.abc import Sequence
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


async def add(uow: UnitOfWork, table: Acts[Row], done: Sequence[Doing[Row]]) -> None:
    """A step for each act; the objects are locked."""
    aggregate = table.aggregate
    await uow.sql.execute(
        """INSERT INTO act_steps (object, number, act, before, after, at, recorded_at, late, person, role, tells, detail)
           SELECT n.object, (SELECT coalesce(max(number), 0) + 1 FROM act_steps s WHERE s.object = n.object),
                  n.act, n.before, n.after, n.at, $7, n.late, $8, $9, $10, n.detail::jsonb
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bool[], $11::text[])
                AS n(object, act, before, after, at, late, detail)""",
        [aggregate.named(one.id) for one in done],
        [one.act.name for one in done],
        [aggregate.state_of(one.before) for one in done],
        [aggregate.state_of(one.row) for one in done],
        [one.at for one in done],
        [one.late for one in done],
        uow.now,
        uow.actor.person,
        uow.actor.role,
        list(done[0].act.tells),
        [msgspec.json.encode(one.detail, enc_hook=encode_custom).decode() for one in done],
    )


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
