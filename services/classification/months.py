"""Month ends: what each client's daily totals sum up to [K2a], and the class that follows [K1, K2].

Sums run on from month to month, so a window of twelve months is a difference of two rows whatever the number of
valuations; all clients, or some whose facts came late, are done by the same statements.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import asyncpg

from chassis.clock import month_end, months_after
from services.classification.policies import ClassPolicy, class_policies

WINDOW_MONTHS = 12


@dataclass(frozen=True, slots=True)
class ClassChange:
    """A client's class from the first of the next month on, where it differs from the one before."""

    client_id: str
    partition: int
    branch_id: str
    effective_on: date
    code: str
    previous: str | None
    provisional: bool
    mean: Decimal
    turnover: Decimal
    policy: str


def month_before(last: date, months: int = 1) -> date:
    """The month end some months earlier."""
    return month_end(months_after(last.replace(day=1), -months))


async def close_month(
    sql: asyncpg.Connection, last: date, policies: "Sequence[tuple[str, str, ClassPolicy]]", clients: list[str] | None
) -> list[ClassChange]:
    """Evaluate the month that ends on `last` for all clients, or for some.

    `policies` are (scope, name, body): the firm's first, then branches' overrides.
    """
    await _make_up_missing_months(sql, last, clients)
    await _sum_month(sql, last, clients)
    return await _classify(sql, last, policies, clients)


async def _make_up_missing_months(sql: asyncpg.Connection, last: date, clients: list[str] | None) -> None:
    """Sum the eleven months before for clients with facts in them but no row (a home that begins, an early fact)."""
    missing = await sql.fetch(
        """SELECT client_id FROM clients c
           WHERE ($3::text[] IS NULL OR client_id = ANY($3)) AND opened_on <= $1
             AND NOT EXISTS (SELECT FROM months m WHERE m.month_end = $2 AND m.client_id = c.client_id)
             AND (EXISTS (SELECT FROM valuations v WHERE v.client_id = c.client_id AND v.as_of <= $2)
                  OR EXISTS (SELECT FROM trade_days d WHERE d.client_id = c.client_id AND d.day <= $2))""",
        last,
        month_before(last),
        clients,
    )
    if missing:
        ids = [client_id for (client_id,) in missing]
        for months in range(WINDOW_MONTHS - 1, 0, -1):
            await _sum_month(sql, month_before(last, months), ids)


async def _sum_month(sql: asyncpg.Connection, last: date, clients: list[str] | None) -> None:
    """Sum the daily totals, trades and orders of the month that ends on `last` [K2a].

    A day without a valuation carries the last one before it; days before the first one are unknown.
    """
    first = last.replace(day=1)
    await sql.execute(
        """WITH base AS (
               SELECT c.client_id, p.day_sum_to, p.known_days_to, p.traded_to, p.orders_to,
                      CASE WHEN p.client_id IS NOT NULL THEN p.last_total
                           ELSE (SELECT total FROM valuations v WHERE v.client_id = c.client_id AND v.as_of < $1
                                 ORDER BY v.as_of DESC LIMIT 1) END AS carried
               FROM clients c LEFT JOIN months p ON p.month_end = $3 AND p.client_id = c.client_id
               WHERE ($4::text[] IS NULL OR c.client_id = ANY($4)) AND ($4::text[] IS NOT NULL OR c.opened_on <= $2)),
           steps AS (
               SELECT client_id, as_of, total,
                      lead(as_of, 1, $2::date + 1) OVER of_client - as_of AS days,
                      row_number() OVER (PARTITION BY client_id ORDER BY as_of DESC) AS nth_last
               FROM valuations WHERE as_of BETWEEN $1 AND $2 AND ($4::text[] IS NULL OR client_id = ANY($4))
               WINDOW of_client AS (PARTITION BY client_id ORDER BY as_of)),
           valued AS (
               SELECT client_id, sum(total * days) AS day_sum, sum(days) AS days, min(as_of) AS since,
                      min(total) FILTER (WHERE nth_last = 1) AS last_total
               FROM steps GROUP BY client_id),
           traded AS (
               SELECT client_id, sum(amount) AS amount, sum(trades) AS orders
               FROM trade_days WHERE day BETWEEN $1 AND $2 AND ($4::text[] IS NULL OR client_id = ANY($4))
               GROUP BY client_id),
           summed AS (
               SELECT b.*, coalesce(v.day_sum, 0)
                        + coalesce(b.carried * (coalesce(v.since, $2::date + 1) - $1::date), 0) AS day_sum,
                      CASE WHEN b.carried IS NOT NULL THEN $2::date - $1::date + 1 ELSE coalesce(v.days, 0) END AS known,
                      coalesce(v.last_total, b.carried) AS last_total,
                      coalesce(t.amount, 0) AS traded, coalesce(t.orders, 0) AS orders
               FROM base b LEFT JOIN valued v USING (client_id) LEFT JOIN traded t USING (client_id))
           INSERT INTO months AS m (month_end, client_id, day_sum, known_days, last_total, traded, orders,
                                    day_sum_to, known_days_to, traded_to, orders_to)
           SELECT $2, client_id, day_sum, known, last_total, traded, orders,
                  coalesce(day_sum_to, 0) + day_sum, coalesce(known_days_to, 0) + known,
                  coalesce(traded_to, 0) + traded, coalesce(orders_to, 0) + orders
           FROM summed
           ON CONFLICT (month_end, client_id) DO UPDATE SET day_sum = excluded.day_sum, known_days = excluded.known_days,
               last_total = excluded.last_total, traded = excluded.traded, orders = excluded.orders,
               day_sum_to = excluded.day_sum_to, known_days_to = excluded.known_days_to,
               traded_to = excluded.traded_to, orders_to = excluded.orders_to""",
        first,
        last,
        first - timedelta(days=1),
        clients,
    )


async def _classify(
    sql: asyncpg.Connection, last: date, policies: Sequence[tuple[str, str, ClassPolicy]], clients: list[str] | None
) -> list[ClassChange]:
    """Means, turnover and class of the month, and the classes that changed."""
    rows = await sql.fetch(
        _classify_sql(tuple(policies)),
        last,
        month_before(last, WINDOW_MONTHS),
        month_before(last, 3),
        month_before(last),
        (last - month_before(last, WINDOW_MONTHS)).days,
        clients,
    )
    return [ClassChange(*row) for row in rows]


def _classify_sql(policies: Sequence[tuple[str, str, ClassPolicy]]) -> str:
    """The statement made from the policies in force. Divisions are exact: `div` on whole multiples, half up."""
    firm = policies[0][2]
    code, name = firm.sql(), f"'{policies[0][1]}'"
    for scope, override, body in policies[1:]:
        branch = f"branch_id = '{_literal(scope)}'"
        code = f"CASE WHEN {branch} THEN {body.sql()} ELSE {code} END"
        name = f"CASE WHEN {branch} THEN '{_literal(override)}' ELSE {name} END"
    return f"""
        WITH figures AS (
            SELECT m.client_id, c.branch_id, c.partition, m.traded, m.day_sum, m.known_days, b.code AS previous,
                   m.day_sum_to - coalesce(y.day_sum_to, 0) AS year_sum,
                   m.known_days_to - coalesce(y.known_days_to, 0) AS year_days,
                   m.traded_to - coalesce(y.traded_to, 0) AS year_traded,
                   m.orders_to - coalesce(q.orders_to, 0) AS quarter_orders
            FROM months m JOIN clients c USING (client_id)
            LEFT JOIN months y ON y.month_end = $2 AND y.client_id = m.client_id
            LEFT JOIN months q ON q.month_end = $3 AND q.client_id = m.client_id
            LEFT JOIN months b ON b.month_end = $4 AND b.client_id = m.client_id
            WHERE m.month_end = $1 AND c.opened_on <= $1 AND (c.closed_on IS NULL OR c.closed_on > $1)
              AND ($6::text[] IS NULL OR m.client_id = ANY($6))),
        rated AS (
            SELECT *, CASE WHEN known_days = 0 THEN 0.00
                           ELSE sign(day_sum) * div(abs(day_sum) * 200 + known_days, 2 * known_days) * 0.01 END AS assets,
                   CASE WHEN year_days = 0 OR year_sum <= 0 THEN 0.0000
                        ELSE div(year_traded * year_days * 20000 + year_sum, 2 * year_sum) * 0.0001 END AS turnover
            FROM figures),
        classed AS (
            SELECT *, {code} AS code, {name} AS policy, year_days < $5 AS provisional,
                   quarter_orders >= 3 * {firm.trader_orders_per_month}
                   OR (assets > 0 AND traded >= {firm.trader_monthly_turnover} * assets) AS trader
            FROM rated),
        kept AS (
            UPDATE months m SET mean = k.assets, turnover = k.turnover, code = k.code, provisional = k.provisional,
                   trader = k.trader, policy = k.policy
            FROM classed k WHERE m.month_end = $1 AND m.client_id = k.client_id)
        SELECT client_id, partition, branch_id, $1::date + 1, code, previous, provisional, assets, turnover, policy
        FROM classed WHERE code IS DISTINCT FROM previous ORDER BY client_id"""


def _literal(text: str) -> str:
    return text.replace("'", "''")


async def policies_on(sql: asyncpg.Connection, day: date) -> list[tuple[str, str, ClassPolicy]]:
    """The firm's class policy on a day, then the branches' overrides."""
    await CLASSES.refresh(sql)
    firm = CLASSES.on(day)
    return [("", firm.name, firm.body), *((s, v.name, v.body) for s, v in CLASSES.overrides_on(day).items())]


CLASSES = class_policies()
