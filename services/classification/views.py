"""What a reader sees of a client: class and tier on a day, as known now or at an earlier instant."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import asyncpg

from chassis.rows import columns, fetch
from services.classification.evaluations import as_known
from services.classification.history import TABLES, D
from services.classification.rules import Grant, Retained, TierInterval, effective_stretches
from services.classification.tables import Month, TierDecision

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Client:
    """A client's profile facts."""

    client_id: str
    branch_id: str
    manager_id: str | None
    kind: str
    opened_on: date
    closed_on: date | None
    revision: int


@dataclass(frozen=True, slots=True)
class ClassInForce:
    """The class in force: the evaluation it has held since, and the last one, which found the same [K1, K2a]."""

    since: date
    opened: Month
    last: Month

    @property
    def code(self) -> str:
        """A+ to G."""
        return str(self.last.code)


class ListedClient(NamedTuple):
    """A client in a list."""

    client_id: str
    branch_id: str
    opened_on: date
    code: str | None
    provisional: bool | None
    tier: int
    since: date


async def client(sql: asyncpg.Connection, client_id: str, known_at: datetime | None = None) -> Client | None:
    """The client, if known (then)."""
    row = await sql.fetchrow(
        """SELECT client_id, branch_id, manager_id, kind, opened_on, closed_on, revision
           FROM clients WHERE client_id = $1 AND opened_on IS NOT NULL
             AND ($2::timestamptz IS NULL OR heard_at IS NULL OR heard_at <= $2)""",
        client_id,
        known_at,
    )
    return Client(*row) if row else None


async def closed_through(sql: asyncpg.Connection) -> date | None:
    """The last closed day."""
    through: date | None = await sql.fetchval("SELECT through FROM closed_days")
    return through


async def class_on(
    sql: asyncpg.Connection, client_id: str, as_of: date | None, known_at: datetime | None = None
) -> ClassInForce | None:
    """The class in force once the close of `as_of` is done, as known now or then; None before the first month end."""
    months = await fetch(
        sql,
        Month,
        f"""WITH known AS (SELECT *, code = lead(code) OVER (ORDER BY month_end DESC) AS goes_on
                           FROM {as_known("months", "$1", "$3")} m
                           WHERE code IS NOT NULL AND ($2::date IS NULL OR month_end <= $2))
            (SELECT {columns(Month)} FROM known ORDER BY month_end DESC LIMIT 1)
            UNION ALL
            (SELECT {columns(Month)} FROM known WHERE goes_on IS NOT TRUE ORDER BY month_end DESC LIMIT 1)""",
        client_id,
        as_of,
        known_at,
    )
    return ClassInForce(months[1].month_end + ONE_DAY, months[1], months[0]) if months else None


async def decisions(sql: asyncpg.Connection, kind: type[D], client_id: str, known_at: datetime | None) -> list[D]:
    """A client's decisions in order of their days, as known now or at an earlier instant."""
    table = TABLES[kind]
    return await fetch(
        sql,
        kind,
        f"""SELECT {columns(kind, "d")} FROM {table} d
            LEFT JOIN superseded x ON x.kind = '{table}' AND x.partition = d.partition AND x.number = d.number
            WHERE d.client_id = $1 AND ($2::timestamptz IS NULL OR d.recorded_at <= $2)
              AND (x.at IS NULL OR x.at > $2) ORDER BY d.effective_on, d.number""",
        client_id,
        known_at,
    )


async def grants(sql: asyncpg.Connection, client_id: str, known_at: datetime | None) -> list[Grant]:
    """Grants in force as known then: a revocation not known yet does not count."""
    rows = await sql.fetch(
        """SELECT since, CASE WHEN revoked_at <= coalesce($2, revoked_at) THEN least(until, revoked_from) ELSE until END, tier
           FROM grants WHERE client_id = $1 AND state IN ('approved', 'revoked')
             AND ($2::timestamptz IS NULL OR checked_at <= $2)""",
        client_id,
        known_at,
    )
    return [Grant(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class TierHistory:
    """The decisions about a client's tier and its grants, as known then, and the stretches that follow from them [T5]."""

    decisions: list[TierDecision]
    grants: list[Grant]
    stretches: list[TierInterval]

    def decided_by(self, day: date) -> TierDecision | None:
        """The last decision in force on a day."""
        return next((d for d in reversed(self.decisions) if d.effective_on <= day), None)


async def tier_history(sql: asyncpg.Connection, who: Client, known_at: datetime | None) -> TierHistory:
    """What is known of a client's tier over time, now or then."""
    decided = await decisions(sql, TierDecision, who.client_id, known_at)
    retained = [Retained(who.opened_on, 0, "opened")]
    retained += [
        Retained(d.effective_on, d.retained, d.reason) for d in decided if d.reason in ("upgrade", "downgrade")
    ]
    granted = await grants(sql, who.client_id, known_at)
    return TierHistory(decided, granted, effective_stretches(retained, granted))


async def page_of_clients(
    sql: asyncpg.Connection, scope: tuple[str, list[str]], filters: dict[str, Any], after: str | None, limit: int
) -> list[ListedClient]:
    """Clients with class and tier, by id, under the caller's scope; filters: tier (index), class, branch."""
    condition, arguments = scope
    wanted = [condition]
    columns = {"tier": "tier", "class": "code", "branch": "branch_id"}
    given: list[Any] = [limit, *arguments]
    for name, value in filters.items():
        if value is not None:
            given.append(value)
            wanted.append(f"{columns[name]} = ${len(given)}")
    if after is not None:
        given.append(after)
        wanted.append(f"client_id > ${len(given)}")
    rows = await sql.fetch(
        f"""WITH day AS (SELECT through + 1 AS today, (SELECT max(month_end) FROM months WHERE code IS NOT NULL) AS month_end
                         FROM closed_days)
            SELECT * FROM (
                SELECT c.client_id, c.branch_id, c.opened_on, m.code, m.provisional, t.tier, t.since
                FROM clients c CROSS JOIN day
                LEFT JOIN LATERAL (SELECT code, provisional FROM months m WHERE m.client_id = c.client_id
                                   AND m.month_end <= day.month_end ORDER BY m.month_end DESC LIMIT 1) m ON true
                JOIN tiers t ON t.client_id = c.client_id AND (t.until IS NULL OR t.until > coalesce(day.today, c.opened_on))
                     AND (t.since <= coalesce(day.today, c.opened_on) OR t.since = c.opened_on)) listed
            WHERE {" AND ".join(wanted)} ORDER BY client_id LIMIT $1""",
        *given,
    )
    return [ListedClient(*row) for row in rows]
