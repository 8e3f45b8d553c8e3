"""The daily register 风险承受能力客户分类表 goes to the directors of operations and service: told by event, and in their list.

Made when a day closes, for each branch in which somebody was assessed, and again when what a closed day has changes: an
assessment comes late or is rejected, a client was in another branch then. A branch that has nobody left has a register of nobody.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

import asyncpg

from chassis.actor import Actor, Role
from chassis.rows import columns, fetch
from chassis.uow import UnitOfWork
from contracts.suitability import LevelCount, RegisterMade
from services.suitability.history import counts
from services.suitability.levels import held_in
from services.suitability.policy import Policies
from services.suitability.tables import CLIENTS, Register

_ASSESSED = f"""
    SELECT a.valid_from, coalesce({CLIENTS.on("branch_id")}, '') AS branch_id, a.scheme, a.rank, count(*) AS clients
    FROM assessments a LEFT JOIN clients c ON c.client_id = a.client_id {CLIENTS.join("a.valid_from")}
    WHERE a.valid_from = ANY($1::date[]) AND {counts("a")} GROUP BY 1, 2, 3, 4"""

_MADE = "SELECT register_date, branch_id FROM registers WHERE register_date = ANY($1::date[])"


async def make(uow: UnitOfWork, days: Collection[date]) -> list[RegisterMade]:
    """Make the registers of these days, as far as they are not made with these figures. Returns what is to be told."""
    policies = await uow.policies(Policies)
    counts: defaultdict[tuple[date, str], defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    for day, branch, scheme, rank, clients in await uow.sql.fetch(_ASSESSED, sorted(days)):
        counts[day, branch][held_in(scheme, rank, policies.on(day).scheme)] += clients
    for day, branch in await uow.sql.fetch(_MADE, sorted(days)):
        counts.setdefault((day, branch), defaultdict(int))  # of nobody, when nobody of it is left
    made = []
    for (day, branch), by_rank in sorted(counts.items()):
        own = policies.on(day).own_scheme
        made.append(
            (day, branch, sum(by_rank.values()), {own.level(rank).code: by_rank[rank] for rank in sorted(by_rank)})
        )
    if not made:
        return []
    new = await uow.sql.fetch(
        """INSERT INTO registers AS r (register_date, branch_id, clients, levels, revision, made_at)
           SELECT n.*, 1, $5 FROM unnest($1::date[], $2::text[], $3::int[], $4::jsonb[]) n
           ON CONFLICT (register_date, branch_id) DO UPDATE
           SET clients = excluded.clients, levels = excluded.levels, revision = r.revision + 1, made_at = excluded.made_at
           WHERE (r.clients, r.levels) IS DISTINCT FROM (excluded.clients, excluded.levels)
           RETURNING register_date, branch_id, clients, levels, revision""",
        *(list(column) for column in zip(*made, strict=True)),
        uow.now,
    )
    return [
        RegisterMade(
            branch_id=row["branch_id"] or None,
            register_date=row["register_date"],
            revision=row["revision"],
            seats=[*policies.on(row["register_date"]).register_seats],
            assessed=row["clients"],
            by_level=[LevelCount(level=level, clients=count) for level, count in row["levels"].items()],
        )
        for row in sorted(new, key=lambda row: (row["register_date"], row["branch_id"]))
    ]


def _branches(actor: Actor, seats: Sequence[str]) -> list[str] | None:
    """Whose registers lie in the caller's list: of every branch (None), or of those where they hold a seat or lead."""
    if actor.sees_all_branches:
        return None
    units = {unit for unit, seat in actor.seats if seat in seats}
    return sorted(units | ({actor.branch_id} if actor.role is Role.BRANCH_MANAGER and actor.branch_id else set()))


async def listed(
    sql: asyncpg.Connection, actor: Actor, day: date, unread: bool, after: tuple[date, str], limit: int
) -> list[dict[str, Any]]:
    """The registers in the caller's list, newest first, each with when they read it as it is now. `day`: today."""
    branches = _branches(actor, (await Policies.read(sql)).on(day).register_seats)
    rows = await fetch(
        sql,
        _Listed,
        f"""SELECT {columns(Register, "r")}, m.read_at
            FROM registers r LEFT JOIN register_reads m ON m.register_date = r.register_date AND m.branch_id = r.branch_id
                 AND m.person = $1 AND m.revision = r.revision
            WHERE ($2::text[] IS NULL OR r.branch_id = ANY($2)) AND (NOT $3 OR m.read_at IS NULL)
              AND (r.register_date < $4 OR r.register_date = $4 AND r.branch_id > $5)
            ORDER BY r.register_date DESC, r.branch_id LIMIT $6""",
        actor.person, branches, unread, *after, limit,
    )  # fmt: skip
    return [
        {
            "register_date": row.register_date,
            "branch_id": row.branch_id or None,
            "assessed": row.clients,
            "by_level": [{"level": level, "clients": count} for level, count in row.levels.items()],
            "made_at": row.made_at,
            "read_at": row.read_at,
        }
        for row in rows
    ]


class _Listed(Register, frozen=True):
    read_at: datetime | None


async def read(uow: UnitOfWork, on: date, day: date) -> int:
    """The caller has read the registers of a day that lie in their list. Returns how many. `day`: today."""
    branches = _branches(uow.actor, (await uow.policies(Policies)).on(day).register_seats)
    done = await uow.sql.fetch(
        """INSERT INTO register_reads (register_date, branch_id, person, revision, read_at)
           SELECT register_date, branch_id, $2, revision, $3 FROM registers
           WHERE register_date = $1 AND ($4::text[] IS NULL OR branch_id = ANY($4))
           ON CONFLICT (register_date, branch_id, person) DO UPDATE
           SET revision = excluded.revision, read_at = excluded.read_at
           WHERE register_reads.revision < excluded.revision RETURNING branch_id""",
        on,
        uow.actor.person,
        uow.now,
        branches,
    )
    if done:
        uow.audit("read register", f"register/{on.isoformat()}", branches=[row["branch_id"] for row in done])
    return len(done)
