"""Advice to the database's planner, for the length of one statement.

A month end that has just been written is not in the statistics yet: the planner believes it empty and joins row by
row, which is quadratic. Statements over all clients are therefore told to hash or merge.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg


@asynccontextmanager
async def without_nested_loops(sql: asyncpg.Connection, *, when: bool = True) -> AsyncIterator[None]:
    """Within the present transaction, joins are hashed or merged as long as the block lasts; `when` switches it off."""
    if when:
        await sql.execute("SET LOCAL enable_nestloop = off")
    yield
    if when:
        await sql.execute("SET LOCAL enable_nestloop = on")
