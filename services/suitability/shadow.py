"""Shadow run: who would hold another level, which products would need another, and which matches would hold or not.

The levels, classes and holdings known today are matched as the watch does it (`drift`), under the policy of the first day.
"""

from datetime import date
from decimal import Decimal

from chassis.rows import fetch
from chassis.shadow import Outcome
from chassis.uow import UnitOfWork
from services.suitability import drift
from services.suitability.policy import Policies
from services.suitability.situations import ProductRow, held_rank, in_force, needed_of, product_columns, product_on


async def shadow(uow: UnitOfWork, first: date) -> Outcome:
    """Levels in the firm's scheme by client, levels needed by product, and matches of what is held or confirmed (`client/ID
    product/CODE`); sums: how many matches hold, and how many do not."""
    policy = (await uow.policies(Policies)).on(first)
    scheme = policy.own_scheme
    held = await uow.sql.fetch(
        f"""SELECT c.client_id, f.scheme, f.rank FROM clients c
            JOIN LATERAL ({in_force("c.client_id", "$1::date")}) f ON true WHERE c.closed_on IS NULL OR c.closed_on > $1""",
        first,
    )
    products = await fetch(
        uow.sql,
        ProductRow,
        f"""SELECT {product_columns("$1::date")} FROM products x
            JOIN LATERAL ({product_on("x.code", "$1::date")}) p ON true""",
        first,
    )
    clients = [client for (client,) in await uow.sql.fetch("SELECT client_id FROM clients ORDER BY client_id")]
    matches = {
        f"client/{row.client_id} product/{row.product}": "covered" if covered else "not covered"
        for row, covered in await drift.matches(uow, clients, first)
    }
    levels = {client: scheme.level(held_rank(own, rank, policy) or 1).code for client, own, rank in held}
    needed = {row.code: needed_of(row, policy) for row in products}
    needs = {code: "no class" if rank is None else scheme.level(rank).code for code, rank in needed.items()}
    counts = {state: Decimal(list(matches.values()).count(state)) for state in ("covered", "not covered")}
    return Outcome({"level": levels, "needs": needs, "match": matches}, {f"matches {k}": v for k, v in counts.items()})
