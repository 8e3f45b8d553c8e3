"""Figures per day, template and way [MS19]: asked, kept back and why, handed, delivered, how fast."""

from datetime import date

import asyncpg


async def figures(sql: asyncpg.Connection, first: date, last: date, kind: str | None) -> list[asyncpg.Record]:
    """The figures of the messages asked for in a span of days, by day, kind and way (none: not decided, or never to go). An
    opt-out counts to the last message before it, of at most three days."""
    found: list[asyncpg.Record] = await sql.fetch(
        """WITH own AS (SELECT * FROM messages WHERE asked_on BETWEEN $1 AND $2 AND ($3::text IS NULL OR kind = $3)),
                why AS (SELECT asked_on, kind, message_class, way, jsonb_object_agg(reason, n) AS reasons
                        FROM (SELECT asked_on, kind, message_class, way, reason, count(*) AS n FROM own
                              WHERE state = 'suppressed' GROUP BY 1, 2, 3, 4, 5) s GROUP BY 1, 2, 3, 4),
                outs AS (SELECT m.asked_on, m.kind, m.message_class, m.way, count(*)::int AS opt_outs
                         FROM consents k CROSS JOIN LATERAL (
                             SELECT * FROM (
                                 (SELECT * FROM messages a WHERE a.address_token = k.number AND a.handed_at <= k.since
                                  ORDER BY a.handed_at DESC LIMIT 1) UNION ALL
                                 (SELECT * FROM messages a WHERE k.number IS NULL AND a.client_id = k.client_id
                                    AND a.handed_at <= k.since ORDER BY a.handed_at DESC LIMIT 1)) b LIMIT 1) m
                         WHERE NOT k.allowed AND m.asked_on BETWEEN $1 AND $2 AND m.handed_at > k.since - interval '3 days'
                         GROUP BY 1, 2, 3, 4)
           SELECT o.asked_on AS day, o.kind, o.message_class, o.way, count(*) AS asked,
                  count(*) FILTER (WHERE state IN ('planned', 'queued')) AS waiting,
                  coalesce((SELECT reasons FROM why w WHERE (w.asked_on, w.kind, w.message_class) =
                            (o.asked_on, o.kind, o.message_class) AND w.way IS NOT DISTINCT FROM o.way), '{}') AS suppressed,
                  count(*) FILTER (WHERE state = 'expired') AS expired, count(*) FILTER (WHERE handed_at IS NOT NULL) AS handed,
                  count(*) FILTER (WHERE state = 'delivered') AS delivered,
                  count(*) FILTER (WHERE state = 'undelivered') AS undelivered,
                  count(*) FILTER (WHERE state = 'unknown') AS unknown,
                  count(*) FILTER (WHERE read_at IS NOT NULL) AS read,
                  coalesce((SELECT opt_outs FROM outs w WHERE (w.asked_on, w.kind, w.message_class) =
                            (o.asked_on, o.kind, o.message_class) AND w.way IS NOT DISTINCT FROM o.way), 0) AS opt_outs,
                  round(coalesce((SELECT opt_outs FROM outs w WHERE (w.asked_on, w.kind, w.message_class) =
                            (o.asked_on, o.kind, o.message_class) AND w.way IS NOT DISTINCT FROM o.way), 0) * 1000.0
                        / nullif(count(*) FILTER (WHERE handed_at IS NOT NULL), 0), 1)::float8 AS opt_outs_per_1000,
                  coalesce(sum(parts) FILTER (WHERE handed_at IS NOT NULL AND merged_into IS NULL), 0)::int AS parts,
                  percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM ended_at - handed_at)::float8)
                      FILTER (WHERE state = 'delivered') AS delay_p95_s
           FROM own o GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4 NULLS FIRST""",
        first,
        last,
        kind,
    )
    return found
