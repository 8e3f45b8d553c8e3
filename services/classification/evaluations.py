"""Month evaluations as known at any instant: what a later fact replaces is kept, with both its times.

A row of `months`, `month_values` or `month_cores` is of a month (what it is about) and known from `recorded_at` on. The one
it takes the place of goes to `earlier_evaluations`, with until when it was known. A row that comes out the same is the
same row.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import asyncpg

from chassis.uow import UnitOfWork
from contracts.classification import MonthEvaluated
from contracts.fields import Amount
from services.classification.statements import among, named, whole_tables

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


def _news(clients: Sequence[str] | None) -> str:
    """SQL: the evaluations of the month ends $1 that this transaction made, changed or took away; of all clients, or of those
    named and of whoever changed rank with them."""
    made = " UNION ".join(
        f"SELECT client_id, month_end FROM {table} WHERE month_end = ANY($1::date[]) AND recorded_at = now() AND {whom}"
        for table, whom in (
            ("month_values", among(clients, 2)),
            ("months", f"code IS NOT NULL AND {among(clients, 2)}"),
            ("month_cores", "true"),
        )
    )
    return f"""WITH news AS ({made} UNION SELECT client_id, month_end FROM earlier_evaluations
                             WHERE superseded_at = now() AND month_end = ANY($1::date[]))
        SELECT client_id, coalesce(v.branch_id, c.branch_id), n.month_end,
               (SELECT count(at) FROM (
                    SELECT e.recorded_at AS at FROM earlier_evaluations e WHERE (e.client_id, e.month_end) = (n.client_id, n.month_end)
                    UNION SELECT superseded_at FROM earlier_evaluations e WHERE (e.client_id, e.month_end) = (n.client_id, n.month_end)
                    UNION VALUES (v.recorded_at), (CASE WHEN m.code IS NOT NULL THEN m.recorded_at END), (r.recorded_at)) instants),
               v.assets, m.turnover, v.commission,
               CASE WHEN v.client_id IS NOT NULL THEN coalesce((
                   SELECT sum(d.commission) FROM trade_days d WHERE d.client_id = n.client_id AND d.day <= n.month_end
                      AND d.day >= date_trunc('year', n.month_end)::date), 0) END,
               v.value, v.value_type, r.rank, CASE WHEN m.trader THEN 'TRADER' WHEN NOT m.trader THEN 'INVESTOR' END
        FROM news n JOIN clients c USING (client_id) LEFT JOIN month_values v USING (client_id, month_end)
            LEFT JOIN months m USING (client_id, month_end) LEFT JOIN month_cores r USING (client_id, month_end)
        ORDER BY n.month_end, client_id"""


async def tell(uow: UnitOfWork, lasts: Sequence[date], clients: Sequence[str] | None) -> None:
    """Tell what month closes found where this transaction changed it. The revision counts the instants at which that changed, so each
    transaction that tells of a month tells a higher one."""
    async with whole_tables(uow.sql, clients is None):
        rows = await uow.sql.fetch(_news(clients), list(lasts), *named(clients))
    for client_id, branch, last, revision, *amounts, value_type, rank, investor in rows:
        assets, turnover, commission, year, value = (None if one is None else Amount(one) for one in amounts)
        uow.emit(
            MonthEvaluated(
                client_id=client_id,
                branch_id=branch,
                month_end=last,
                revision=revision,
                mean_assets=assets,
                turnover=turnover,
                commission=commission,
                year_commission=year,
                value=value,
                value_type=value_type,
                rank=rank,
                investor_type=investor,
            )
        )
