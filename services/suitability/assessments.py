"""Assessments (评估): a level with its first and last day, made here or imported; immutable [Q5, Q6]."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import asyncpg

from chassis.clock import months_after
from chassis.uow import UnitOfWork
from contracts.suitability import AssessmentCompleted
from services.suitability import drift, due, sale_holds
from services.suitability.levels import SCHEMES, held_in
from services.suitability.policy import Policy
from services.suitability.situations import in_force

COLUMNS = (
    "partition",
    "number",
    "assessment_id",
    "client_id",
    "scheme",
    "level",
    "rank",
    "valid_from",
    "valid_until",
    "source",
    "submission_id",
    "assessed_at",
    "recorded_at",
    "rank_before",
    "policy",
)


@dataclass(frozen=True, slots=True)
class Assessment:
    """A level about to be kept. `assessed_at` is when the client answered: the newest counts. `rank_before`: of the level
    in force before it, in the firm's scheme."""

    assessment_id: str
    client_id: str
    branch_id: str | None
    scheme: str
    level: str
    valid_from: date
    valid_until: date
    source: Literal["questionnaire", "imported"]
    assessed_at: datetime
    submission_id: str | None = None
    rank_before: int | None = None


def last_day(assessed_on: date, policy: Policy) -> date:
    """The last day of an assessment: the same date twelve months later, 29 February to 28 [Q5]."""
    return months_after(assessed_on, policy.validity_months)


async def keep(uow: UnitOfWork, made: Sequence[Assessment], policy: str) -> None:
    """Keep new assessments and tell of them."""
    counts: dict[int, int] = {}
    for assessment in made:
        partition = uow.partition_of(assessment.client_id)
        counts[partition] = counts.get(partition, 0) + 1
    following = await uow.numbers("assessments", counts)
    rows = []
    for a in made:
        partition = uow.partition_of(a.client_id)
        rank = SCHEMES[a.scheme].rank(a.level)
        rows.append(
            (
                partition,
                following[partition],
                a.assessment_id,
                a.client_id,
                a.scheme,
                a.level,
                rank,
                a.valid_from,
                a.valid_until,
                a.source,
                a.submission_id,
                a.assessed_at,
                uow.now,
                a.rank_before,
                policy,
            )
        )
        following[partition] += 1
    await uow.sql.copy_records_to_table("assessments", records=rows, columns=COLUMNS)
    uow.emit_all(
        AssessmentCompleted(
            client_id=a.client_id,
            branch_id=a.branch_id,
            assessment_id=a.assessment_id,
            scheme=a.scheme,
            level=a.level,
            valid_from=a.valid_from,
            valid_until=a.valid_until,
            source=a.source,
        )
        for a in made
    )
    since: dict[str, date] = {}
    for a in made:
        since[a.client_id] = max(a.valid_from, since.get(a.client_id, a.valid_from))
    await sale_holds.lift(uow, since)


async def take_effect(uow: UnitOfWork, made: Assessment, policy: Policy) -> None:
    """Keep an assessment made here, and look at once at what it no longer covers."""
    await keep(uow, [made], policy.version)
    await due.note(uow, [due.Changed(made.valid_from, made.client_id)])
    rank = held_in(made.scheme, SCHEMES[made.scheme].rank(made.level), policy.scheme)
    if made.rank_before is not None and rank < made.rank_before:
        looked = [(made.client_id, made.valid_from, made.valid_from)]
        uow.emit_all(await drift.look_at_clients(uow, looked, "level_lowered"))


async def level_on(sql: asyncpg.Connection, client: str, day: date) -> asyncpg.Record | None:
    """The assessment in force on a day."""
    return await sql.fetchrow(in_force("$1", "$2::date"), client, day)


async def history(sql: asyncpg.Connection, client: str) -> list[dict[str, Any]]:
    """Every assessment of a client, oldest first; those a review rejected are marked."""
    rows = await sql.fetch(
        """SELECT a.assessment_id, a.scheme, a.level, a.valid_from, a.valid_until, a.source, a.submission_id,
                   a.assessed_at, EXISTS (SELECT FROM reviews r WHERE r.assessment_id = a.assessment_id
                                        AND r.state = 'rejected') AS rejected
            FROM assessments a WHERE a.client_id = $1 ORDER BY a.assessed_at, a.number""",
        client,
    )
    return [dict(row) for row in rows]
