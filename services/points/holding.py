"""Points kept for what clients ask for: held, then spent or given back [P4, P5]. The clients' balances are the lock."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from chassis.clock import business_date
from chassis.errors import Conflict, Text
from chassis.uow import UnitOfWork
from services.points import balances, tiers
from services.points.accounts import as_amount
from services.points.ledger import Posting
from services.points.tables import HoldRow, Outcome
from services.points.trades import Cause


class InDebt(Conflict):
    """The client owes points: nothing can be held or spent until they are earned [P7]."""

    title = Text("Points are owed", "积分欠账")


class InsufficientPoints(Conflict):
    """The client has fewer points than that."""

    title = Text("Not enough points", "积分不足")


class Ended(NamedTuple):
    """How a hold ends, and when."""

    client_id: str
    hold: str
    outcome: Outcome
    at: datetime


async def hold(uow: UnitOfWork, client_id: str, name: str, reward: str, points: int, at: datetime) -> None:
    """Keep points (hundredths) of a client under a name, in spending order.

    Raises: InDebt, InsufficientPoints.
    """
    posting = await _begin(uow, [client_id])
    balance = posting.balances[client_id]
    if balance.debt:
        raise InDebt(Text(f"{as_amount(balance.debt)} points are owed", f"尚欠 {as_amount(balance.debt)} 积分"))
    before = balance.available
    kept = HoldRow(client_id, name, reward, points, at, None, None)
    await uow.sql.execute(
        "INSERT INTO holds (client_id, hold, reward, points, held_at) VALUES ($1, $2, $3, $4, $5)",
        kept.client_id, kept.hold, kept.reward, kept.points, kept.held_at,
    )  # fmt: skip
    posting.again(client_id, Cause(name, business_date(at)))
    await posting.write(folded=[client_id])
    if balance.debt:
        raise InsufficientPoints(
            Text(f"{as_amount(before)} points can be used", f"可用积分 {as_amount(before)}"),
        )


async def end(uow: UnitOfWork, ended: Sequence[Ended]) -> None:
    """End holds that have not ended: their points are spent, or given back."""
    posting = await _begin(uow, sorted({one.client_id for one in ended}))
    await uow.sql.execute(
        """UPDATE holds h SET outcome = n.outcome, ended_at = greatest(n.at, h.held_at)
           FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS n(client_id, hold, outcome, at)
           WHERE h.client_id = n.client_id AND h.hold = n.hold AND h.outcome IS NULL""",
        [one.client_id for one in ended],
        [one.hold for one in ended],
        [one.outcome for one in ended],
        [one.at for one in ended],
    )
    for one in ended:
        posting.again(one.client_id, Cause(one.hold, business_date(one.at)))
    await posting.write(folded=list(posting.balances))


async def _begin(uow: UnitOfWork, clients: Sequence[str]) -> Posting:
    return Posting(uow, await balances.lock(uow.sql, clients), await tiers.of(uow, clients))
