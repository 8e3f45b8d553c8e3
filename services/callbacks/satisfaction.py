"""Satisfaction as surveyed in calls, letters and e-surveys: every score given, by branch, topic and question [B18, A22]."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import asyncpg

from services.callbacks.policy import Policies
from services.callbacks.statistics import rate

SATISFIED_FROM = 4
"""Of 5: satisfied or very satisfied."""


def score_questions(policies: Policies) -> Sequence[str]:
    """The codes of every question that asks for a score, of all versions of all scripts."""
    return sorted(
        {
            question.code
            for versions in policies.scripts.values()
            for version in versions.all
            for question in version.body.questions
            if question.kind == "score"
        }
    )


async def numbers(
    sql: asyncpg.Connection, first: date, last: date, branch_id: str | None, core_only: bool
) -> list[dict[str, Any]]:
    """Scores given in valid contacts of a span of days; `core_only`: by clients who were core on the day."""
    policies = await Policies.read(sql)
    rows = await sql.fetch(
        """SELECT coalesce(a.branch_id, '') AS branch_id, a.topic, said.key AS question, count(*) AS answers,
                  round(avg(said.value::int), 2) AS average,
                  count(*) FILTER (WHERE said.value::int >= $5) AS satisfied
           FROM attempts a CROSS JOIN LATERAL jsonb_each_text(a.answers) AS said
           WHERE a.valid AND a.on_day BETWEEN $1 AND $2 AND ($3::text IS NULL OR a.branch_id = $3)
             AND said.key = ANY($4::text[]) AND said.value ~ '^[1-5]$'
             AND (NOT $6::bool OR EXISTS (SELECT FROM tag_stretches t WHERE t.client_id = a.client_id AND t.tag = 'CORE'
                      AND t.since <= a.on_day AND (t.until IS NULL OR t.until > a.on_day)))
           GROUP BY 1, 2, 3 ORDER BY 1, 2, 3""",
        first,
        last,
        branch_id,
        score_questions(policies),
        SATISFIED_FROM,
        core_only,
    )
    return [{**dict(row), "satisfied_rate": rate(row["satisfied"], row["answers"])} for row in rows]


async def needs(sql: asyncpg.Connection, first: date, last: date, branch_id: str | None) -> list[dict[str, Any]]:
    """What important clients said of their changed needs in care calls: what the regular callback is for [B18]."""
    rows = await sql.fetch(
        """SELECT client_id, branch_id, on_day, agent, answers->>'needs_changed' AS changed, answers->>'needs' AS needs
           FROM attempts WHERE topic = 'care' AND valid AND on_day BETWEEN $1 AND $2
             AND ($3::text IS NULL OR branch_id = $3) AND (answers->>'needs_changed' = 'yes' OR answers->>'needs' <> '')
           ORDER BY on_day DESC, attempt_id LIMIT 200""",
        first,
        last,
        branch_id,
    )
    return [dict(row) for row in rows]
