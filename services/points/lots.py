"""Lots: points that became available together and expire together [P6]. Only what differs from the entry is kept."""

from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg


@dataclass(slots=True)
class Lot:
    """What is left of one entry that credited `:available`."""

    entry_id: str
    remaining: int


def take(lots: list[Lot], points: int) -> int:
    """Take points from these lots, the newest first; returns how many they could not give."""
    for lot in reversed(lots):
        taken = min(points, lot.remaining)
        lot.remaining -= taken
        points -= taken
    return points


async def save(sql: asyncpg.Connection, remaining: Mapping[tuple[str, str], int]) -> None:
    """Write what remains of lots, by client and entry."""
    await sql.execute(
        """INSERT INTO lot_remainders SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[])
           ON CONFLICT (client_id, entry_id) DO UPDATE SET remaining = excluded.remaining""",
        [client for client, _ in remaining],
        [entry for _, entry in remaining],
        list(remaining.values()),
    )


async def take_oldest(sql: asyncpg.Connection, points: Mapping[str, int]) -> None:
    """Take points from clients' lots: earliest to expire first, then the oldest [P6]. They must have that many."""
    await sql.execute(
        """WITH wanted AS (SELECT * FROM unnest($1::text[], $2::bigint[]) AS w(client_id, points)),
           lots AS (
               SELECT e.client_id, e.entry_id, w.points AS wanted, coalesce(r.remaining, e.points) AS remaining,
                      sum(coalesce(r.remaining, e.points)) OVER (
                          PARTITION BY e.client_id ORDER BY e.expires_on, e.number
                      ) - coalesce(r.remaining, e.points) AS before
               FROM wanted w JOIN entries e USING (client_id)
               LEFT JOIN lot_remainders r USING (client_id, entry_id)
               WHERE e.expires_on IS NOT NULL AND coalesce(r.remaining, e.points) > 0)
           INSERT INTO lot_remainders
           SELECT client_id, entry_id, remaining - least(remaining, wanted - before) FROM lots WHERE before < wanted
           ON CONFLICT (client_id, entry_id) DO UPDATE SET remaining = excluded.remaining""",
        list(points),
        list(points.values()),
    )
