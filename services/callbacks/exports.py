"""Exports: every task as text, sorted by its id; dates are business dates in Asia/Shanghai."""

from collections.abc import AsyncIterator
from datetime import date

import asyncpg

from services.callbacks.rules import OPEN

CALLBACK_COLUMNS = ("task_id", "client_id", "rule", "topic", "queue", "branch_id", "created_on", "due_on", "state")
ROWS_AT_ONCE = 5_000
_GOES_ON = ", ".join(f"'{state}'" for state in OPEN if state != "exhausted")
# A task that goes on after its breach is shown as expired until it is completed or exhausted [C11].
STATE_ON = f"""(SELECT CASE WHEN t.expired_at IS NOT NULL AND t.due_on <= $1 AND last.state IN ({_GOES_ON}) THEN 'expired'
                            ELSE last.state END
        FROM (SELECT coalesce((
            SELECT s.after FROM act_steps s WHERE s.object = 'task/' || t.task_id
              AND coalesce((s.detail->>'on_day')::date, (s.at AT TIME ZONE 'Asia/Shanghai')::date) <= $1
            ORDER BY s.number DESC LIMIT 1), 'planned') AS state) last) AS state"""
"""The state of tasks t after the close of $1, as SQL."""

# What an export would have shown had the facts ended with the day: tasks that day's close had made, in the state of
# their last step by then.
_AS_OF = f"""
    SELECT t.task_id, t.client_id, t.rule, t.topic, t.queue, coalesce(t.branch_id, c.branch_id), t.created_on, t.due_on,
           s.state
    FROM tasks t LEFT JOIN clients c USING (client_id) CROSS JOIN LATERAL (SELECT {STATE_ON}) s
    WHERE t.found_on <= $1 ORDER BY t.task_id"""
_NOW = f"""
    SELECT t.task_id, t.client_id, t.rule, t.topic, t.queue, coalesce(t.branch_id, c.branch_id), t.created_on, t.due_on,
           CASE WHEN t.expired_at IS NOT NULL AND t.state IN ({_GOES_ON}) THEN 'expired' ELSE t.state END
    FROM tasks t LEFT JOIN clients c USING (client_id) ORDER BY t.task_id"""


async def callbacks(sql: asyncpg.Connection, as_of: date | None) -> AsyncIterator[tuple[str, ...]]:
    """A row per task; `as_of` D shows what was known and in force after the close of D."""
    async with sql.transaction(isolation="repeatable_read", readonly=True):
        rows = sql.cursor(_NOW, prefetch=ROWS_AT_ONCE) if as_of is None else sql.cursor(_AS_OF, as_of)
        async for key, client, rule, topic, queue, branch, created, due, state in rows:
            yield str(key), client, rule, topic, queue, branch or "", created.isoformat(), due.isoformat(), state
