"""How many people a branch should have for its clients (配置标准), and how many are missing, post by post [A26]."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from math import ceil

import asyncpg

from chassis import staff
from chassis.clock import end_of
from services.relationships.policy import Allocation, Post, Staffing
from services.relationships.tables import CLIENTS, TIERS


@dataclass(frozen=True, slots=True)
class Gap:
    """A post of a branch: its clients, how many holders they ask for, how many there are, and who of them has more than they have room for."""

    branch_id: str
    post: Post
    clients: int
    needed: int
    present: int
    over: tuple[str, ...]

    @property
    def missing(self) -> int:
        """How many are missing; never less than none."""
        return max(self.needed - self.present, 0)


def needed(clients: Mapping[str, int], post: Post) -> int:
    """How many holders of a post these clients, by tier, ask for: what each takes of one's room, rounded up in the end."""
    return ceil(sum((Fraction(clients.get(tier, 0), room) for tier, room in post.room.items()), Fraction(0)))


BY_TIER = f"""
    SELECT {CLIENTS.on("branch_id")} AS branch_id, coalesce({TIERS.on("tier", "c.client_id", "$1::date")}, 'NORMAL') AS tier,
           count(*) FROM clients c {CLIENTS.join("$1::date")}
    WHERE c.opened_on <= $1 AND (c.closed_on IS NULL OR c.closed_on > $1) GROUP BY 1, 2"""
OWNED = """SELECT o.person, count(*) FROM owners o JOIN clients c USING (client_id)
    WHERE o.role = 'primary' AND o.since < $1 AND (o.until IS NULL OR o.until >= $1)
      AND (c.closed_on IS NULL OR c.closed_on > $2) GROUP BY o.person"""


async def gaps(
    sql: asyncpg.Connection, day: date, terms: Staffing, rooms: Allocation, branch_id: str | None
) -> list[Gap]:
    """Each post of each branch (or of one) at the end of a day."""
    of: dict[str, Counter[str]] = {}
    for branch, tier, count in await sql.fetch(BY_TIER, day):
        if branch is not None and branch_id in (None, branch):
            of.setdefault(branch, Counter())[tier] = count
    owned: dict[str, int] = dict(map(tuple, await sql.fetch(OWNED, end_of(day), day)))
    own: dict[str, int] = dict(map(tuple, await sql.fetch("SELECT staff_id, capacity FROM manager_capacities")))
    roster, at = await staff.roster(sql), end_of(day) - timedelta(microseconds=1)
    found = []
    for branch, clients in sorted(of.items()):
        for post in terms.posts:
            holders = roster.seated(branch, post.seat, at)
            over = [
                one for one in holders
                if post.seat == rooms.manager_seat and owned.get(one, 0) > own.get(one, rooms.capacity)
            ]  # fmt: skip
            count = sum(clients[tier] for tier in post.room)
            found.append(Gap(branch, post, count, needed(clients, post), len(holders), tuple(over)))
    return found
