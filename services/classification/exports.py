"""Exports: rows as text, sorted by key, streamed from a server-side cursor.

`as_of` D shows what is in force from the start of D+1, the close of D included: what an export would have shown had
the facts ended with D.
"""

from collections.abc import AsyncIterator
from datetime import date

import asyncpg

from contracts.classification import TIERS
from services.classification.group_rules import primary_of
from services.classification.history import live

CLIENT_COLUMNS = ("client_id", "branch_id", "opened_on", "class", "provisional", "asset_mean", "turnover", "tier")
TIER_COLUMNS = ("client_id", "tier", "from", "to", "reason")
GROUP_COLUMNS = ("client_id", "group", "lifecycle", "value", "value_type", "core")
ROWS_AT_ONCE = 5_000


async def clients(sql: asyncpg.Connection, as_of: date | None) -> AsyncIterator[tuple[str, ...]]:
    """A row per client opened by then: its class with that class's inputs, and its tier."""
    async with sql.transaction():
        rows = sql.cursor(
            """WITH closed AS (SELECT least($1::date, through) AS through FROM closed_days),
                    evaluated AS (SELECT max(month_end) AS month_end FROM months
                                  WHERE month_end <= (SELECT through FROM closed) AND code IS NOT NULL)
               SELECT c.client_id, c.branch_id, c.opened_on, m.code, m.provisional, m.mean, m.turnover, t.tier
               FROM clients c
               LEFT JOIN LATERAL (
                   SELECT code, provisional, round(mean, 2) AS mean, round(turnover, 4) AS turnover FROM months m
                   WHERE m.client_id = c.client_id AND m.month_end <= (SELECT month_end FROM evaluated)
                     AND m.code IS NOT NULL ORDER BY m.month_end DESC LIMIT 1) m ON true
               JOIN LATERAL (
                   SELECT tier FROM tiers t WHERE t.client_id = c.client_id
                     AND (t.since <= coalesce($1::date, (SELECT through FROM closed)) + 1 OR t.since = c.opened_on)
                   ORDER BY t.since DESC LIMIT 1) t ON true
               WHERE $1::date IS NULL OR c.opened_on <= $1 ORDER BY c.client_id COLLATE "C" """,
            as_of,
            prefetch=ROWS_AT_ONCE,
        )
        async for client_id, branch_id, opened_on, code, provisional, mean, turnover, tier in rows:
            classed = (code, "true" if provisional else "false", str(mean), str(turnover)) if code else ("",) * 4
            yield client_id, branch_id, opened_on.isoformat(), *classed, TIERS[tier]


async def tiers(sql: asyncpg.Connection, as_of: date | None) -> AsyncIterator[tuple[str, ...]]:
    """A row per stretch of the effective tier, the first from the opening; `to` exclusive, empty when open."""
    async with sql.transaction():
        rows = sql.cursor(
            """SELECT t.client_id, t.tier, t.since, CASE WHEN t.until <= $1::date + 1 OR $1::date IS NULL THEN t.until END, t.reason
               FROM tiers t JOIN clients c USING (client_id)
               WHERE $1::date IS NULL OR (c.opened_on <= $1 AND t.since <= $1::date + 1)
               ORDER BY t.client_id COLLATE "C", t.since""",
            as_of,
            prefetch=ROWS_AT_ONCE,
        )
        async for client_id, tier, since, until, reason in rows:
            yield client_id, TIERS[tier], since.isoformat(), until.isoformat() if until else "", reason


async def groups(sql: asyncpg.Connection, as_of: date | None) -> AsyncIterator[tuple[str, ...]]:
    """A row per client opened by then: primary group [K7], lifecycle [V5], V with its type [V1], core [V2].

    A closed account has no group and, from the month close after on, is LOST without V; before a client's first month
    close V and type are empty.
    """
    async with sql.transaction():
        rows = sql.cursor(
            f"""WITH closed AS (SELECT least($1::date, through) AS through FROM closed_days),
                     known AS (SELECT (date_trunc('month', through + 1) - interval '1 day')::date AS month_end,
                                      through + 1 AS today FROM closed),
                     decided AS (
                         SELECT DISTINCT ON (client_id) client_id, tags FROM group_decisions d
                         WHERE effective_on <= (SELECT today FROM known) AND {live("group_decisions")}
                         ORDER BY client_id, effective_on DESC)
                SELECT c.client_id, g.tags, v.lifecycle, round(v.value, 2), v.value_type, m.client_id IS NOT NULL
                FROM clients c LEFT JOIN decided g ON g.client_id = c.client_id
                LEFT JOIN LATERAL (SELECT * FROM month_values v WHERE v.client_id = c.client_id
                                   AND v.month_end <= (SELECT month_end FROM known) ORDER BY v.month_end DESC LIMIT 1) v ON true
                LEFT JOIN month_cores m ON m.month_end = (SELECT month_end FROM known) AND m.client_id = c.client_id
                WHERE c.opened_on < (SELECT today FROM known) ORDER BY c.client_id COLLATE "C" """,
            as_of,
            prefetch=ROWS_AT_ONCE,
        )
        async for client_id, tags, lifecycle, value, value_type, core in rows:
            figures = (str(value), value_type) if value is not None else ("", "")
            yield client_id, primary_of(tags) or "", lifecycle or "ESTABLISHED", *figures, "true" if core else "false"
