"""What managers can do: skills with dated evidence that fades, and how many clients they have room for [A6, A26]."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

import asyncpg
from uuid_utils import uuid7

from chassis import staff
from chassis.errors import FieldError
from chassis.rows import columns, fetch
from chassis.timeline import effective_now
from chassis.uow import UnitOfWork
from services.relationships import assignments
from services.relationships.errors import WrongValue
from services.relationships.policy import Allocation
from services.relationships.tables import Skill
from services.relationships.transport import Manager

SELF = "self_assessment"
BEST_LEVEL, THOUSAND = 5, 1000


def strength(found: Sequence[Skill], day: date, terms: Allocation) -> int:
    """A skill in thousandths: the best of its evidence as it has faded by a day; a self-assessment counts for less.

    Evidence fades by half in each half-life, evenly between.
    """
    return max((_faded(one, day, terms) for one in found if one.shown_on <= day), default=0)


def _faded(one: Skill, day: date, terms: Allocation) -> int:
    months = (day.year - one.shown_on.year) * 12 + day.month - one.shown_on.month
    halvings, rest = divmod(max(months, 0), terms.half_life_months)
    whole = Decimal(THOUSAND * one.level) / BEST_LEVEL / 2**halvings
    faded = whole - whole / 2 * rest / terms.half_life_months
    share = terms.self_percent if one.kind == SELF else 100
    return int((faded * share / 100).quantize(Decimal(1), ROUND_HALF_UP))


async def skills_of(
    sql: asyncpg.Connection, persons: Sequence[str], day: date, terms: Allocation
) -> dict[str, dict[str, int]]:
    """The strength of each skill of each person."""
    found: defaultdict[tuple[str, str], list[Skill]] = defaultdict(list)
    for one in await fetch(
        sql,
        Skill,
        f"SELECT {columns(Skill)} FROM manager_skills WHERE staff_id = ANY($1::text[]) ORDER BY evidence_id",
        list(persons),
    ):
        found[one.staff_id, one.skill].append(one)
    strengths: dict[str, dict[str, int]] = {person: {} for person in persons}
    for (person, skill), own in found.items():
        strengths[person][skill] = strength(own, day, terms)
    return strengths


async def capacities_of(sql: asyncpg.Connection, persons: Sequence[str], terms: Allocation) -> dict[str, int]:
    """How many clients each person has room for."""
    rows = await sql.fetch(
        "SELECT staff_id, capacity FROM manager_capacities WHERE staff_id = ANY($1::text[])", list(persons)
    )
    own: Mapping[str, int] = {row["staff_id"]: row["capacity"] for row in rows}
    return {person: own.get(person, terms.capacity) for person in persons}


async def ready(sql: asyncpg.Connection, persons: Sequence[str], day: date, terms: Allocation) -> list[Manager]:
    """Managers as the allocation sees them."""
    skills, capacities = await skills_of(sql, persons, day, terms), await capacities_of(sql, persons, terms)
    return [
        Manager(person, skills[person], capacities[person], dict(terms.by_tier.items()), terms.core_capacity)
        for person in persons
    ]


async def add_skill(
    uow: UnitOfWork, person: str, skill: str, level: int, kind: str, evidence: str, shown_on: date
) -> UUID:
    """Keep evidence of a skill.

    Raises: WrongValue for somebody who does not work here.
    """
    await require_here(uow, person)
    one = Skill(UUID(bytes=uuid7().bytes), person, skill, level, kind, evidence, shown_on, uow.actor.person, uow.now)
    await uow.sql.execute(
        f"INSERT INTO manager_skills ({columns(Skill)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        *(getattr(one, name) for name in Skill.__struct_fields__),
    )
    uow.audit("add skill", f"staff/{person}", skill=skill, level=level, kind=kind, evidence=evidence)
    return one.evidence_id


async def set_capacity(uow: UnitOfWork, person: str, capacity: int) -> None:
    """Say how many clients somebody has room for; none is a number too.

    Raises: WrongValue for somebody who does not work here.
    """
    await require_here(uow, person)
    await uow.sql.execute(
        """INSERT INTO manager_capacities (staff_id, capacity, entered_by, recorded_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT (staff_id) DO UPDATE SET capacity = excluded.capacity, entered_by = excluded.entered_by,
               recorded_at = excluded.recorded_at""",
        person,
        capacity,
        uow.actor.person,
        uow.now,
    )
    uow.audit("set capacity", f"staff/{person}", capacity=capacity)


async def require_here(uow: UnitOfWork, person: str) -> None:
    """Raises: WrongValue for somebody who does not work here."""
    at = await effective_now(uow.sql, uow.now)
    if not assignments.works_here(await staff.roster(uow.sql), person, at):
        raise WrongValue(errors=(FieldError("/person", "does not work here"),))
