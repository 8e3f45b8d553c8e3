"""Screening many clients or products at once: a few set-based reads, the same pure rule, no evidence per answer."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chassis.rows import fetch
from chassis.timeline import TODAY
from chassis.uow import UnitOfWork
from services.suitability.errors import TooMuchAtOnce
from services.suitability.policy import Policies
from services.suitability.rules import Initiator, Side, Verdict, decide
from services.suitability.situations import (
    CONFIRMED_AS,
    Confirmed,
    HolderRow,
    ProductRow,
    holder_columns,
    holder_of,
    in_force,
    lowest_before,
    product_columns,
    product_on,
    still_confirmed,
    target_of,
)

MOST_ANSWERS = 500_000
_HOLDERS = f"""
    WITH today AS ({TODAY})
    SELECT {holder_columns("t.day", "t.instant")} FROM today t CROSS JOIN clients c
    LEFT JOIN LATERAL ({in_force("c.client_id", "t.day")}) f ON true
    WHERE {{chosen}} AND {{scope}} ORDER BY c.client_id"""
_PRODUCTS = f"""
    WITH today AS ({TODAY})
    SELECT {product_columns("t.day")} FROM today t CROSS JOIN unnest($2::text[]) AS q(code)
    JOIN LATERAL ({product_on("q.code", "t.day")}) p ON true"""
_CONFIRMED = f"""
    WITH today AS ({TODAY})
    SELECT DISTINCT ON (k.client_id, k.product) k.client_id, k.product, {CONFIRMED_AS}
    FROM today t, confirmations k
    WHERE k.product = ANY($2) AND k.confirmed_on <= t.day AND k.valid_until >= t.day
    ORDER BY k.client_id, k.product, k.confirmed_at DESC, k.number DESC"""


@dataclass(frozen=True, slots=True)
class Screened:
    """The answers of a screening: (client, product, verdict) and how many of each outcome; unknown clients apart."""

    answers: Sequence[tuple[str, str, Verdict]]
    unknown: Sequence[str]

    @property
    def counts(self) -> dict[str, int]:
        """How many of each outcome."""
        return dict(Counter(verdict.outcome.value for _, _, verdict in self.answers))


async def screen(
    uow: UnitOfWork,
    clients: Sequence[str] | None,
    branch: str | None,
    products: Sequence[str],
    side: Side,
    initiator: Initiator,
    scope: tuple[str, list[str]] = ("true", []),
) -> Screened:
    """Answer for all of `clients` (or of a branch, or everybody's) and `products` as `decide` would for each.

    Nothing is kept of the answers: a sale still needs its own decision.

    Raises: TooMuchAtOnce.
    """
    chosen, arguments = _chosen(clients, branch)
    condition, more = scope
    rows = await fetch(uow.sql, HolderRow, _HOLDERS.format(chosen=chosen, scope=condition), uow.now, *arguments, *more)
    if len(rows) * len(products) > MOST_ANSWERS:
        raise TooMuchAtOnce(limit=MOST_ANSWERS)
    found = {row.code: row for row in await fetch(uow.sql, ProductRow, _PRODUCTS, uow.now, list(products))}
    confirmed = {
        (client, product): Confirmed(*given)
        for client, product, *given in await uow.sql.fetch(_CONFIRMED, uow.now, list(products))
    }
    policies = await uow.policies(Policies)
    lowest = await lowest_before(uow.sql, rows, policies)
    answers = list(_answers(policies, rows, lowest, products, found, confirmed, side, initiator))
    known = {row.client_id for row in rows}
    return Screened(answers, [client for client in clients or () if client not in known])


def _chosen(clients: Sequence[str] | None, branch: str | None) -> tuple[str, list[object]]:
    if clients is not None:
        return "c.client_id = ANY($2::text[])", [list(clients)]
    if branch is not None:
        return "c.branch_id = $2", [branch]
    return "$2::text IS NULL", [None]


def _answers(
    policies: Policies,
    rows: Sequence[HolderRow],
    lowest: Mapping[str, int | None],
    products: Sequence[str],
    found: Mapping[str, ProductRow],
    confirmed: Mapping[tuple[str, str], Confirmed],
    side: Side,
    initiator: Initiator,
) -> Iterator[tuple[str, str, Verdict]]:
    known: dict[object, Verdict] = {}
    for row in rows:
        policy, client = policies.on(row.day), row.client_id
        holder = holder_of(row, policy, lowest.get(client))
        for product in products:
            target = target_of(found.get(product), policy, row.permissions)
            holds = still_confirmed(confirmed.get((client, product)), holder, target, policy)
            # Clients alike get the same answer: it is worked out once.
            key = (holder, target, holds)
            verdict = known.get(key)
            if verdict is None:
                verdict = known[key] = decide(holder, target, side, initiator, holds)
            yield client, product, verdict
