"""What `careline export` writes: CSV rows sorted by their key."""

from collections.abc import AsyncIterator
from datetime import date

import asyncpg

from chassis.timeline import today
from services.relationships import information
from services.relationships.policy import Policies

INFORMATION_COLUMNS = ("client_id", "branch_id", "set", "whole", "entered", "policy")
CLIENTS_AT_ONCE = 5_000


async def information_scores(sql: asyncpg.Connection, as_of: date | None = None) -> AsyncIterator[tuple[str, ...]]:
    """Every client's completeness as of a day: their set, both scores, the version of the set."""
    day = as_of or await today(sql)
    policy = (await Policies.read(sql)).information.on(day)
    after = ""
    while clients := [
        row["client_id"]
        for row in await sql.fetch(
            """SELECT client_id FROM clients WHERE client_id COLLATE "C" > $1 ORDER BY client_id COLLATE "C" LIMIT $2""",
            after,
            CLIENTS_AT_ONCE,
        )
    ]:
        after = clients[-1]
        found = {row["client_id"]: row for row in await information.score_all(sql, clients, day, policy)}
        for client_id in clients:
            row = found[client_id]
            yield client_id, row["branch_id"] or "", row["of"], str(row["whole"]), str(row["entered"]), policy.name
