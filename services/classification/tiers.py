"""Tiers: one statement evaluates a day for whoever can have changed, the rest keeps the history straight.

The statement is made from the policy and does what `rules.close` does for one client; a test holds them equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import asyncpg

from chassis.clock import is_month_end, year_before
from services.classification.months import by_key, month_before, whole_tables
from services.classification.policies import TierPolicy, tier_policies
from services.classification.rules import Standing, next_check

TIERS = tier_policies()
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the close of a day found for a client whose standing changed, or who is due a notice."""

    day: date
    client_id: str
    partition: int
    branch_id: str
    before: Standing
    after: Standing
    entitled: int
    assets: Decimal
    commission: Decimal
    policy: str

    @property
    def effective_on(self) -> date:
        """The first day the new standing is in force."""
        return self.day + ONE_DAY

    @property
    def reason(self) -> str | None:
        """Why the standing changed; None when it did not (a notice is due)."""
        if self.after == self.before:
            return None
        if self.after.retained != self.before.retained:
            return "upgrade" if self.after.retained > self.before.retained else "downgrade"
        return "grace_started" if self.after.grace_from else "grace_ended"


# Whoever can have changed by the close of $1: at a month end everybody; else who traded, whose trade of a year ago
# leaves the window, whose grace gives notice or ends, who opened an account. Late facts name their clients.
EVERYBODY = "SELECT client_id FROM clients"
CONCERNED = """SELECT client_id FROM trade_days WHERE day = $1
               UNION SELECT client_id FROM trade_days WHERE day > $3 AND day <= $2
               UNION SELECT client_id FROM standings WHERE next_check = $1
               UNION SELECT client_id FROM clients WHERE opened_on = $1"""
NAMED = "SELECT unnest($5::text[]) AS client_id"


def evaluation_sql(policy: TierPolicy, concerned: str) -> str:
    """The statement for one day: $1 the day, $2 the same date a year before, $3 that of the day before it, $4 the
    last closed month's end, $5 named clients."""
    sources = f"""
            {by_key("clients", "c")} {by_key("standings", "s")}
            LEFT {by_key("months", "m", "m.month_end = $4")}
            LEFT JOIN LATERAL (SELECT sum(commission) AS commission FROM trade_days d
                               WHERE d.client_id = k.client_id AND d.day > $2 AND d.day <= $1) p ON true"""
    if concerned == EVERYBODY:
        sources = """
            JOIN clients c USING (client_id) JOIN standings s USING (client_id)
            LEFT JOIN months m ON m.month_end = $4 AND m.client_id = k.client_id
            LEFT JOIN paid p ON p.client_id = k.client_id"""
    grace_ends = f"grace_from + {policy.grace_days}"
    checks = ", ".join(f"({grace_ends} - {left + 1})" for left in (*policy.notice_days, 0))
    return f"""
        WITH given AS (SELECT $3::date, $5::text[]), concerned AS ({concerned}),
        paid AS (
            SELECT client_id, sum(commission) AS commission FROM trade_days
            WHERE day > $2 AND day <= $1 GROUP BY client_id),
        figures AS (
            SELECT c.client_id, c.partition, c.branch_id, s.retained, s.grace_from, s.next_check,
                   coalesce(m.mean, 0) AS assets, coalesce(p.commission, 0) AS commission
            FROM concerned k {sources}
            WHERE c.opened_on <= $1 AND (c.closed_on IS NULL OR c.closed_on > $1)),
        entitled AS (SELECT *, {policy.sql()} AS entitled FROM figures),
        stepped AS (
            SELECT *, CASE WHEN entitled > retained THEN entitled
                           WHEN entitled < retained AND $1 >= {grace_ends} - 1 THEN retained - 1
                           ELSE retained END AS tier
            FROM entitled),
        decided AS (
            SELECT *, CASE WHEN entitled >= tier THEN NULL
                           WHEN grace_from IS NULL OR tier < retained THEN $1::date + 1
                           ELSE grace_from END AS grace
            FROM stepped),
        changed AS (
            SELECT * FROM decided
            WHERE tier <> retained OR grace IS DISTINCT FROM grace_from OR next_check = $1),
        kept AS (
            UPDATE standings s SET retained = n.tier, grace_from = n.grace, next_check = (
                SELECT min(day) FROM (SELECT n.grace AS grace_from) g, unnest(ARRAY[{checks}]) AS day WHERE day > $1)
            FROM changed n WHERE s.client_id = n.client_id)
        SELECT client_id, partition, branch_id, retained, grace_from, tier, grace, entitled, assets, commission
        FROM changed ORDER BY client_id"""


async def evaluate(
    sql: asyncpg.Connection, day: date, clients: list[str] | None, *, history_begins: bool = False
) -> list[Evaluation]:
    """Evaluate a day's close for all it concerns, or for named clients, and move their standings."""
    await TIERS.refresh(sql)
    version = TIERS.on(day)
    everybody = history_begins or is_month_end(day) or version != TIERS.on(day - ONE_DAY)
    whom = NAMED if clients is not None else EVERYBODY if everybody else CONCERNED
    async with whole_tables(sql, whom is EVERYBODY):
        rows = await sql.fetch(
            evaluation_sql(version.body, whom),
            day,
            year_before(day),
            year_before(day - ONE_DAY),
            last_month_closed(day),
            clients,
        )
    return [
        Evaluation(day, c, p, b, Standing(r0, g0), Standing(r1, g1), e, a, m, version.name)
        for c, p, b, r0, g0, r1, g1, e, a, m in rows
    ]


def last_month_closed(day: date) -> date:
    """The last month end up to and including the day that the close of `day` knows [T7]."""
    return day if is_month_end(day) else month_before(day)


async def stand_at(sql: asyncpg.Connection, since: dict[str, date]) -> None:
    """Set clients' standings back to what the closes before their day had decided."""
    rows = await sql.fetch(
        """SELECT s.client_id, d.retained, d.grace_from
           FROM unnest($1::text[], $2::date[]) AS s(client_id, day)
           LEFT JOIN LATERAL (
               SELECT retained, grace_from FROM tier_decisions t
               WHERE t.client_id = s.client_id AND t.effective_on <= s.day
                 AND NOT EXISTS (SELECT FROM superseded x WHERE x.kind = 'tier_decisions'
                                 AND x.partition = t.partition AND x.number = t.number)
               ORDER BY t.effective_on DESC LIMIT 1) d ON true""",
        list(since),
        list(since.values()),
    )
    standings = [(c, Standing(retained or 0, grace_from)) for c, retained, grace_from in rows]
    checks = [
        next_check(standing, since[client] - ONE_DAY, TIERS.on(since[client]).body) for client, standing in standings
    ]
    await sql.execute(
        """UPDATE standings s SET retained = n.retained, grace_from = n.grace_from, next_check = n.next_check
           FROM unnest($1::text[], $2::smallint[], $3::date[], $4::date[])
               AS n(client_id, retained, grace_from, next_check) WHERE s.client_id = n.client_id""",
        [client for client, _ in standings],
        [standing.retained for _, standing in standings],
        [standing.grace_from for _, standing in standings],
        checks,
    )


async def days_to_evaluate(sql: asyncpg.Connection, since: dict[str, date], through: date) -> dict[date, list[str]]:
    """For named clients every closed day from theirs on at which their facts can change something."""
    rows = await sql.fetch(
        """WITH named AS (SELECT * FROM unnest($1::text[], $2::date[]) AS n(client_id, since))
           SELECT client_id, since FROM named
           UNION SELECT client_id, opened_on FROM named JOIN clients USING (client_id) WHERE opened_on BETWEEN since AND $3
           UNION SELECT client_id, d.day FROM named JOIN trade_days d USING (client_id) WHERE d.day BETWEEN since AND $3
           UNION SELECT client_id, leaving FROM named JOIN trade_days d USING (client_id),
               LATERAL (SELECT CASE WHEN to_char(d.day, 'MMDD') = '0229' THEN (d.day + interval '1 year 1 day')::date
                                    ELSE (d.day + interval '1 year')::date END AS leaving) l
               WHERE leaving BETWEEN since AND $3
           UNION SELECT client_id, m.month_end FROM named JOIN months m USING (client_id)
               WHERE m.month_end BETWEEN since AND $3""",
        list(since),
        list(since.values()),
        through,
    )
    days: dict[date, list[str]] = {}
    for client_id, day in rows:
        days.setdefault(day, []).append(client_id)
    return days


async def checks_due(sql: asyncpg.Connection, clients: Sequence[str], through: date) -> dict[date, list[str]]:
    """The next notice or end of a grace of named clients, when it lies in the closed days."""
    rows = await sql.fetch(
        "SELECT client_id, next_check FROM standings WHERE client_id = ANY($1::text[]) AND next_check <= $2",
        list(clients),
        through,
    )
    days: dict[date, list[str]] = {}
    for client_id, day in rows:
        days.setdefault(day, []).append(client_id)
    return days
