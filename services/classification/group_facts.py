"""More facts: transfers of funds and purchases of products. Set-based, and safe to hear twice."""

from collections.abc import Sequence

from chassis.clock import business_date
from chassis.uow import UnitOfWork
from contracts.broker import FundsMoved, ProductPurchased
from services.classification.facts import Repeatable, known_facts, note_conflicts, plain
from services.classification.group_tables import Purchase, Transfer
from services.classification.tables import LATE


async def keep_transfers(uow: UnitOfWork, moved: Sequence[FundsMoved]) -> list[bool]:
    """Keep transfers (银证转账), once each; other content under a known identity is a conflict.

    Returns for each whether it was new.
    """
    first: dict[tuple[str, str], FundsMoved] = {}
    fresh = [first.setdefault((e.client_id, e.transfer_id), e) is e for e in moved]
    kept = sorted(first.items())
    rows = await uow.sql.fetch(
        """INSERT INTO transfers (client_id, transfer_id, day, net)
           SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::numeric[])
           ON CONFLICT DO NOTHING RETURNING client_id, transfer_id""",
        [c for (c, _), _ in kept],
        [t for (_, t), _ in kept],
        [business_date(e.moved_at) for _, e in kept],
        [e.amount if e.direction == "in" else -e.amount for _, e in kept],
    )
    new = {tuple(row) for row in rows}
    is_new = [once and (e.client_id, e.transfer_id) in new for once, e in zip(fresh, moved, strict=True)]
    await _note_other_transfers(uow, [e for e, n in zip(moved, is_new, strict=True) if not n])
    return is_new


async def _note_other_transfers(uow: UnitOfWork, repeated: Sequence[FundsMoved]) -> None:
    if not repeated:
        return
    known = await known_facts(
        uow.sql, Transfer, "transfers", "transfer_id", [(e.client_id, e.transfer_id) for e in repeated]
    )
    found: list[tuple[Repeatable, dict[str, object]]] = []
    for e in repeated:
        held, day = known[e.client_id, e.transfer_id], business_date(e.moved_at)
        if (held.day, held.net) != (day, e.amount if e.direction == "in" else -e.amount):
            found.append((e, {"day": held.day.isoformat(), "net": plain(held.net)}))
    await note_conflicts(uow, found)


async def keep_purchases(uow: UnitOfWork, bought: Sequence[ProductPurchased]) -> list[bool]:
    """Keep purchases of products, once each; other content under a known identity is a conflict.

    Returns for each whether it was new.
    """
    first: dict[tuple[str, str], ProductPurchased] = {}
    fresh = [first.setdefault((e.client_id, e.purchase_id), e) is e for e in bought]
    kept = sorted(first.items())
    rows = await uow.sql.fetch(
        """INSERT INTO purchases (client_id, purchase_id, day, product_code, amount)
           SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::text[], $5::numeric[])
           ON CONFLICT DO NOTHING RETURNING client_id, purchase_id""",
        [c for (c, _), _ in kept],
        [p for (_, p), _ in kept],
        [business_date(e.at) for _, e in kept],
        [e.product_code for _, e in kept],
        [e.amount for _, e in kept],
    )
    new = {tuple(row) for row in rows}
    is_new = [once and (e.client_id, e.purchase_id) in new for once, e in zip(fresh, bought, strict=True)]
    await _note_other_purchases(uow, [e for e, n in zip(bought, is_new, strict=True) if not n])
    return is_new


async def _note_other_purchases(uow: UnitOfWork, repeated: Sequence[ProductPurchased]) -> None:
    if not repeated:
        return
    known = await known_facts(
        uow.sql, Purchase, "purchases", "purchase_id", [(e.client_id, e.purchase_id) for e in repeated]
    )
    found: list[tuple[Repeatable, dict[str, object]]] = []
    for e in repeated:
        held = known[e.client_id, e.purchase_id]
        if (held.day, held.product_code, held.amount) != (business_date(e.at), e.product_code, e.amount):
            content: dict[str, object] = {
                "day": held.day.isoformat(),
                "product_code": held.product_code,
                "amount": plain(held.amount),
            }
            found.append((e, content))
    await note_conflicts(uow, found)


async def accept_transfers(moved: Sequence[FundsMoved], uow: UnitOfWork) -> None:
    """Put transfers that an operator has accepted in the place of those known under their ids."""
    for event in moved:
        day, net = business_date(event.moved_at), event.amount if event.direction == "in" else -event.amount
        key = (event.client_id, event.transfer_id)
        before = await uow.sql.fetchval("SELECT day FROM transfers WHERE client_id = $1 AND transfer_id = $2", *key)
        await uow.sql.execute(
            "UPDATE transfers SET day = $3, net = $4 WHERE client_id = $1 AND transfer_id = $2", *key, day, net
        )
        await LATE.mark(uow, [(event.client_id, min(before, day))])


async def accept_purchases(bought: Sequence[ProductPurchased], uow: UnitOfWork) -> None:
    """Put purchases that an operator has accepted in the place of those known under their ids."""
    for event in bought:
        day, key = business_date(event.at), (event.client_id, event.purchase_id)
        before = await uow.sql.fetchval("SELECT day FROM purchases WHERE client_id = $1 AND purchase_id = $2", *key)
        await uow.sql.execute(
            """UPDATE purchases SET day = $3, product_code = $4, amount = $5
               WHERE client_id = $1 AND purchase_id = $2""",
            *key,
            day,
            event.product_code,
            event.amount,
        )
        await LATE.mark(uow, [(event.client_id, min(before, day))])
