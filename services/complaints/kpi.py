"""The complaint share (投诉占比) and how complaints were handled, by branch and by person [C20].

Only upheld complaints count against anybody, so that nobody gains by keeping one out; a complaint counts in the period
in which it was closed. Shares are percentages to two places, as text, and absent where there is nothing to divide by.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import asyncpg

from chassis.clock import start_of
from services.complaints.packs.figures import Period
from services.complaints.tables import CORES

_CLOSED = f"""
    SELECT c.branch_id, c.employee, c.outcome, c.upheld IS TRUE AS upheld,
           NOT EXISTS (SELECT FROM act_steps s WHERE s.object = 'case/' || c.case_id AND s.act = 'escalated: due') AS in_time,
           c.to_tell_since IS NULL AS told,
           coalesce({CORES.on("core", "c.client_id", "$3::date")}, false) AS core,
           s.detail IS NOT NULL AS answered,
           s.detail IS NOT NULL AND coalesce((s.detail->>'accepted')::bool, true)
               AND NOT EXISTS (SELECT FROM jsonb_each_text(s.detail->'scores') x WHERE x.value::int <= 2) AS satisfied
    FROM cases c
    LEFT JOIN LATERAL (SELECT detail FROM act_steps s WHERE s.object = 'case/' || c.case_id AND s.act = 'satisfaction recorded'
                       ORDER BY number DESC LIMIT 1) s ON true
    WHERE c.kind = 'complaint' AND NOT c.restricted AND NOT c.imported AND c.closed_at >= $1 AND c.closed_at < $2"""


async def of_branches(sql: asyncpg.Connection, period: Period) -> list[dict[str, Any]]:
    """What each branch's complaints came to."""
    rows = await sql.fetch(
        f"""SELECT branch_id, count(*) AS closed, count(*) FILTER (WHERE upheld) AS upheld,
                   count(*) FILTER (WHERE in_time) AS in_time, count(*) FILTER (WHERE told) AS told,
                   count(*) FILTER (WHERE answered) AS answered, count(*) FILTER (WHERE satisfied) AS satisfied,
                   count(*) FILTER (WHERE answered AND core) AS core_answered,
                   count(*) FILTER (WHERE satisfied AND core) AS core_satisfied
            FROM ({_CLOSED}) closed GROUP BY branch_id ORDER BY branch_id""",
        *_window(period),
    )
    upheld = sum(row["upheld"] for row in rows)
    return [
        dict(row)
        | {
            "complaint_share": percent(row["upheld"], upheld),
            "in_time_share": percent(row["in_time"], row["closed"]),
            "told_share": percent(row["told"], row["closed"]),
            "satisfaction": percent(row["satisfied"], row["answered"]),
            "core_satisfaction": percent(row["core_satisfied"], row["core_answered"]),
        }
        for row in rows
    ]


async def of_people(sql: asyncpg.Connection, period: Period) -> list[dict[str, Any]]:
    """The share of each person in their branch's upheld complaints, and against the clients in their care."""
    rows = await sql.fetch(
        f"""SELECT closed.branch_id, closed.employee, count(*) AS upheld, b.upheld AS of_branch,
                   (SELECT count(*) FROM clients k WHERE k.manager_id = closed.employee) AS clients
            FROM ({_CLOSED}) closed
            JOIN (SELECT branch_id, count(*) AS upheld FROM ({_CLOSED}) u WHERE u.upheld GROUP BY branch_id) b
                 USING (branch_id)
            WHERE closed.upheld AND closed.employee IS NOT NULL
            GROUP BY closed.branch_id, closed.employee, b.upheld ORDER BY closed.branch_id, closed.employee""",
        *_window(period),
    )
    return [
        dict(row)
        | {
            "complaint_share": percent(row["upheld"], row["of_branch"]),
            "per_hundred_clients": percent(row["upheld"], row["clients"]),
        }
        for row in rows
    ]


def percent(part: int, whole: int) -> str | None:
    """A percentage to two places, rounded half up; None of nothing."""
    return str((Decimal(100 * part) / whole).quantize(Decimal("0.01"), ROUND_HALF_UP)) if whole else None


def _window(period: Period) -> Sequence[datetime | date]:
    return start_of(period.first), period.cut_off, period.last
