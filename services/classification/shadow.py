"""Shadow run: who would move under a draft, over today's client base. Nothing is kept."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import asyncpg

from chassis.clock import year_before
from contracts.classification import TIERS
from services.classification.policies import ClassPolicy, TierPolicy, parse_classes, parse_tiers

SAMPLE = 20


@dataclass(slots=True)
class Shadow:
    """What a draft would change: how many clients from what to what, and some of them by name."""

    evaluated: int = 0
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)
    sample: list[dict[str, str]] = field(default_factory=list)

    def count(self, client_id: str, before: str, after: str) -> None:
        """Add one client."""
        self.evaluated += 1
        if before != after:
            self.moves[before, after] += 1
            if len(self.sample) < SAMPLE:
                self.sample.append({"client_id": client_id, "from": before, "to": after})


async def run(sql: asyncpg.Connection, name: str, body: dict[str, Any], branch: str | None) -> Shadow:
    """Evaluate the last closed month (classes) or the last closed day (entitled tiers) under a draft.

    Raises: PolicyInvalid.
    """
    if name == "classes":
        return await _classes(sql, parse_classes(body), branch)
    return await _tiers(sql, parse_tiers(body), branch)


async def _classes(sql: asyncpg.Connection, policy: ClassPolicy, branch: str | None) -> Shadow:
    shadow = Shadow()
    for client_id, before, after in await sql.fetch(
        f"""SELECT client_id, code, {policy.sql()}
            FROM (SELECT c.client_id, m.code, m.mean AS assets, m.turnover
                  FROM clients c, LATERAL (SELECT * FROM months m WHERE m.client_id = c.client_id
                                           ORDER BY m.month_end DESC LIMIT 1) m
                  WHERE m.code IS NOT NULL AND ($1::text IS NULL OR c.branch_id = $1)) last ORDER BY client_id""",
        branch,
    ):
        shadow.count(client_id, before, after)
    return shadow


async def _tiers(sql: asyncpg.Connection, policy: TierPolicy, branch: str | None) -> Shadow:
    shadow = Shadow()
    day: date | None = await sql.fetchval("SELECT through FROM closed_days")
    if day is None:
        return shadow
    for client_id, retained, entitled in await sql.fetch(
        f"""SELECT client_id, retained, {policy.sql()}
            FROM (SELECT s.client_id, s.retained, coalesce(m.mean, 0) AS assets, coalesce(p.commission, 0) AS commission
                  FROM standings s JOIN clients c USING (client_id)
                  LEFT JOIN months m ON m.client_id = s.client_id
                       AND m.month_end = (SELECT max(month_end) FROM months WHERE code IS NOT NULL)
                  LEFT JOIN (SELECT client_id, sum(commission) AS commission FROM trade_days
                             WHERE day > $2 AND day <= $1 GROUP BY client_id) p ON p.client_id = s.client_id
                  WHERE $3::text IS NULL OR c.branch_id = $3) figures ORDER BY client_id""",
        day,
        year_before(day),
        branch,
    ):
        shadow.count(client_id, TIERS[retained], TIERS[entitled])
    return shadow
