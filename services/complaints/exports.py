"""Exports: one row per case, as text."""

from collections.abc import AsyncGenerator
from datetime import date

import asyncpg

from chassis.clock import end_of
from chassis.timeline import Timeline, timeline
from services.complaints.packs.figures import dues_as_known

ROWS_AT_ONCE = 2000
CASE_COLUMNS = (
    "case_id",
    "external_ref",
    "received_on",
    "source",
    "channel",
    "flow",
    "severity",
    "state",
    "owner",
    "branch_id",
    "dispatch_met",
    "due_on",
)


async def cases(sql: asyncpg.Connection, as_of: date | None = None) -> AsyncGenerator[tuple[str, ...], None]:
    """Every case as it stands, or those received by the end of a day as they were known to stand then, sorted by
    `external_ref` as text.

    Group cases of the radar are nobody's complaint and stay out, and so do cases of conduct, which compliance alone sees
    [C28]. A case opened here has no such number: it comes first, in order of its id.
    """
    columns = ", ".join(f"coalesce({name}::text, '')" for name in CASE_COLUMNS)
    order = """kind <> 'cluster' AND NOT restricted ORDER BY coalesce(external_ref, '') COLLATE "C", case_id"""
    async with sql.transaction(isolation="repeatable_read", readonly=True):
        if as_of is None:
            async for row in sql.cursor(f"SELECT {columns} FROM cases WHERE {order}", prefetch=ROWS_AT_ONCE):
                yield tuple(row)
            return
        # In a replayed home nothing is recorded on its own day: there what had happened by then is what was known.
        real = await timeline(sql) is Timeline.REAL
        by, known = end_of(as_of), end_of(as_of) if real else await sql.fetchval("SELECT clock_timestamp()")
        cursor = await sql.cursor(f"SELECT {columns}, object FROM ({_AS_OF}) c WHERE {order}", by, known)
        while rows := await cursor.fetch(ROWS_AT_ONCE):
            dues = await dues_as_known(sql, {row["object"] for row in rows if row["object"]}, by, known)
            for row in rows:
                *shown, due_on, object_ = row
                yield (*shown, str(dues.get(object_) or "") if object_ else due_on)


# What had happened by $1 and was recorded by $2.
_AS_OF = """
    SELECT c.case_id, c.external_ref, c.received_on, c.source, c.channel, c.flow, c.kind, c.restricted,
           coalesce(s.severity, 'ordinary') AS severity, s.state, coalesce(s.owner, c.owner) AS owner,
           coalesce(n.branch_id, c.branch_id) AS branch_id,
           CASE WHEN c.dispatch_due IS NULL THEN NULL WHEN s.sent IS NOT NULL THEN s.sent < c.dispatch_due
                WHEN s.unsent THEN false END AS dispatch_met,
           c.due_on, k.object
    FROM cases c
    JOIN LATERAL (
        SELECT (array_agg(after ORDER BY number DESC))[1] AS state, 1 + count(*) FILTER (WHERE act = 'reopen') AS generation,
               min(at) FILTER (WHERE act = 'dispatch') AS sent, bool_or(act = 'dispatch breached') AS unsent,
               (array_agg(CASE WHEN act IN ('accept', 'take_over') THEN person WHEN act = 'assign' THEN detail->>'to'
                               ELSE detail->>'owner' END ORDER BY number DESC)
                FILTER (WHERE act IN ('accept', 'take_over', 'assign', 'owner_left', 'reopen', 'received')
                          AND (act <> 'received' OR detail ? 'owner')))[1] AS owner,
               (array_agg(CASE act WHEN 'became major' THEN 'major' WHEN 'downgrade' THEN 'ordinary'
                                   ELSE detail->>'severity' END ORDER BY number DESC)
                FILTER (WHERE act IN ('received', 'became major', 'downgrade', 'corrected', 'new_facts', 'demand')
                          AND (act IN ('became major', 'downgrade') OR detail ? 'severity')))[1] AS severity
        FROM act_steps WHERE object = 'case/' || c.case_id AND at < $1 AND recorded_at <= $2 HAVING count(*) > 0) s ON true
    LEFT JOIN LATERAL (
        SELECT detail->'wrong'->>'branch_id' AS branch_id FROM act_steps
        WHERE object = 'case/' || c.case_id AND act = 'correct' AND detail->'wrong' ? 'branch_id'
          AND NOT (at < $1 AND recorded_at <= $2) ORDER BY number LIMIT 1) n ON true
    LEFT JOIN clocks k ON k.object = 'case/' || c.case_id || '/' || s.generation AND k.clock = 'result'"""
