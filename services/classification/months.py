"""Month ends: what each client's daily totals sum up to [K2a], and the class that follows [K1, K2].

Sums run on from month to month, so a window of twelve months is a difference of two rows whatever the number of
valuations; all clients, or some whose facts came late, are done by the same statements. A client of whom nothing is known
keeps the row of its first month, until a fact or another policy changes it: a row stands until the next one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import asyncpg

from chassis.clock import month_end, months_after
from chassis.policy import Versions
from services.classification.policies import ClassPolicy
from services.classification.statements import among, named, whole_tables
from services.classification.tables import CLIENTS, ClassDecision

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

    def decision(self, now: datetime) -> ClassDecision:
        """The row to keep of it, not numbered yet."""
        return ClassDecision(
            self.partition, 0, self.client_id, self.effective_on, self.code, self.previous, self.provisional, self.mean,
            self.turnover, self.policy, now,
        )  # fmt: skip


def month_before(last: date, months: int = 1) -> date:
    """The month end some months earlier."""
    return month_end(months_after(last.replace(day=1), -months))


async def close_month(
    sql: asyncpg.Connection, last: date, classes: Versions[ClassPolicy], clients: list[str] | None
) -> list[ClassChange]:
    """Evaluate the month that ends on `last` for all clients, or for some."""
    policies = policies_on(classes, last)
    begins = await is_first(sql, last)
    await _make_up_missing_months(sql, last, clients, begins=begins)
    anew = begins or policies != policies_on(classes, month_before(last))
    async with whole_tables(sql, clients is None):
        rows = await sql.fetch(
            _month_sql(policies, "true" if anew else HAS_NEWS, clients), *_days(last), *named(clients)
        )
    return [ClassChange(*row) for row in rows]


async def is_first(sql: asyncpg.Connection, last: date) -> bool:
    """Whether a month's end is the first that is closed here: a month closed in part counts."""
    first: date | None = await sql.fetchval("SELECT first FROM closed_days")
    return first is None or last <= month_end(first)


async def _make_up_missing_months(
    sql: asyncpg.Connection, last: date, clients: list[str] | None, *, begins: bool
) -> None:
    """Sum the eleven months before the first that is evaluated, for clients with facts in them: a home that begins, facts
    from before the account was opened [K2a]."""
    whom = "true" if begins else "opened_on > $2"
    missing = await sql.fetch(
        f"""SELECT client_id FROM clients c
           WHERE opened_on <= $1 AND {whom} AND {among(clients, 3)}
             AND NOT EXISTS (SELECT FROM months m WHERE m.month_end = $2 AND m.client_id = c.client_id)
             AND (EXISTS (SELECT FROM valuations v WHERE v.client_id = c.client_id AND v.as_of <= $2)
                  OR EXISTS (SELECT FROM trade_days d WHERE d.client_id = c.client_id AND d.day <= $2))""",
        last,
        month_before(last),
        *named(clients),
    )
    if missing:
        ids = [client_id for (client_id,) in missing]
        for months in range(WINDOW_MONTHS - 1, 0, -1):
            await sql.execute(_month_sql((), "true", ids), *_days(month_before(last, months)), ids)


def _days(last: date) -> tuple[date, ...]:
    """$1 to $5 of the statement: the month's first and last day, and the month ends one, three and twelve before."""
    return last.replace(day=1), last, *(month_before(last, months) for months in (1, 3, WINDOW_MONTHS))


# Clients of whom something is known, and those opened or closed in the month or ever moved (to a branch with a policy).
HAS_NEWS = """p.known_days_to > 0 OR p.orders_to > 0 OR v.client_id IS NOT NULL OR t.client_id IS NOT NULL
              OR i.client_id IS NOT NULL
              OR c.opened_on > $3 OR (c.closed_on > $3 AND c.closed_on <= $2)"""


def _month_sql(policies: Sequence[tuple[str, str, ClassPolicy]], whom: str, clients: Sequence[str] | None) -> str:
    """The statement for one month: sums, and, given policies, means, turnover and class [K1, K2, K2a].

    A day without a valuation carries the last one before it; days before the first one are unknown. Divisions are
    exact: `div` on whole multiples, half up. $6 names the clients, where it is not for all; of either, those of `whom`,
    and of a month that is evaluated those opened by its end: nobody has a row of it who was not.
    """
    evaluated = bool(policies)
    return f"""
        WITH steps AS (
            SELECT client_id, as_of, total,
                   lead(as_of, 1, $2::date + 1) OVER of_client - as_of AS days,
                   row_number() OVER (PARTITION BY client_id ORDER BY as_of DESC) AS nth_last
            FROM valuations WHERE as_of BETWEEN $1 AND $2 AND {among(clients, 6)}
            WINDOW of_client AS (PARTITION BY client_id ORDER BY as_of)),
        valued AS (
            SELECT client_id, sum(total * days) AS day_sum, sum(days) AS days, min(as_of) AS since,
                   min(total) FILTER (WHERE nth_last = 1) AS last_total
            FROM steps GROUP BY client_id),
        traded AS (
            SELECT client_id, sum(amount) AS amount, sum(trades) AS orders
            FROM trade_days WHERE day BETWEEN $1 AND $2 AND {among(clients, 6)}
            GROUP BY client_id),
        base AS MATERIALIZED (
            SELECT c.client_id, c.partition, {CLIENTS.on("branch_id")} AS branch_id,
                   c.opened_on <= $2 AND (c.closed_on IS NULL OR c.closed_on > $2) AS evaluated,
                   CASE WHEN p.client_id IS NOT NULL THEN p.code
                        ELSE (SELECT code FROM months b WHERE b.client_id = c.client_id AND b.month_end < $3
                              ORDER BY b.month_end DESC LIMIT 1) END AS previous,
                   CASE WHEN p.client_id IS NOT NULL THEN p.last_total
                        ELSE (SELECT total FROM valuations b WHERE b.client_id = c.client_id AND b.as_of < $1
                              ORDER BY b.as_of DESC LIMIT 1) END AS carried,
                   p.day_sum_to, p.known_days_to, p.traded_to, p.orders_to,
                   v.day_sum, v.days, v.since, v.last_total, t.amount, t.orders
            FROM clients c {CLIENTS.join("$2::date")}
            LEFT JOIN months p ON p.month_end = $3 AND p.client_id = c.client_id
            LEFT JOIN valued v ON v.client_id = c.client_id LEFT JOIN traded t ON t.client_id = c.client_id
            WHERE {"c.opened_on <= $2" if evaluated else "c.opened_on IS NOT NULL"} AND {among(clients, 6, "c.client_id")}
              AND ({whom})),
        summed AS (
            SELECT client_id, partition, branch_id, evaluated, previous,
                   coalesce(day_sum, 0) + coalesce(carried * (coalesce(since, $2::date + 1) - $1::date), 0) AS day_sum,
                   CASE WHEN carried IS NOT NULL THEN $2::date - $1::date + 1 ELSE coalesce(days, 0) END AS known_days,
                   coalesce(last_total, carried) AS last_total, coalesce(amount, 0) AS traded, coalesce(orders, 0) AS orders,
                   coalesce(day_sum_to, 0) AS sum_before, coalesce(known_days_to, 0) AS days_before,
                   coalesce(traded_to, 0) AS traded_before, coalesce(orders_to, 0) AS orders_before
            FROM base),
        running AS (
            SELECT s.*, sum_before + s.day_sum AS day_sum_to, days_before + s.known_days AS known_days_to,
                   traded_before + s.traded AS traded_to, orders_before + s.orders AS orders_to,
                   sum_before + s.day_sum - coalesce(y.day_sum_to, 0) AS year_sum,
                   days_before + s.known_days - coalesce(y.known_days_to, 0) AS year_days,
                   traded_before + s.traded - coalesce(y.traded_to, 0) AS year_traded,
                   orders_before + s.orders - coalesce(q.orders_to, 0) AS quarter_orders
            FROM summed s LEFT JOIN months y ON y.month_end = $5 AND y.client_id = s.client_id
            LEFT JOIN months q ON q.month_end = $4 AND q.client_id = s.client_id),
        rated AS MATERIALIZED (
            SELECT *, CASE WHEN known_days = 0 THEN 0.00
                           ELSE sign(day_sum) * div(abs(day_sum) * 200 + known_days, 2 * known_days) * 0.01 END AS assets,
                   CASE WHEN year_days = 0 OR year_sum <= 0 THEN 0.0000
                        ELSE div(year_traded * year_days * 20000 + year_sum, 2 * year_sum) * 0.0001 END AS turnover
            FROM running),
        classed AS ({_classed(policies) if evaluated else "SELECT *, NULL::text AS code FROM rated"}),
        kept AS (
            INSERT INTO months AS m (month_end, client_id, day_sum, known_days, last_total, traded, orders, day_sum_to,
                                     known_days_to, traded_to, orders_to{EVALUATION if evaluated else ""})
            SELECT $2, client_id, day_sum, known_days, last_total, traded, orders, day_sum_to, known_days_to, traded_to,
                   orders_to{_EVALUATED if evaluated else ""} FROM classed ORDER BY client_id
            {"" if evaluated else _MADE_UP_AGAIN})
        SELECT client_id, partition, branch_id, $2::date + 1, code, previous, provisional, assets, turnover, policy
        FROM ({"SELECT * FROM classed WHERE evaluated" if evaluated else _NOBODY}) c
        WHERE code IS DISTINCT FROM previous ORDER BY client_id"""


EVALUATION = ", mean, turnover, code, provisional, trader, policy"
_EVALUATED = "".join(
    f", CASE WHEN evaluated THEN {column} END"
    for column in ("assets", "turnover", "code", "provisional", "trader", "policy")
)
_SUMS = (
    "day_sum",
    "known_days",
    "last_total",
    "traded",
    "orders",
    "day_sum_to",
    "known_days_to",
    "traded_to",
    "orders_to",
)
_MADE_UP_AGAIN = f"""ON CONFLICT (client_id, month_end) DO UPDATE SET
                ({", ".join(_SUMS)}) = ({", ".join(f"excluded.{column}" for column in _SUMS)})"""
_NOBODY = "SELECT *, NULL::boolean AS provisional, NULL::text AS policy FROM classed WHERE false"


def _classed(policies: Sequence[tuple[str, str, ClassPolicy]]) -> str:
    """The classes by the firm's table, a branch's clients by its override where one is in force [a.3]."""
    _, name, firm = policies[0]
    code, policy = firm.sql(), f"'{name}'"
    for scope, override, body in policies[1:]:
        branch = f"branch_id = '{_literal(scope)}'"
        code = f"CASE WHEN {branch} THEN {body.sql()} ELSE {code} END"
        policy = f"CASE WHEN {branch} THEN '{_literal(override)}' ELSE {policy} END"
    return f"""
            SELECT *, {code} AS code, {policy} AS policy, year_days < $2::date - $5::date AS provisional,
                   quarter_orders >= 3 * {firm.trader_orders_per_month}
                   OR (assets > 0 AND traded >= {firm.trader_monthly_turnover} * assets) AS trader
            FROM rated"""


def _literal(text: str) -> str:
    return text.replace("'", "''")


def policies_on(classes: Versions[ClassPolicy], day: date) -> list[tuple[str, str, ClassPolicy]]:
    """The firm's class policy on a day, then the branches' overrides, each with its scope and name."""
    firm = classes.on(day)
    return [("", firm.name, firm.body), *((s, v.name, v.body) for s, v in classes.overrides_on(day).items())]
