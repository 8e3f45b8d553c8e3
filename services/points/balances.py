"""Clients' balances, which are also their locks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import asyncpg


@dataclass(slots=True)
class Balance:
    """A client's locked balance, in hundredths; `parked` counts trades whose cancellation came first; `used_on` is the
    last day that later facts must not count from (see `fold`); `whole` is what lots have of which nothing was ever used."""

    available: int = 0
    held: int = 0
    debt: int = 0
    whole: int = 0
    parked: int = 0
    used_on: date = date.min


async def lock(sql: asyncpg.Connection, clients: Iterable[str]) -> dict[str, Balance]:
    """Balances of these clients, made where there are none, locked in one order until the transaction ends."""
    # One pass that makes or locks row after row: made first and locked afterwards, two workers could wait for each other.
    rows = await sql.fetch(
        """INSERT INTO balances AS b (client_id) SELECT unnest($1::text[])
           ON CONFLICT (client_id) DO UPDATE SET available = b.available
           RETURNING client_id, available, held, debt, whole, parked, used_on""",
        sorted(set(clients)),
    )
    return {client: Balance(*balance) for client, *balance in rows}


async def lock_known(sql: asyncpg.Connection, clients: Iterable[str]) -> None:
    """Lock the balances there are of these clients, in the same order, without reading them."""
    await sql.execute(
        'SELECT FROM balances WHERE client_id = ANY($1::text[]) ORDER BY client_id COLLATE "C" FOR UPDATE',
        list(clients),
    )


async def lock_found(sql: asyncpg.Connection, query: str, *arguments: object) -> list[str]:
    """Lock the balances of the clients that a query finds, in the same order. Returns the clients, in that order."""
    rows = await sql.fetch(
        f"""SELECT client_id FROM balances WHERE client_id IN (SELECT client_id FROM ({query}) found)
            ORDER BY client_id COLLATE "C" FOR UPDATE""",
        *arguments,
    )
    return [client for (client,) in rows]


async def save(sql: asyncpg.Connection, balances: Mapping[str, Balance]) -> None:
    """Write locked balances back."""
    await sql.execute(
        """UPDATE balances b
           SET available = n.available, held = n.held, debt = n.debt, whole = n.whole, parked = n.parked,
               used_on = n.used_on
           FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::int[], $7::date[])
                AS n(client_id, available, held, debt, whole, parked, used_on)
           WHERE b.client_id = n.client_id""",
        list(balances),
        [b.available for b in balances.values()],
        [b.held for b in balances.values()],
        [b.debt for b in balances.values()],
        [b.whole for b in balances.values()],
        [b.parked for b in balances.values()],
        [b.used_on for b in balances.values()],
    )


async def add_to_plain(
    sql: asyncpg.Connection, sums: Mapping[str, int], ranked: Mapping[str, int], first: date
) -> bool:
    """Lock and raise balances in one statement by what was gained on `first` or later. False when a client owes points,
    has a parked cancellation, has used points since `first`, or has other tiers than `ranked` says: then some rows were
    written, and the caller rolls back and looks closer."""
    ordered = sorted(sums)
    done = await sql.execute(
        """INSERT INTO balances AS b (client_id, available, ranked, whole)
           SELECT client_id, points, ranked, points
           FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS g(client_id, points, ranked)
           ON CONFLICT (client_id) DO UPDATE
           SET available = b.available + excluded.available, whole = b.whole + excluded.whole
           WHERE b.debt = 0 AND b.parked = 0 AND b.ranked = excluded.ranked AND b.used_on < $4""",
        ordered,
        [sums[client] for client in ordered],
        [ranked.get(client, 0) for client in ordered],
        first,
    )
    return done == f"INSERT 0 {len(ordered)}"
