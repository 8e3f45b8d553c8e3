"""Matches that no longer hold (适当性匹配发生变化): holdings and open confirmations a level no longer covers.

Looked for when a client's level is lowered or ends and when a product's class rises; each is told once, listed, and
worked off [go-beyond 6, Art. 21].
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Literal

import asyncpg

from chassis.uow import UnitOfWork
from contracts.suitability import DriftedProduct, MatchDrifted
from services.suitability.assessments import derived_id
from services.suitability.policy import Policy, policy_on
from services.suitability.situations import held_rank, in_force, product_columns, professional, target_of

Cause = Literal["level_lowered", "assessment_expired", "class_raised"]

# What is held is what was bought less what was sold; less than a millionth of a unit is rounding dust.
_EXPOSED = f"""
    WITH exposed AS (
        SELECT client_id, symbol AS product, 'holding' AS what FROM trades WHERE {{trades}}
        GROUP BY client_id, symbol HAVING sum(CASE side WHEN 'buy' THEN quantity ELSE -quantity END) > 0.000001
        UNION
        SELECT client_id, product, 'holding' FROM purchases WHERE {{purchases}}
        GROUP BY client_id, product HAVING sum(amount) > 0
        UNION
        SELECT client_id, product, 'confirmation' FROM confirmations
        WHERE {{purchases}} AND confirmed_on <= $2 AND valid_until >= $2)
    SELECT e.client_id, e.what, e.product, c.branch_id, f.scheme AS held_scheme, f.level AS held_level,
           f.rank AS held_rank, {professional("e.client_id", "$2")} AS professional, {product_columns("$2")}
    FROM exposed e
    LEFT JOIN clients c ON c.client_id = e.client_id
    LEFT JOIN products p ON p.code = e.product
    LEFT JOIN LATERAL ({in_force("e.client_id", "$2")}) f ON true
    WHERE c.closed_on IS NULL OR c.closed_on > $2
    ORDER BY e.client_id, e.product, e.what"""
_OF_CLIENTS = _EXPOSED.format(trades="client_id = ANY($1::text[])", purchases="client_id = ANY($1::text[])")
_OF_PRODUCT = _EXPOSED.format(trades="symbol = ANY($1::text[])", purchases="product = ANY($1::text[])")


async def look_at_clients(uow: UnitOfWork, clients: Sequence[str], cause: Cause, day: date) -> int:
    """List what the level these clients have on `day` does not cover. Returns how many are new."""
    if not clients:
        return 0
    return await _note(uow, await uow.sql.fetch(_OF_CLIENTS, list(clients), day), cause, day)


async def look_at_product(uow: UnitOfWork, product: str, day: date) -> int:
    """Match everyone who holds or subscribes a product again, after its class rose. Returns how many are new."""
    return await _note(uow, await uow.sql.fetch(_OF_PRODUCT, [product], day), "class_raised", day)


async def _note(uow: UnitOfWork, exposed: Sequence[asyncpg.Record], cause: Cause, day: date) -> int:
    policy = policy_on(day)
    found = [row for row in exposed if not _covered(row, policy)]
    if not found:
        return 0
    scheme = policy.own_scheme
    values = []
    for row in found:
        needed, held = target_of(row, policy, []).needed, held_rank(row, policy)
        values.append(
            (
                derived_id("drift", cause, row["client_id"], row["product"], row["what"], day),
                row["client_id"],
                row["branch_id"],
                row["product"],
                row["what"],
                scheme.level(needed).code if needed else None,
                scheme.level(held).code if held else None,
            )
        )
    columns = list(zip(*values, strict=True))
    # What is on the list and not worked off yet is not listed again for the same cause.
    new = await uow.sql.fetch(
        """INSERT INTO drifts (drift_id, cause, client_id, branch_id, product, what, needed, held, found_on)
           SELECT n.id, $8, n.client, n.branch, n.product, n.what, n.needed, n.held, $9
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
                AS n(id, client, branch, product, what, needed, held)
           ON CONFLICT DO NOTHING RETURNING client_id, branch_id, product, what, needed, held""",
        *map(list, columns),
        cause,
        day,
    )
    by_client: defaultdict[str, list[asyncpg.Record]] = defaultdict(list)
    for row in new:
        by_client[row["client_id"]].append(row)
    uow.emit_all(
        MatchDrifted(
            client_id=client,
            branch_id=rows[0]["branch_id"],
            cause=cause,
            found_on=day,
            held=rows[0]["held"],
            products=[DriftedProduct(product=r["product"], needed=r["needed"], what=r["what"]) for r in rows],
        )
        for client, rows in by_client.items()
    )
    return len(new)


def _covered(row: asyncpg.Record, policy: Policy) -> bool:
    if row["professional"] or row["code"] is None:
        return bool(row["professional"])
    needed, held = target_of(row, policy, []).needed, held_rank(row, policy)
    return needed is not None and held is not None and needed <= held


async def lowered(uow: UnitOfWork, clients: Sequence[str], day: date) -> list[str]:
    """Those of these clients whose level on the day after is lower than on the day itself, in the firm's scheme."""
    policy = policy_on(day)
    rows = await uow.sql.fetch(
        f"""SELECT c.client_id, b.scheme AS scheme_before, b.rank AS rank_before,
                   f.scheme AS held_scheme, f.rank AS held_rank
            FROM unnest($1::text[]) AS c(client_id)
            JOIN LATERAL ({in_force("c.client_id", "$2::date")}) b ON true
            JOIN LATERAL ({in_force("c.client_id", "$3::date")}) f ON true""",
        list(clients),
        day,
        day + timedelta(days=1),
    )
    return [
        row["client_id"]
        for row in rows
        if (held_rank(row, policy) or 0)
        < (held_rank({"held_rank": row["rank_before"], "held_scheme": row["scheme_before"]}, policy) or 0)
    ]
