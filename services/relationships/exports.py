"""What `careline export` writes: CSV rows sorted by their key."""

from collections.abc import AsyncIterator
from datetime import date, timedelta

import asyncpg

from chassis.clock import end_of
from chassis.timeline import effective_now, today
from contracts.annex4 import in_ten_thousands
from services.relationships import information
from services.relationships import register as registers
from services.relationships.policy import Policies

ASSIGNMENT_COLUMNS = ("client_id", "role", "person", "since", "until", "reason", "run")
INFORMATION_COLUMNS = ("client_id", "branch_id", "set", "whole", "entered", "policy")
REGISTER_COLUMNS = (
    "client_id", "branch_id", "person", "assets", "commission", "habit", "value", "style", "preference", "risk", "visits",
)  # fmt: skip
PROSPECT_COLUMNS = (
    "prospect_id", "branch_id", "owner", "source", "state", "heard_on", "opening_on", "converted_to", "ended_on",
)  # fmt: skip
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
            """SELECT client_id FROM clients c WHERE client_id COLLATE "C" > $1
                 AND NOT EXISTS (SELECT FROM prospects p WHERE p.prospect_id = c.client_id) ORDER BY client_id COLLATE "C" LIMIT $2""",
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


async def register(sql: asyncpg.Connection, as_of: date | None = None) -> AsyncIterator[tuple[str, ...]]:
    """The register of annex 4 without what names or reaches anybody: that is read by its manager, with a purpose [CI13]."""
    day, after = as_of or await today(sql), ""
    while found := await registers.entries(sql, day, None, after, CLIENTS_AT_ONCE):
        after = found[-1].client_id
        for one in found:
            amounts = (
                "" if amount is None else str(in_ten_thousands(amount)) for amount in (one.assets, one.commission)
            )
            codes = (one.codes.get(code, "") for code in registers.CODES)
            yield one.client_id, one.branch_id or "", one.owner, *amounts, *codes, str(one.visits)


async def prospects(sql: asyncpg.Connection, as_of: date | None = None) -> AsyncIterator[tuple[str, ...]]:
    """Prospects first heard of by the end of a day, as they are now, without what names or reaches anybody [CI12]."""
    query = """SELECT prospect_id, branch_id, owner, source, state, (heard_at AT TIME ZONE 'Asia/Shanghai')::date, opening_on,
                      converted_to, (ended_at AT TIME ZONE 'Asia/Shanghai')::date
               FROM prospects WHERE heard_at < $1 ORDER BY prospect_id COLLATE "C" """
    until = end_of(as_of or await today(sql))
    async with sql.transaction(readonly=True):
        async for row in sql.cursor(query, until, prefetch=ROWS_AT_ONCE):
            yield tuple("" if value is None else str(value) for value in row)
