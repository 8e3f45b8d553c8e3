"""Clients' balances, which are also their locks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import asyncpg

from services.points import rules


@dataclass(slots=True)
class Balance:
    """A client's locked balance, in hundredths; `parked` counts cancellations that wait for their trade."""

    available: int
    debt: int
    parked: int

    def credit(self, points: int) -> tuple[int, int]:
        """Gain points: what repaid debt, and what became available [P7]."""
        repaid, gained = rules.split_credit(points, self.debt)
        self.debt -= repaid
        self.available += gained
        return repaid, gained

    def debit(self, points: int) -> tuple[int, int]:
        """Lose points: what was available, and what became debt [P7]."""
        taken, owed = rules.split_debit(points, self.available)
        self.available -= taken
        self.debt += owed
        return taken, owed


async def lock(sql: asyncpg.Connection, clients: Iterable[str]) -> dict[str, Balance]:
    """Balances of these clients, made where there are none, locked in one order until the transaction ends."""
    # One pass that makes or locks row after row: made first and locked afterwards, two workers could wait for each other.
    rows = await sql.fetch(
        """INSERT INTO balances AS b (client_id) SELECT unnest($1::text[])
           ON CONFLICT (client_id) DO UPDATE SET available = b.available
           RETURNING client_id, available, debt, parked""",
        sorted(set(clients)),
    )
    return {client: Balance(available, debt, parked) for client, available, debt, parked in rows}


async def save(sql: asyncpg.Connection, balances: Mapping[str, Balance]) -> None:
    """Write locked balances back."""
    await sql.execute(
        """UPDATE balances b SET available = n.available, debt = n.debt, parked = n.parked
           FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::int[]) AS n(client_id, available, debt, parked)
           WHERE b.client_id = n.client_id""",
        list(balances),
        [b.available for b in balances.values()],
        [b.debt for b in balances.values()],
        [b.parked for b in balances.values()],
    )


async def add_where_nothing_stands_against(
    sql: asyncpg.Connection, sums: Mapping[str, int], ranked: Mapping[str, int]
) -> bool:
    """Lock and raise balances in one statement. False when a client owes points, has a parked cancellation, or has
    other tiers than `ranked` says: then some rows were written, and the caller rolls back and looks closer."""
    ordered = sorted(sums)
    done = await sql.execute(
        """INSERT INTO balances AS b (client_id, available, ranked)
           SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
           ON CONFLICT (client_id) DO UPDATE SET available = b.available + excluded.available
           WHERE b.debt = 0 AND b.parked = 0 AND b.ranked = excluded.ranked""",
        ordered,
        [sums[client] for client in ordered],
        [ranked.get(client, 0) for client in ordered],
    )
    return done == f"INSERT 0 {len(ordered)}"
