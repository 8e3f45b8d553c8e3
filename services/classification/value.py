"""Month closes: customer value V [V1], who is core [V2], and the lifecycle [V5].

The statements are made from the policy; a test holds them to the same rules written for one client.
How unclear places are read: parts of V are compared unrounded; "commission of three calendar months" is by trade date;
a closed account has no V, and is LOST from the month close after on; GOLD+ is the tier in force the day after.
Ranks are those of the branch the client was with on the day of the close, whenever that is heard.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import asyncpg

from chassis.clock import year_before
from services.classification.group_policies import LifecyclePolicy, ValuePolicy
from services.classification.group_tables import CoreDecision, LifecycleDecision
from services.classification.months import is_first, month_before, policies_on
from services.classification.policy import Policies
from services.classification.rules import class_of
from services.classification.statements import among, named, whole_tables
from services.classification.tables import CLIENTS

FEW = 100


@dataclass(frozen=True, slots=True)
class LifecycleFound:
    """What a month close found of a client's lifecycle, and the figures behind it."""

    policy: str
    client_id: str
    partition: int
    branch_id: str
    effective_on: date
    previous: str | None
    lifecycle: str
    total: Decimal | None
    traded_on: date | None
    assets_now: Decimal | None
    assets_before: Decimal | None
    commission_now: Decimal | None
    commission_before: Decimal | None

    def decision(self, now: datetime) -> LifecycleDecision:
        """The row to keep of it, not numbered yet."""
        return LifecycleDecision(
            self.partition, 0, self.client_id, self.effective_on, self.lifecycle, self.previous, self.total,
            self.traded_on, self.assets_now, self.assets_before, self.commission_now, self.commission_before,
            self.policy, now,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class CoreFound:
    """A client whose core flag a month close changed; `reasons` are rank, class, tier, empty when core no longer."""

    policy: str
    client_id: str
    partition: int
    branch_id: str
    effective_on: date
    core: bool
    reasons: str
    rank: int | None
    ranked: int | None
    value: Decimal | None

    def decision(self, now: datetime) -> CoreDecision:
        """The row to keep of it, not numbered yet."""
        return CoreDecision(
            self.partition, 0, self.client_id, self.effective_on, self.core, self.reasons, self.rank, self.ranked,
            self.value, self.policy, now,
        )  # fmt: skip


def has_news(value: ValuePolicy, lifecycle: LifecyclePolicy) -> str:
    """Clients for whom a month close can find something else than the one before: something is known of
    them, they were or may be core, or their account was opened, grew up, or was closed in the month."""
    return f"""m.client_id IS NOT NULL OR b.client_id IS NOT NULL OR c.opened_on > $3 OR (c.closed_on > $3 AND c.closed_on <= $1)
        OR ($1::date - c.opened_on > {lifecycle.established_days} AND $3::date - c.opened_on <= {lifecycle.established_days})
        OR c.client_id IN (SELECT client_id FROM month_cores WHERE month_end = $3
                           UNION SELECT client_id FROM tiers WHERE {core_tier_sql(value)})"""


def value_sql(value: ValuePolicy, lifecycle: LifecyclePolicy, whom: str, clients: Sequence[str] | None) -> str:
    """The statement for one month close: $1 its day, $2 a year before, $3 to $5 the month ends one, three and six
    months before, $6 the named clients, where it is not for all; of either, those of `whom`. Divisions are exact: `div` on whole
    multiples, half up."""
    commission, purchases, assets = value.parts_sql()
    denominator = value.denominator
    # Months before the first close were summed, not evaluated: their means are made here.
    mean = "coalesce(mean, sign(day_sum) * div(abs(day_sum) * 200 + known_days, 2 * known_days) * 0.01)"
    return f"""
        WITH paid AS (
            SELECT client_id, sum(commission) FILTER (WHERE day > $2) AS commission,
                   sum(commission) FILTER (WHERE day > $4) AS commission_now,
                   sum(commission) FILTER (WHERE day > $5 AND day <= $4) AS commission_before,
                   max(day) FILTER (WHERE amount > 0) AS traded_on
            FROM trade_days WHERE day > least($2, $5, $1::date - {lifecycle.lost_idle_days}) AND day <= $1 AND {among(clients, 6)}
            GROUP BY client_id),
        bought AS (
            SELECT client_id, sum(amount) AS purchases FROM purchases
            WHERE day > $2 AND day <= $1 AND {among(clients, 6)} GROUP BY client_id),
        means AS (
            SELECT client_id, sum({mean}) FILTER (WHERE month_end > $4) AS assets_now,
                   sum({mean}) FILTER (WHERE month_end <= $4) AS assets_before
            FROM months WHERE month_end > $5 AND month_end <= $1 AND known_days > 0
              AND {among(clients, 6)}
            GROUP BY client_id HAVING count(*) = 6),
        figures AS (
            SELECT c.client_id, c.partition, {CLIENTS.on("branch_id")} AS branch_id, c.opened_on, c.closed_on, m.last_total AS total,
                   p.traded_on, coalesce(m.mean, 0) AS assets, coalesce(p.commission, 0) AS commission,
                   coalesce(b.purchases, 0) AS purchases, s.assets_now, s.assets_before,
                   coalesce(p.commission_now, 0) AS commission_now,
                   coalesce(p.commission_before, 0) AS commission_before
            FROM clients c {CLIENTS.join("$1::date")}
            LEFT JOIN months m ON m.month_end = $1 AND m.client_id = c.client_id
            LEFT JOIN paid p ON p.client_id = c.client_id LEFT JOIN bought b ON b.client_id = c.client_id
            LEFT JOIN means s ON s.client_id = c.client_id
            WHERE c.opened_on <= $1 AND {among(clients, 6, "c.client_id")} AND ({whom})),
        weighed AS (
            SELECT *, {commission} AS commission_part, {purchases} AS purchases_part, {assets} AS assets_part FROM figures),
        valued AS (
            SELECT *, div((commission_part + purchases_part + assets_part) * 200 + {denominator}, 2 * {denominator}) * 0.01
                      AS value
            FROM weighed),
        found AS (
            SELECT *, CASE WHEN value = 0 THEN 'ASSETS'
                           WHEN commission_part >= greatest(purchases_part, assets_part) THEN 'COMMISSION'
                           WHEN purchases_part >= assets_part THEN 'PRODUCT' ELSE 'ASSETS' END AS value_type,
                   {lifecycle.sql("$1::date")} AS lifecycle, closed_on IS NOT NULL AND closed_on <= $1 AS gone
            FROM valued),
        kept AS (
            INSERT INTO month_values
                (month_end, client_id, branch_id, value, value_type, commission, purchases, assets, lifecycle)
            SELECT $1, client_id, branch_id, CASE WHEN NOT gone THEN value END, CASE WHEN NOT gone THEN value_type END,
                   commission, purchases, assets, lifecycle FROM found ORDER BY client_id)
        SELECT client_id, partition, branch_id, $1::date + 1, previous, lifecycle, total,
               CASE WHEN total < {lifecycle.lost_below} THEN (
                   SELECT day FROM trade_days d WHERE d.client_id = compared.client_id AND d.day <= $1 AND d.amount > 0
                   ORDER BY day DESC LIMIT 1) END,
               assets_now, assets_before, commission_now, commission_before
        FROM (SELECT f.*, coalesce(CASE WHEN o.client_id IS NOT NULL THEN o.lifecycle
                                   ELSE (SELECT lifecycle FROM month_values b WHERE b.client_id = f.client_id
                                         AND b.month_end < $3 ORDER BY b.month_end DESC LIMIT 1) END,
                                   'ESTABLISHED') AS previous
              FROM found f LEFT JOIN month_values o ON o.month_end = $3 AND o.client_id = f.client_id) compared
        WHERE lifecycle <> previous ORDER BY client_id"""


async def close_month(
    sql: asyncpg.Connection, policies: Policies, last: date, clients: list[str] | None
) -> list[LifecycleFound]:
    """Keep V and lifecycle of the month that ends on `last`, for all clients or named ones without a row yet.

    Classes [K2] and tiers [T7] of that close come first. Returns whose lifecycle differs from the month's before.
    """
    value, lifecycle = policies.value.on(last), policies.lifecycle.on(last)
    before = month_before(last)
    anew = (
        (value, lifecycle) != (policies.value.on(before), policies.lifecycle.on(before))
        or any(
            class_of(Decimal(0), None, body) in value.body.core_classes
            for _, _, body in policies_on(policies.classes, last)
        )
        or await is_first(sql, last)
    )
    whom = "true" if anew else has_news(value.body, lifecycle.body)
    async with whole_tables(sql, clients is None or len(clients) > FEW):
        rows = await sql.fetch(
            value_sql(value.body, lifecycle.body, whom, clients),
            last,
            year_before(last),
            before,
            month_before(last, 3),
            month_before(last, 6),
            *named(clients),
        )
    return [LifecycleFound(lifecycle.name, *row) for row in rows]


def core_tier_sql(policy: ValuePolicy) -> str:
    """Whether a row of `tiers` makes its client core at the month close $1."""
    return f"tier >= {policy.core_tier} AND since <= $1::date + 1 AND (until IS NULL OR until > $1::date + 1)"


def core_sql(policy: ValuePolicy, branches: Sequence[str] | None) -> str:
    """The statement that ranks the branches $2, or all, at the month close $1 and keeps who is core [V2]."""
    classes = ", ".join(f"'{code}'" for code in policy.core_classes) or "NULL"
    return f"""
        WITH ranked AS (
            SELECT client_id, row_number() OVER branch AS rank, count(*) OVER (PARTITION BY branch_id) AS ranked
            FROM month_values WHERE month_end = $1 AND value > 0 AND {among(branches, 2, "branch_id")}
            WINDOW branch AS (PARTITION BY branch_id ORDER BY value DESC, assets DESC, client_id COLLATE "C")),
        reasons AS (
            SELECT client_id, 1 AS place, 'rank' AS reason FROM ranked WHERE rank <= ceil(ranked * {policy.core_share})
            UNION ALL SELECT client_id, 2, 'class' FROM months WHERE month_end = $1 AND code IN ({classes})
            UNION ALL SELECT client_id, 3, 'tier' FROM tiers WHERE {core_tier_sql(policy)}),
        found AS (
            SELECT $1::date AS month_end, v.client_id, v.branch_id, string_agg(c.reason, ',' ORDER BY c.place) AS reasons,
                   min(r.rank)::int AS rank, min(r.ranked)::int AS ranked
            FROM reasons c JOIN month_values v ON v.month_end = $1 AND v.client_id = c.client_id
                LEFT JOIN ranked r ON r.client_id = c.client_id
            WHERE v.value IS NOT NULL AND {among(branches, 2, "v.branch_id")}
            GROUP BY v.client_id, v.branch_id){"" if branches is None else _CORES_AGAIN}
        INSERT INTO month_cores (month_end, client_id, branch_id, reasons, rank, ranked)
        SELECT {_CORE} FROM found f {"" if branches is None else _CORES_CHANGED}"""


_CORE = "f.month_end, f.client_id, f.branch_id, f.reasons, f.rank, f.ranked"
_DIFFERS = "(h.branch_id, h.reasons, h.rank, h.ranked) IS DISTINCT FROM (f.branch_id, f.reasons, f.rank, f.ranked)"
# Evaluated again: rows that come out the same stay, the others are kept as known until now.
_CORES_AGAIN = f""",
        held AS (SELECT * FROM month_cores WHERE month_end = $1 AND branch_id IN (SELECT unnest($2::text[]))),
        gone AS (DELETE FROM month_cores c USING held h LEFT JOIN found f USING (client_id)
                 WHERE c.month_end = $1 AND c.client_id = h.client_id AND f.client_id IS NULL),
        was AS (INSERT INTO earlier_evaluations (kind, client_id, month_end, recorded_at, superseded_at, body)
                SELECT 'month_cores', h.client_id, h.month_end, h.recorded_at, now(), to_jsonb(h)
                FROM held h LEFT JOIN found f USING (client_id) WHERE {_DIFFERS})"""
_CORES_CHANGED = f"""LEFT JOIN held h USING (client_id) WHERE {_DIFFERS}
        ON CONFLICT (month_end, client_id) DO UPDATE SET
            (branch_id, reasons, rank, ranked, recorded_at)
            = (excluded.branch_id, excluded.reasons, excluded.rank, excluded.ranked, excluded.recorded_at)"""


async def rank_branches(sql: asyncpg.Connection, policies: Policies, last: date, branches: list[str] | None) -> None:
    """Find who is core by the month close of `last`, in all branches or anew in some."""
    async with whole_tables(sql, True):
        await sql.execute(core_sql(policies.value.on(last).body, branches), last, *named(branches))


async def core_changes(sql: asyncpg.Connection, policies: Policies, lasts: Sequence[date]) -> list[CoreFound]:
    """Whose core flag each of these month closes changed, against the close of the month before."""
    rows = await sql.fetch(
        """WITH now AS (SELECT * FROM month_cores WHERE month_end = ANY($1::date[])),
                before AS (SELECT client_id, (date_trunc('month', month_end) + interval '2 months' - interval '1 day')::date AS month_end
                           FROM month_cores
                           WHERE month_end = ANY (SELECT (date_trunc('month', d) - interval '1 day')::date
                                                  FROM unnest($1::date[]) d)),
                changed AS (
                    SELECT month_end, client_id, now.client_id IS NOT NULL AS core, coalesce(reasons, '') AS reasons, rank,
                           ranked
                    FROM now FULL JOIN before USING (month_end, client_id)
                    WHERE (now.client_id IS NULL) <> (before.client_id IS NULL))
           SELECT n.month_end, n.client_id, c.partition, coalesce(v.branch_id, c.branch_id), n.month_end + 1, n.core, n.reasons, n.rank, n.ranked,
                  v.value
           FROM changed n JOIN clients c ON c.client_id = n.client_id
               LEFT JOIN month_values v ON v.month_end = n.month_end AND v.client_id = n.client_id
           ORDER BY n.month_end, n.client_id""",
        list(lasts),
    )
    return [CoreFound(policies.value.on(last).name, *row) for last, *row in rows]


async def branches_of(sql: asyncpg.Connection, clients: list[str]) -> list[str]:
    """Every branch in which one of these clients is or was, or was ranked at a month close."""
    rows = await sql.fetch(
        """SELECT branch_id FROM clients WHERE client_id = ANY($1::text[])
           UNION SELECT branch_id FROM client_intervals WHERE client_id = ANY($1::text[])
           UNION SELECT branch_id FROM month_values WHERE client_id = ANY($1::text[])""",
        clients,
    )
    return [branch_id for (branch_id,) in rows]
