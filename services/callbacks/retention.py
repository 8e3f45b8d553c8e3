"""Retention (挽留): why clients leave, what to say to it, and regular drills [A20]. Nothing here can hold up an exit.

The reasons of recent years decide the order in which a script shows what may be said. Everybody from the counter to the
general manager takes part in drills; a branch without one in its time is named.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from chassis import staff
from chassis.clock import months_after, start_of
from chassis.errors import FieldError, Invalid, NotFound, Text
from chassis.personal import mask_text
from chassis.uow import UnitOfWork
from services.callbacks.evidence import EvidenceMissing
from services.callbacks.policy import Policies
from services.callbacks.statistics import rate

TOPIC = "retention"


async def reasons(sql: asyncpg.Connection, first: date, last: date, branch_id: str | None) -> list[dict[str, Any]]:
    """Why clients left or stayed in a span of days: each reason with its outcomes, the most frequent first."""
    rows = await sql.fetch(
        """SELECT answers->>'reason' AS reason, count(*) AS clients,
                  count(*) FILTER (WHERE answers->>'outcome' = 'stays') AS stays,
                  count(*) FILTER (WHERE answers->>'outcome' = 'leaves') AS leaves,
                  count(*) FILTER (WHERE answers->>'outcome' = 'undecided') AS undecided
           FROM attempts WHERE topic = $4 AND valid AND answers ? 'reason' AND on_day BETWEEN $1 AND $2
             AND ($3::text IS NULL OR branch_id = $3)
           GROUP BY 1 ORDER BY 2 DESC, 1""",
        first,
        last,
        branch_id,
        TOPIC,
    )
    return [{**dict(row), "stays_rate": rate(row["stays"], row["clients"])} for row in rows]


async def plays(sql: asyncpg.Connection, on: date) -> list[dict[str, Any]]:
    """What to say to each reason, those heard most in recent years first: shown beside the script of a retention call."""
    policies = await Policies.read(sql)
    terms = policies.retention.on(on).body
    heard = {row["reason"]: row for row in await reasons(sql, months_after(on, -12 * terms.reasons_of_years), on, None)}
    found = [
        {
            "reason": reason,
            "words": dict(words),
            "heard": heard[reason]["clients"] if reason in heard else 0,
            "stayed": heard[reason]["stays"] if reason in heard else 0,
        }
        for reason, words in terms.plays.items()
    ]
    return sorted(found, key=lambda play: (-play["heard"], play["reason"]))


async def hold_drill(
    uow: UnitOfWork,
    drill_id: UUID,
    branch_id: str,
    held_on: date,
    today: date,
    scenario: str,
    participants: Mapping[str, str],
    evidence_id: str,
    lessons: str,
) -> None:
    """Record a drill: who took part in which role, on which scenario, with its proof and what was learnt.

    Raises: Invalid for a date ahead or too long ago, an unknown reason, strangers, or roles that were absent;
    EvidenceMissing.
    """
    policies = await uow.policies(Policies)
    version = policies.retention.on(held_on)
    terms, errors = version.body, []
    if held_on > today:
        errors.append(FieldError("body#/held_on", "lies ahead"))
    if scenario not in terms.plays:
        errors.append(FieldError("body#/scenario", f"one of {', '.join(terms.plays)}"))
    if held_on < today - timedelta(days=terms.drill_every_days):
        errors.append(FieldError("body#/held_on", f"lies more than {terms.drill_every_days} days back"))
    errors += await _unknown(uow, participants, held_on)
    if missing := [role for role in terms.drill_roles if role not in participants.values()]:
        errors.append(FieldError("body#/participants", f"nobody took part as {', '.join(missing)}"))
    if errors:
        raise Invalid(errors=tuple(errors))
    known = await uow.sql.fetchval(
        "SELECT EXISTS (SELECT FROM evidence WHERE evidence_id = $1 AND client_id = $2)",
        evidence_id,
        f"branch:{branch_id}",
    )
    if not known:
        raise EvidenceMissing(Text("no such evidence of this branch", "该营业部名下无此凭证"))
    await uow.sql.execute(
        """INSERT INTO drills (drill_id, branch_id, held_on, scenario, participants, evidence_id, lessons, recorded_by,
                               recorded_at, policy) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)""",
        drill_id,
        branch_id,
        held_on,
        scenario,
        dict(participants),
        evidence_id,
        mask_text(lessons),
        uow.actor.person,
        uow.now,
        version.name,
    )
    uow.audit(
        "drill_held",
        f"branch/{branch_id}",
        policy=version.name,
        drill=str(drill_id),
        on=held_on,
        scenario=scenario,
        evidence=evidence_id,
    )


async def _unknown(uow: UnitOfWork, participants: Mapping[str, str], held_on: date) -> list[FieldError]:
    """Who is named and did not work here on that day; nobody is known where no staff was heard of."""
    known, at = await staff.roster(uow.sql), start_of(held_on)
    strangers = [
        one
        for one in participants
        if known.people and ((person := known.person_of(one, uow.now)) is None or known.has_left(person, at))
    ]
    return [FieldError(f"body#/participants/{one}", "is nobody who worked here that day") for one in strangers]


async def cancel_drill(uow: UnitOfWork, drill_id: UUID, branch_id: str | None, reason: str) -> asyncpg.Record:
    """A drill that does not stand: it counts no more, and that it was recorded stays known.

    Raises: NotFound.
    """
    row = await uow.sql.fetchrow(
        """UPDATE drills SET cancelled_at = $2, cancelled_by = $3, cancel_reason = $4
           WHERE drill_id = $1 AND cancelled_at IS NULL AND ($5::text IS NULL OR branch_id = $5) RETURNING *""",
        drill_id,
        uow.now,
        uow.actor.person,
        mask_text(reason),
        branch_id,
    )
    if row is None:
        raise NotFound
    uow.audit("drill_cancelled", f"branch/{row['branch_id']}", drill=str(drill_id), reason=mask_text(reason))
    return row


async def drills(
    sql: asyncpg.Connection, branch_id: str | None, after: Sequence[Any] | None, limit: int
) -> list[asyncpg.Record]:
    """Drills of one branch or of all, newest first; those behind `after`."""
    return list(
        await sql.fetch(
            """SELECT * FROM drills WHERE ($1::text IS NULL OR branch_id = $1)
                 AND ($2::text IS NULL OR (held_on, drill_id) < ($2::text::date, $3::text::uuid))
               ORDER BY held_on DESC, drill_id DESC LIMIT $4""",
            branch_id,
            *(after or (None, None)),
            limit,
        )
    )


async def without_drill(sql: asyncpg.Connection, branches: Sequence[str], on: date) -> list[dict[str, Any]]:
    """Of these branches, those whose last drill is too long ago, or that never held one; the longest wait first."""
    policies = await Policies.read(sql)
    days = policies.retention.on(on).body.drill_every_days
    rows = await sql.fetch(
        """SELECT b.branch_id, max(d.held_on) AS last_held_on FROM unnest($1::text[]) AS b(branch_id)
           LEFT JOIN drills d ON d.branch_id = b.branch_id AND d.held_on <= $2 AND d.cancelled_at IS NULL
           GROUP BY 1 HAVING max(d.held_on) IS NULL OR max(d.held_on) < $3 ORDER BY 2 NULLS FIRST, 1""",
        list(branches),
        on,
        on - timedelta(days=days),
    )
    return [dict(row) for row in rows]
