"""Bonuses (奖励积分) [P3]: what clients should have, brought to the ledger. No multiplier counts for them [P2]."""

from collections.abc import Mapping, Sequence
from datetime import date

import asyncpg

from chassis.rows import columns, lists
from chassis.uow import UnitOfWork
from services.points import balances, histories, tiers
from services.points.ledger import Posting
from services.points.tables import BonusRow
from services.points.trades import Cause


async def bring(
    uow: UnitOfWork, wanted: Sequence[BonusRow], causes: Mapping[str, Cause], *, decided: bool = False
) -> None:
    """Bring bonuses to what they should be, for each client because of something; with `decided` also those that earn
    nothing are kept.

    A new one that touches its own lot alone is posted as it is; all others go through the fold [4.7a].
    """
    clients = sorted({bonus.client_id for bonus in wanted})
    locked = await balances.lock(uow.sql, clients)
    known = await histories.bonuses_of(uow.sql, clients)
    differing = [one for one in wanted if known.get((one.client_id, one.item)) != one]
    changed = [one for one in differing if one.points or _known(one, known)]
    if kept := differing if decided else changed:
        await _save(uow.sql, kept)
    if not changed:
        return
    posting = Posting(uow, locked, await tiers.of(uow, clients))
    through = await uow.sql.fetchval("SELECT through FROM closed_days") or date.min
    by_client: dict[str, list[BonusRow]] = {}
    for one in changed:
        by_client.setdefault(one.client_id, []).append(one)
    folded = []
    for client, own in by_client.items():
        posting.again(client, causes[client])
        if any(_known(one, known) or not posting.is_plain(one, through) for one in own):
            folded.append(client)
        else:
            for one in own:
                posting.post_bonus(one)
    await posting.write(folded=folded)


def _known(one: BonusRow, known: Mapping[tuple[str, str], BonusRow]) -> bool:
    return (one.client_id, one.item) in known


async def _save(sql: asyncpg.Connection, changed: Sequence[BonusRow]) -> None:
    names = [name for name in BonusRow.__struct_fields__ if name not in ("client_id", "item")]
    await sql.execute(
        f"""INSERT INTO bonuses ({columns(BonusRow)})
            SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::bigint[], $5::date[], $6::text[], $7::date[])
            ON CONFLICT (client_id, item) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in names)}""",
        *lists(changed),
    )
