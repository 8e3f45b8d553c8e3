"""What happened to cases, in order, never changed: every state with when it began and who made it so."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from chassis.uow import UnitOfWork
from contracts.base import encode_custom

COLUMNS = ("case_id", "number", "generation", "what", "state", "at", "recorded_at", "actor", "detail")


@dataclass(frozen=True, slots=True)
class CaseStep:
    """One thing that happened, and the state from there on."""

    case_id: UUID
    what: str
    state: str
    at: datetime
    generation: int = 1
    detail: dict[str, Any] = field(default_factory=dict)


async def first(uow: UnitOfWork, steps: Sequence[CaseStep]) -> None:
    """The first steps of new cases, in one copy; several of one case in their order."""
    numbers: dict[UUID, int] = {}
    rows = []
    for one in steps:
        number = numbers[one.case_id] = numbers.get(one.case_id, 0) + 1
        rows.append(
            (one.case_id, number, one.generation, one.what, one.state, one.at, uow.now, uow.actor.person, one.detail)
        )
    await uow.sql.copy_records_to_table("case_moves", records=rows, columns=COLUMNS)


async def add(uow: UnitOfWork, steps: Sequence[CaseStep]) -> None:
    """Further steps, at most one of each case; the cases are locked."""
    await uow.sql.execute(
        """INSERT INTO case_moves (case_id, number, generation, what, state, at, recorded_at, actor, detail)
           SELECT n.case_id, (SELECT coalesce(max(number), 0) + 1 FROM case_moves m WHERE m.case_id = n.case_id),
                  n.generation, n.what, n.state, n.at, $6, $7, n.detail::jsonb
           FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::timestamptz[], $8::text[])
                AS n(case_id, generation, what, state, at, detail)""",
        [one.case_id for one in steps],
        [one.generation for one in steps],
        [one.what for one in steps],
        [one.state for one in steps],
        [one.at for one in steps],
        uow.now,
        uow.actor.person,
        [_json(one.detail) for one in steps],
    )


def _json(detail: dict[str, Any]) -> str:
    return msgspec.json.encode(detail, enc_hook=encode_custom).decode()
