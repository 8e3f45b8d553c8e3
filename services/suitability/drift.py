"""Matches that no longer hold (适当性匹配发生变化): holdings and open confirmations a level no longer covers.

Looked for when a client's level is lowered or ends and when a product's class rises, and what is no more permitted or on the
shelf when that ends; each is told once, listed, and worked off [go-beyond 6, Art. 21].
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import Any, Literal, NamedTuple

import asyncpg

from chassis.uow import UnitOfWork
from contracts.suitability import DriftedProduct, MatchDrifted
from services.suitability.ids import derived_id
from services.suitability.policy import Policies, Policy
from services.suitability.situations import (
    ProductRow,
    cancelled,
    held_rank,
    in_force,
    needed_of,
    not_sold_because,
    permitted,
    product_columns,
    product_in,
    product_on,
    professional,
)
from services.suitability.tables import CLIENTS

Cause = Literal[
    "level_lowered",
    "assessment_expired",
    "class_raised",
    "professional_ended",
    "trade_cancelled",
    "permission_ended",
    "off_shelf",
]

# What is held is what was bought less what was sold, each as far as it was not cancelled; less than a millionth of a unit is rounding dust.
_EXPOSED = f"""
    WITH looked AS (SELECT * FROM unnest($1::text[], $2::date[], $3::date[]) AS l(subject, day, through)),
    exposed AS (
        SELECT t.client_id, l.day, t.symbol AS product, 'holding' AS what
        FROM looked l JOIN trades t ON {{trades}} = l.subject AND t.trade_date <= l.through
        {{cancelled}}
        GROUP BY 1, 2, 3 HAVING sum(CASE side WHEN 'buy' THEN quantity ELSE -quantity END * CASE
            WHEN x.trade_id IS NULL THEN 1 WHEN commission > 0 THEN least(x.remaining / commission, 1) ELSE 0 END) > 0.000001
        UNION
        SELECT t.client_id, l.day, t.product, 'holding' FROM looked l JOIN purchases t
        ON {{products}} = l.subject AND t.at < (l.through + 1)::timestamp AT TIME ZONE 'Asia/Shanghai'
        GROUP BY 1, 2, 3 HAVING sum(amount) > 0
        UNION
        SELECT t.client_id, l.day, t.product, 'confirmation' FROM looked l JOIN confirmations t
        ON {{products}} = l.subject AND t.confirmed_on <= l.day AND t.valid_until >= l.day)
    SELECT e.client_id, e.day, e.what, e.product, {CLIENTS.on("branch_id")}, f.scheme, f.rank,
           {professional("e.client_id", "e.day")}, {permitted("e.client_id", "e.day")}, {product_columns("e.day")}
    FROM exposed e
    LEFT JOIN clients c ON c.client_id = e.client_id {CLIENTS.join("e.day")}
    LEFT JOIN LATERAL ({product_on("e.product", "e.day")}) p ON true
    LEFT JOIN LATERAL ({in_force("e.client_id", "e.day")}) f ON true
    WHERE c.closed_on IS NULL OR c.closed_on > e.day
    ORDER BY e.day, e.client_id, e.product, e.what"""
_CANCELLED = cancelled("t", "l.through")
_OF_CLIENTS = _EXPOSED.format(trades="t.client_id", products="t.client_id", cancelled=_CANCELLED)
_OF_PRODUCTS = _EXPOSED.format(trades="t.symbol", products="t.product", cancelled=_CANCELLED)


class Exposed(NamedTuple):
    """What a client has on a day: the branch they were in then, the level in force, the product if known."""

    client_id: str
    day: date
    what: str
    product: str
    branch_then: str | None
    held_scheme: str | None
    held_rank: int | None
    professional: bool
    permissions: list[str]
    known: ProductRow | None

    @classmethod
    def of(cls, columns: asyncpg.Record) -> "Exposed":
        """From the columns as they were read."""
        return cls._make((*columns[:9], product_in(columns[9:])))

    def needed(self, policy: Policy) -> int | None:
        """The rank that the product asks for."""
        return needed_of(self.known, policy) if self.known else None

    def held(self, policy: Policy) -> int | None:
        """The rank in force."""
        return held_rank(self.held_scheme, self.held_rank, policy)

    def covered(self, policy: Policy) -> bool:
        """Whether what the client is covers it."""
        needed, held = self.needed(policy), self.held(policy)
        return self.professional or (needed is not None and held is not None and needed <= held)

    def stands(self, cause: Cause, policy: Policy) -> bool:
        """Whether it may stay, as far as a cause is about it: shelf and permission count for professional investors too."""
        if cause == "permission_ended":
            return policy.permission_of(self.known.kind if self.known else None) in (None, *self.permissions)
        if cause == "off_shelf":
            return self.known is not None and not_sold_because(self.known) is None
        return self.covered(policy)


Looked = Sequence[tuple[str, date, date]]
"""Whose matches to look at, the day whose level and class count, and the last day whose trades do: facts of later days
may be there already."""


async def look_at_clients(
    uow: UnitOfWork, looked: Looked, cause: Cause, only: Collection[tuple[str, str]] | None = None
) -> list[MatchDrifted]:
    """List what the level clients have on a day each does not cover, of `only` these (client, product), if given. Returns
    what is new, to be told."""
    return await _note(uow, _OF_CLIENTS, looked, cause, only)


async def look_at_products(uow: UnitOfWork, looked: Looked, cause: Cause = "class_raised") -> list[MatchDrifted]:
    """Match everyone who holds or subscribes products again, each as of the day its class rose, or it left the shelf.

    Returns what is new, to be told.
    """
    return await _note(uow, _OF_PRODUCTS, looked, cause)


async def _note(
    uow: UnitOfWork, exposed: str, looked: Looked, cause: Cause, only: Collection[tuple[str, str]] | None = None
) -> list[MatchDrifted]:
    if not looked:
        return []
    policies = await uow.policies(Policies)
    rows = [Exposed.of(columns) for columns in await uow.sql.fetch(exposed, *zip(*looked, strict=True))]
    found = [
        row
        for row in rows
        if not row.stands(cause, policies.on(row.day)) and (only is None or (row.client_id, row.product) in only)
    ]
    if not found:
        return []
    # What is on the list of a day is not listed again. Who has the client today works it off; it is told of the branch of its day.
    branches = {(row.day, row.client_id): row.branch_then for row in found}
    now = await CLIENTS.branches(uow.sql, [row.client_id for row in found])
    new = await uow.sql.fetch(
        """INSERT INTO drifts (drift_id, cause, client_id, branch_id, product, what, needed, held, found_on)
           SELECT n.id, $9, n.client, n.branch, n.product, n.what, n.needed, n.held, n.day
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::date[])
                AS n(id, client, branch, product, what, needed, held, day)
           ON CONFLICT DO NOTHING RETURNING found_on, client_id, held, product, needed, what""",
        *zip(*(_listed(row, now.get(row.client_id), cause, policies.on(row.day)) for row in found), strict=True),
        cause,
    )
    drifted: defaultdict[tuple[date, str, str | None], list[DriftedProduct]] = defaultdict(list)
    for day, client, held, product, needed, what in new:
        drifted[day, client, held].append(DriftedProduct(product=product, needed=needed, what=what))
    return [
        MatchDrifted(
            client_id=client,
            branch_id=branches[day, client],
            cause=cause,
            found_on=day,
            held=held,
            products=products,
        )
        for (day, client, held), products in drifted.items()
    ]


def _listed(row: Exposed, branch_id: str | None, cause: Cause, policy: Policy) -> tuple[Any, ...]:
    scheme, needed, held = policy.own_scheme, row.needed(policy), row.held(policy)
    return (
        derived_id("drift", cause, row.client_id, row.product, row.what, row.day),
        row.client_id,
        branch_id,
        row.product,
        row.what,
        scheme.level(needed).code if needed else None,
        scheme.level(held).code if held else None,
        row.day,
    )


async def matches(uow: UnitOfWork, clients: Sequence[str], day: date) -> list[tuple[Exposed, bool]]:
    """What clients hold or have confirmed, and whether what they are on a day covers it."""
    policy = (await uow.policies(Policies)).on(day)
    looked = [(client, day, day) for client in clients]
    found = await uow.sql.fetch(_OF_CLIENTS, *zip(*looked, strict=True)) if looked else []
    return [(row, row.covered(policy)) for row in map(Exposed.of, found)]


async def lowered(uow: UnitOfWork, changed: Sequence[tuple[str, date]]) -> list[tuple[str, date]]:
    """Those of these (client, day) whose level on the day is lower than on the day before, in the firm's scheme."""
    if not changed:
        return []
    rows = await uow.sql.fetch(
        f"""SELECT c.client_id, c.day, b.scheme, b.rank, f.scheme, f.rank
            FROM unnest($1::text[], $2::date[]) AS c(client_id, day)
            JOIN LATERAL ({in_force("c.client_id", "c.day - 1")}) b ON true
            JOIN LATERAL ({in_force("c.client_id", "c.day")}) f ON true""",
        *zip(*changed, strict=True),
    )
    policies = await uow.policies(Policies)
    found = []
    for client, day, scheme_before, rank_before, scheme, rank in rows:
        policy = policies.on(day - timedelta(days=1))
        before, after = held_rank(scheme_before, rank_before, policy), held_rank(scheme, rank, policy)
        if (after or 0) < (before or 0):
            found.append((client, day))
    return found
