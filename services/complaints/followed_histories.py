"""Where clients stand, as classification tells it: tier for the priority queue and grumbles, core for the KPI.

Histories can be rewritten: what is told replaces everything from its day on, and old revisions are ignored.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import asyncpg

from chassis.uow import UnitOfWork
from contracts.classification import CoreChanged, TierChanged

PRIORITY_TIERS = ("GOLD", "PLATINUM", "DIAMOND")
GRUMBLE_TIERS = ("PLATINUM", "DIAMOND")


def standing(what: str, client: str, day: str) -> str:
    """SQL for a client's `tier` or `core` on a day, as text; NULL where nothing is known."""
    return f"""(SELECT s->>'{what}' FROM standings k CROSS JOIN LATERAL jsonb_array_elements(k.stretches) s
               WHERE k.client_id = {client} AND k.what = '{what}' AND (s->>'since')::date <= {day}
                 AND coalesce((s->>'until')::date > {day}, true)
               ORDER BY s->>'since' DESC LIMIT 1)"""


async def tier_on(sql: asyncpg.Connection, client_id: str, day: date) -> str | None:
    """The client's tier on a day, where it is known."""
    found: str | None = await sql.fetchval(f"SELECT {standing('tier', '$1', '$2::date')}", client_id, day)
    return found


async def keep_tiers(events: Sequence[TierChanged], uow: UnitOfWork) -> None:
    """Tiers as they are told."""
    rows = []
    for one in events:
        told = [
            {"since": s.since.isoformat(), "tier": s.tier, **({"until": s.until.isoformat()} if s.until else {})}
            for s in one.stretches
        ]
        rows.append((one.client_id, one.revision, one.changed_from, told))
    await _keep(uow, "tier", rows)


async def keep_core(events: Sequence[CoreChanged], uow: UnitOfWork) -> None:
    """Who is core, as it is told."""
    rows = []
    for one in events:
        told = [{"since": s.since.isoformat(), "core": "true" if s.core else "false"} for s in one.stretches]
        rows.append((one.client_id, one.revision, one.changed_from, told))
    await _keep(uow, "core", rows)


async def _keep(uow: UnitOfWork, what: str, told: Sequence[tuple[str, int, date, list[dict[str, Any]]]]) -> None:
    held: dict[str, tuple[int, list[dict[str, Any]]]] = {
        row["client_id"]: (row["revision"], row["stretches"])
        for row in await uow.sql.fetch(
            """SELECT client_id, revision, stretches FROM standings WHERE what = $1 AND client_id = ANY($2::text[])
               ORDER BY client_id FOR UPDATE""",
            what,
            sorted({one[0] for one in told}),
        )
    }
    changed: set[str] = set()
    for client_id, revision, changed_from, stretches in sorted(told, key=lambda one: one[:2]):
        known, before = held.get(client_id, (-1, []))
        if revision <= known:
            continue
        kept = [one for one in before if one["since"] < changed_from.isoformat()]
        held[client_id] = (revision, [*kept, *stretches])
        changed.add(client_id)
    await uow.sql.executemany(
        """INSERT INTO standings AS s (client_id, what, revision, stretches) VALUES ($1, $2, $3, $4)
           ON CONFLICT (client_id, what) DO UPDATE SET revision = excluded.revision, stretches = excluded.stretches
           WHERE excluded.revision > s.revision""",
        [(client_id, what, *held[client_id]) for client_id in sorted(changed)],
    )
