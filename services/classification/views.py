"""What a reader sees of a client: class and tier on a day, as known now or at an earlier instant."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg

from services.classification.rules import Grant, Retained, TierInterval, effective_stretches

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
    """The class in force, with the month it was evaluated on and its inputs [K1, K2a]."""

    code: str
    provisional: bool
    mean: Decimal
    turnover: Decimal
    trader: bool
    month_end: date
    known_days: int
    policy: str


async def client(sql: asyncpg.Connection, client_id: str) -> Client | None:
    """The client, if known."""
    row = await sql.fetchrow(
        """SELECT client_id, branch_id, manager_id, kind, opened_on, closed_on, revision
           FROM clients WHERE client_id = $1 AND opened_on IS NOT NULL""",
        client_id,
    )
    return Client(*row) if row else None


async def closed_through(sql: asyncpg.Connection) -> date | None:
    """The last closed day."""
    through: date | None = await sql.fetchval("SELECT through FROM closed_days")
    return through


async def class_on(sql: asyncpg.Connection, client_id: str, as_of: date | None) -> ClassInForce | None:
    """The class in force once the close of `as_of` is done; None before the first month end."""
    row = await sql.fetchrow(
        """SELECT code, provisional, round(mean, 2), round(turnover, 4), trader, month_end, known_days, policy FROM months
           WHERE client_id = $1 AND code IS NOT NULL AND ($2::date IS NULL OR month_end <= $2)
           ORDER BY month_end DESC LIMIT 1""",
        client_id,
        as_of,
    )
    return ClassInForce(*row) if row else None


async def class_as_known(
    sql: asyncpg.Connection, client_id: str, held: ClassInForce, known_at: datetime
) -> ClassInForce | None:
    """The class of the same month as the decisions recorded by then had it; None when there was none yet."""
    known = [
        d
        for d in await decisions(sql, "class_decisions", client_id, known_at)
        if d["effective_on"] <= held.month_end + ONE_DAY
    ]
    if not known:
        return None
    last = known[-1]
    return replace(
        held,
        code=last["code"],
        provisional=last["provisional"],
        mean=last["mean"],
        turnover=last["turnover"],
        policy=last["policy"],
        month_end=last["effective_on"] - ONE_DAY,
    )


async def decisions(sql: asyncpg.Connection, kind: str, client_id: str, known_at: datetime | None) -> list[Any]:
    """A client's decisions in order of their days, as known now or at an earlier instant."""
    return await sql.fetch(
        f"""SELECT d.* FROM {kind} d
            LEFT JOIN superseded x ON x.kind = '{kind}' AND x.partition = d.partition AND x.number = d.number
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


async def tier_stretches(sql: asyncpg.Connection, who: Client, known_at: datetime | None) -> list[TierInterval]:
    """The effective tier over time, as known then [T5]."""
    retained = [Retained(who.opened_on, 0, "opened")]
    for row in await decisions(sql, "tier_decisions", who.client_id, known_at):
        if row["reason"] in ("upgrade", "downgrade"):
            retained.append(Retained(row["effective_on"], row["retained"], row["reason"]))
    return effective_stretches(retained, await grants(sql, who.client_id, known_at))


def stretch_on(stretches: list[TierInterval], day: date) -> TierInterval:
    """The stretch in force on a day; the first one for days before the opening."""
    return next((s for s in reversed(stretches) if s.since <= day), stretches[0])


async def page_of_clients(
    sql: asyncpg.Connection, scope: tuple[str, list[str]], filters: dict[str, Any], after: str | None, limit: int
) -> list[Any]:
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
    return await sql.fetch(
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
