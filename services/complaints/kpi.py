"""The complaint share (投诉占比) and how complaints were handled, by branch and by person [C20].

Only upheld complaints count against anybody, so that nobody gains by keeping one out; a complaint counts in the period
in which it was closed, and what is recorded only after that period's figures were made in the next, shown apart. Shares are
percentages to two places, as text, and absent where there is nothing to divide by.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import asyncpg

from chassis.clock import start_of
from chassis.uow import UnitOfWork
from services.complaints.packs.figures import Period
from services.complaints.tables import CORES

# $1 and $2: the period; $4: what was recorded by then is known; $5: when the figures before were made. A complaint counts
# where it ended, each time it did: an end that was recorded only after the figures of its own period counts in the next.
_CLOSED = f"""
    SELECT c.branch_id, c.employee, coalesce(u.upheld, false) AS upheld, e.at < $1 AS late,
           NOT EXISTS (SELECT FROM act_steps s WHERE s.object = e.object AND s.act = 'escalated: due'
                         AND s.number < e.number) AS in_time,
           EXISTS (SELECT FROM contacts k WHERE k.case_id = c.case_id AND k.at >= e.at AND k.at <= $4) AS told,
           coalesce({CORES.on("core", "c.client_id", "$3::date")}, false) AS core,
           s.detail IS NOT NULL AS answered,
           s.detail IS NOT NULL AND coalesce((s.detail->>'accepted')::bool, true)
               AND NOT EXISTS (SELECT FROM jsonb_each_text(s.detail->'scores') x WHERE x.value::int <= 2) AS satisfied
    FROM cases c
    JOIN LATERAL (SELECT object, number, at FROM act_steps e
                  WHERE e.object = 'case/' || c.case_id AND e.before <> e.after AND e.after IN ('closed', 'withdrawn', 'rejected')
                    AND e.at < $2 AND e.recorded_at <= $4 AND (e.at >= $1 OR e.recorded_at > $5)
                  ORDER BY e.number DESC LIMIT 1) e ON true
    LEFT JOIN LATERAL (SELECT (detail->>'upheld')::bool AS upheld FROM act_steps s WHERE s.object = e.object
                         AND s.act = 'feedback' AND s.number < e.number ORDER BY number DESC LIMIT 1) u ON true
    LEFT JOIN LATERAL (SELECT detail FROM act_steps s WHERE s.object = e.object AND s.act = 'satisfaction recorded'
                         AND s.number < e.number ORDER BY number DESC LIMIT 1) s ON true
    WHERE c.kind = 'complaint' AND NOT c.restricted AND NOT c.imported
      AND (c.closed_at >= $1::timestamptz - interval '60 days' OR c.generation > 1)"""


async def kept(sql: asyncpg.Connection, period: Period) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The figures of branches and of people: as the period's close made them, else as they stand so far."""
    row = await sql.fetchrow("SELECT branches, people FROM kept_figures WHERE period = $1", period.name)
    return (row["branches"], row["people"]) if row else (await of_branches(sql, period), await of_people(sql, period))


async def keep(uow: UnitOfWork, period: Period) -> None:
    """Keep the figures of a period that ends, once: nothing that is recorded later changes them."""
    await uow.sql.execute(
        "INSERT INTO kept_figures (period, made_at, branches, people) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        period.name,
        uow.now,
        await of_branches(uow.sql, period, uow.now),
        await of_people(uow.sql, period, uow.now),
    )


async def of_branches(sql: asyncpg.Connection, period: Period, known: datetime | None = None) -> list[dict[str, Any]]:
    """What each branch's complaints came to."""
    rows = await sql.fetch(
        f"""SELECT branch_id, count(*) AS closed, count(*) FILTER (WHERE upheld) AS upheld,
                   count(*) FILTER (WHERE in_time) AS in_time, count(*) FILTER (WHERE told) AS told,
                   count(*) FILTER (WHERE late) AS recorded_late,
                   count(*) FILTER (WHERE answered) AS answered, count(*) FILTER (WHERE satisfied) AS satisfied,
                   count(*) FILTER (WHERE answered AND core) AS core_answered,
                   count(*) FILTER (WHERE satisfied AND core) AS core_satisfied
            FROM ({_CLOSED}) closed GROUP BY branch_id ORDER BY branch_id""",
        *await _window(sql, period, known),
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


async def of_people(sql: asyncpg.Connection, period: Period, known: datetime | None = None) -> list[dict[str, Any]]:
    """The share of each person in their branch's upheld complaints, and against the clients in their care."""
    rows = await sql.fetch(
        f"""SELECT closed.branch_id, closed.employee, count(*) AS upheld, b.upheld AS of_branch,
                   (SELECT count(*) FROM clients k WHERE k.manager_id = closed.employee) AS clients
            FROM ({_CLOSED}) closed
            JOIN (SELECT branch_id, count(*) AS upheld FROM ({_CLOSED}) u WHERE u.upheld GROUP BY branch_id) b
                 USING (branch_id)
            WHERE closed.upheld AND closed.employee IS NOT NULL
            GROUP BY closed.branch_id, closed.employee, b.upheld ORDER BY closed.branch_id, closed.employee""",
        *await _window(sql, period, known),
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


async def _window(sql: asyncpg.Connection, period: Period, known: datetime | None) -> Sequence[datetime | date | None]:
    known = known or await sql.fetchval("SELECT clock_timestamp()")
    before = await sql.fetchval(
        "SELECT made_at FROM kept_figures WHERE period = $1", f"{period.first - timedelta(days=1):%Y-%m}"
    )
    return start_of(period.first), period.cut_off, period.last, known, before
