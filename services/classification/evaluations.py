"""Month evaluations as known at any instant: what a later fact replaces is kept, with both its times.

A row of `months`, `month_values` or `month_cores` is of a month (what it is about) and known from `recorded_at` on. The one
it takes the place of goes to `earlier_evaluations`, with until when it was known. A row that comes out the same is the
same row.
"""

from collections.abc import Mapping
from datetime import date

import asyncpg

WORTH_KEEPING = {"months": "code IS NOT NULL", "month_values": "true"}
RUNNING_TOTALS = ["recorded_at", "last_total", "day_sum_to", "known_days_to", "traded_to", "orders_to"]
"""Not what a month was found to be: the totals run on from month to month, and move with any earlier fact."""


async def take_back(sql: asyncpg.Connection, table: str, since: Mapping[str, date]) -> None:
    """Take clients' rows of a table from their days on away, to be evaluated again."""
    await sql.execute(
        f"""WITH gone AS (DELETE FROM {table} t USING unnest($1::text[], $2::date[]) AS n(client_id, day)
                          WHERE t.client_id = n.client_id AND t.month_end >= n.day RETURNING t.*)
            INSERT INTO earlier_evaluations (kind, client_id, month_end, recorded_at, superseded_at, body)
            SELECT '{table}', client_id, month_end, recorded_at, now(), to_jsonb(gone) FROM gone
            WHERE {WORTH_KEEPING[table]}""",
        list(since),
        list(since.values()),
    )


async def stay_known(sql: asyncpg.Connection, table: str, since: Mapping[str, date]) -> None:
    """After `take_back` and the evaluation: rows that came out the same are known since when they were."""
    await sql.execute(
        f"""WITH same AS (
                DELETE FROM earlier_evaluations e USING {table} t
                WHERE e.kind = '{table}' AND e.client_id = ANY($1::text[]) AND e.superseded_at = now()
                  AND t.client_id = e.client_id AND t.month_end = e.month_end
                  AND to_jsonb(t) - $2::text[] = e.body - $2::text[]
                RETURNING e.client_id, e.month_end, e.recorded_at)
            UPDATE {table} t SET recorded_at = same.recorded_at FROM same
            WHERE t.client_id = same.client_id AND t.month_end = same.month_end""",
        list(since),
        RUNNING_TOTALS,
    )


def as_known(table: str, client: str, at: str) -> str:
    """SQL: the rows of a client as known at an instant, two expressions; known now where that is null."""
    return f"""(SELECT * FROM {table} WHERE client_id = {client} AND recorded_at <= coalesce({at}::timestamptz, 'infinity')
                UNION ALL
                SELECT was.* FROM earlier_evaluations e, jsonb_populate_record(NULL::{table}, e.body) was
                WHERE e.kind = '{table}' AND e.client_id = {client} AND e.recorded_at <= {at} AND e.superseded_at > {at})"""
