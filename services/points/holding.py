"""Points kept for what clients ask for: held, then spent or given back [P4, P5]. The clients' balances are the lock."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

import asyncpg
import msgspec

from chassis.clock import business_date
from chassis.errors import Conflict, Text
from chassis.rows import columns, fetch
from chassis.uow import UnitOfWork
from services.points import balances, entries, lots, tiers
from services.points.accounts import as_amount, available, held, redeemed
from services.points.ledger import Posting
from services.points.tables import HoldRow, LotRow, Outcome
from services.points.trades import VALUE_ON, Cause


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

    A hold that comes after all that is known takes its lots as they are; any other goes through the fold [4.7a].

    Raises: InDebt, InsufficientPoints.
    """
    posting = await _begin(uow, [client_id])
    balance = posting.balances[client_id]
    if balance.debt:
        raise InDebt(Text(f"{as_amount(balance.debt)} points are owed", f"尚欠 {as_amount(balance.debt)} 积分"))
    kept = HoldRow(client_id, name, reward, points, at, None, None)
    await uow.sql.execute(
        "INSERT INTO holds (client_id, hold, reward, points, held_at) VALUES ($1, $2, $3, $4, $5)",
        kept.client_id, kept.hold, kept.reward, kept.points, kept.held_at,
    )  # fmt: skip
    posting.again(client_id, Cause(name, business_date(at)))
    plain = await _hold_plain(uow.sql, posting, kept)
    await posting.write(folded=[] if plain else [client_id])
    if (
        balance.debt
    ):  # what the hold lacks: lots whose end is before its day are none of what can be used, closed or not
        day, usable = business_date(at), as_amount(points - balance.debt)
        raise InsufficientPoints(Text(f"{usable} points can be used on {day}", f"{day} 可用积分为 {usable}"))


async def _hold_plain(sql: asyncpg.Connection, posting: Posting, kept: HoldRow) -> bool:
    """Take what is needed of the lots as they are, in spending order. False, with nothing taken, where something counts
    from later than the hold, or there is too little."""
    client, day = kept.client_id, business_date(kept.held_at)
    taken = await take_plain(sql, posting, client, day, kept.points)
    if not taken:
        return False
    posting.lots += [
        msgspec.structs.replace(one.lot, free=one.lot.free - one.points, held=one.lot.held + one.points)
        for one in taken
    ]
    posting.balances[client].held += kept.points
    posting.entries.add_for_item(
        client, "held", kept.hold, 0, available(client), held(client), kept.points, day, day, kept.hold
    )
    return True


async def take_plain(
    sql: asyncpg.Connection, posting: Posting, client: str, day: date, points: int
) -> list[lots.Taken]:
    """Which lots an act of a day takes its points from as they are, and take them off the balance. None, with nothing taken, where
    something counts from later than the act, or there is too little: then only the fold knows."""
    balance = posting.balances[client]
    if (
        balance.debt
        or balance.used_on >= day
        or await sql.fetchval(
            f"""SELECT EXISTS (SELECT FROM entries e WHERE e.client_id = $1
                           AND ({VALUE_ON} > $2 OR (e.kind IN ('reversed', 'expired') AND {VALUE_ON} = $2)))""",
            client,
            day,
        )
    ):
        return []
    taken = await lots.in_order(sql, client, day, points)
    if sum(one.points for one in taken) < points:
        return []
    balance.available -= points
    balance.whole -= sum(one.lot.free for one in taken if one.whole)
    balance.used_on = day
    return taken


async def end(uow: UnitOfWork, ended: Sequence[Ended]) -> None:
    """End holds that have not ended: their points are spent, or given back."""
    posting = await _begin(uow, sorted({one.client_id for one in ended}))
    done = await fetch(
        uow.sql,
        HoldRow,
        f"""UPDATE holds h SET outcome = n.outcome, ended_at = greatest(n.at, h.held_at)
           FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS n(client_id, hold, outcome, at)
           WHERE h.client_id = n.client_id AND h.hold = n.hold AND h.outcome IS NULL RETURNING {columns(HoldRow, "h")}""",
        [one.client_id for one in ended],
        [one.hold for one in ended],
        [one.outcome for one in ended],
        [one.at for one in ended],
    )
    for one in ended:
        posting.again(one.client_id, Cause(one.hold, business_date(one.at)))
    plain = await _spend_plain(uow.sql, posting, done)
    await posting.write(folded=[client for client in posting.balances if client not in plain])


async def _spend_plain(sql: asyncpg.Connection, posting: Posting, done: Sequence[HoldRow]) -> set[str]:
    """Spend what is held for the only hold a client has: nothing else hangs on it. Returns those clients."""
    counts = Counter(one.client_id for one in done)
    spent = {
        one.client_id: one
        for one in done
        if one.outcome == "spent" and counts[one.client_id] == 1 and posting.balances[one.client_id].held == one.points
    }
    steps = await entries.steps_of(sql, [(client, one.hold) for client, one in spent.items()])
    for lot in await fetch(
        sql,
        LotRow,
        f"SELECT {columns(LotRow)} FROM lots WHERE client_id = ANY($1::text[]) AND held > 0 ORDER BY client_id, lot",
        sorted(spent),
    ):
        posting.lots.append(msgspec.structs.replace(lot, held=0))
    for client, one in spent.items():
        assert one.ended_at is not None
        day = business_date(one.ended_at)
        posting.balances[client].held = 0
        posting.entries.add_for_item(
            client, "spent", one.hold, steps[client, one.hold], held(client), redeemed(one.reward), one.points, day, day,
            one.hold,
        )  # fmt: skip
    return spent.keys() & posting.balances.keys()


async def _begin(uow: UnitOfWork, clients: Sequence[str]) -> Posting:
    return Posting(uow, await balances.lock(uow.sql, clients), await tiers.of(uow, clients))
