"""What `careline export` writes: CSV rows sorted by their key."""

from collections.abc import AsyncIterator
from datetime import date, timedelta

import asyncpg

from chassis.clock import end_of
from chassis.timeline import effective_now, today
from services.relationships import information
from services.relationships.policy import Policies

ASSIGNMENT_COLUMNS = ("client_id", "role", "person", "since", "until", "reason", "run")
INFORMATION_COLUMNS = ("client_id", "branch_id", "set", "whole", "entered", "policy")
CLIENTS_AT_ONCE = 5_000
ROWS_AT_ONCE = 2_000


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


async def assignments(sql: asyncpg.Connection, as_of: date | None = None) -> AsyncIterator[tuple[str, ...]]:
    """Who owns each client, and who is in their team, at the end of a day (now, without one) [RE1]."""
    at = await effective_now(sql) if as_of is None else end_of(as_of) - timedelta(microseconds=1)
    query = """SELECT client_id, role, person, since, until, reason, run FROM (
                   SELECT client_id, role, person, since, until, reason, run FROM owners UNION ALL
                   SELECT client_id, role, person, since, until, reason, run FROM team_members) a
               WHERE since <= $1 AND (until IS NULL OR until > $1)
               ORDER BY client_id COLLATE "C", role, person COLLATE "C" """
    async with sql.transaction(readonly=True):
        async for client_id, role, person, since, until, reason, run in sql.cursor(query, at, prefetch=ROWS_AT_ONCE):
            yield client_id, role, person, since.isoformat(), until.isoformat() if until else "", reason, run or ""
