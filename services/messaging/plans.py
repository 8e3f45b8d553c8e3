"""What waits, what was stopped, what was heard: lists for the desk and for compliance."""

from collections.abc import Sequence
from typing import Any

import asyncpg


async def waiting(sql: asyncpg.Connection) -> list[dict[str, Any]]:
    """How many messages wait, by day due, template, state and reason."""
    found = await sql.fetch(
        """SELECT (greatest(due_at, not_before) AT TIME ZONE 'Asia/Shanghai')::date AS day, kind, message_class, state,
                  reason AS why, count(*) AS messages
           FROM messages WHERE state IN ('planned', 'queued') GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 4, 5"""
    )
    return [dict(row) for row in found]


async def opt_outs(sql: asyncpg.Connection, after: Sequence[Any] | None, limit: int) -> list[dict[str, Any]]:
    """Words against a class of messages, newest first."""
    found = await sql.fetch(
        """SELECT consent_id, client_id, number, message_class, channel, since, how, recorded_by, evidence FROM consents
           WHERE NOT allowed AND ($1::text IS NULL OR (since, consent_id) < ($1::text::timestamptz, $2::text::uuid))
           ORDER BY since DESC, consent_id DESC LIMIT $3""",
        *(after or (None, None)),
        limit,
    )
    return [dict(row) for row in found]


async def heard(sql: asyncpg.Connection, after: Sequence[Any] | None, limit: int) -> list[dict[str, Any]]:
    """Replies, newest first."""
    found = await sql.fetch(
        """SELECT inbound_id, client_id, command, at, received_at FROM inbound
           WHERE $1::text IS NULL OR (received_at, inbound_id) < ($1::text::timestamptz, $2::text)
           ORDER BY received_at DESC, inbound_id DESC LIMIT $3""",
        *(after or (None, None)),
        limit,
    )
    return [dict(row) for row in found]


async def totals(sql: asyncpg.Connection) -> list[tuple[str, str, int, str]]:
    """Messages by state and way, with the oldest that is due: what `careline messages status` prints."""
    found = await sql.fetch(
        """SELECT state, coalesce(way, '-') AS way, count(*), coalesce(min(due_at)::text, '') FROM messages
           GROUP BY 1, 2 ORDER BY 1, 2"""
    )
    return [(state, way, count, oldest) for state, way, count, oldest in found]
