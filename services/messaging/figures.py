"""Figures per day, template and way [MS19]: asked, kept back and why, handed, delivered, how fast."""

from datetime import date

import asyncpg


async def figures(sql: asyncpg.Connection, first: date, last: date, kind: str | None) -> list[asyncpg.Record]:
    """The figures of the messages asked for in a span of days, by day, kind and way (none: not decided, or never to go)."""
    found: list[asyncpg.Record] = await sql.fetch(
        """WITH own AS (SELECT * FROM messages WHERE asked_on BETWEEN $1 AND $2 AND ($3::text IS NULL OR kind = $3)),
                why AS (SELECT asked_on, kind, message_class, way, jsonb_object_agg(reason, n) AS reasons
                        FROM (SELECT asked_on, kind, message_class, way, reason, count(*) AS n FROM own
                              WHERE state = 'suppressed' GROUP BY 1, 2, 3, 4, 5) s GROUP BY 1, 2, 3, 4)
           SELECT o.asked_on AS day, o.kind, o.message_class, o.way, count(*) AS asked,
                  count(*) FILTER (WHERE state IN ('planned', 'queued')) AS waiting,
                  coalesce((SELECT reasons FROM why w WHERE (w.asked_on, w.kind, w.message_class) =
                            (o.asked_on, o.kind, o.message_class) AND w.way IS NOT DISTINCT FROM o.way), '{}') AS suppressed,
                  count(*) FILTER (WHERE state = 'expired') AS expired, count(*) FILTER (WHERE handed_at IS NOT NULL) AS handed,
                  count(*) FILTER (WHERE state = 'delivered') AS delivered,
                  count(*) FILTER (WHERE state = 'undelivered') AS undelivered,
                  count(*) FILTER (WHERE state = 'unknown') AS unknown,
                  count(*) FILTER (WHERE read_at IS NOT NULL) AS read,
                  coalesce(sum(parts) FILTER (WHERE handed_at IS NOT NULL AND merged_into IS NULL), 0)::int AS parts,
                  percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - handed_at)::float8)
                      FILTER (WHERE state = 'delivered') AS delay_p95_s
           FROM own o GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4 NULLS FIRST""",
        first,
        last,
        kind,
    )
    return found
