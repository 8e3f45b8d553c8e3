"""What must hold in what a service keeps, looked at by `careline verify` beside the seals."""

from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

NAMED = 3


@dataclass(frozen=True, slots=True)
class Invariant:
    """Something that holds of every client with rows in a sealed `table`.

    `broken` is SQL that finds the clients (`client_id`) of whom it does not; it names those to look at as `looked`, a
    table of client ids. It is one statement, so that it sees one moment of a ledger that goes on.
    """

    table: str
    holds: str
    broken: str


async def problem(sql: asyncpg.Connection, invariant: Invariant, first: Mapping[int, int]) -> str | None:
    """What is wrong with clients of rows numbered `first` (by partition) or later, None when nothing is."""
    found = await sql.fetch(
        f"""WITH looked AS MATERIALIZED (
                SELECT DISTINCT client_id FROM {invariant.table} t
                JOIN unnest($1::int[], $2::bigint[]) AS k(partition, first)
                ON t.partition = k.partition AND t.number >= k.first)
            SELECT client_id, count(*) OVER () FROM ({invariant.broken}) b ORDER BY client_id LIMIT {NAMED}""",
        list(first),
        list(first.values()),
    )
    if not found:
        return None
    names = ", ".join(row["client_id"] for row in found)
    return f"not so of {found[0]['count']} clients ({names}): {invariant.holds}"
