"""The close of a day: anniversaries earn points [P3], and what is left of lots that end and not held expires [P6].

One entry a client and end, however many lots end together; each lot keeps how much of it expired, for a cancellation
that is heard later [4.7a].
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import asyncpg

from chassis.clock import is_month_end
from chassis.timeline import today
from chassis.uow import UnitOfWork
from contracts.base import Quantity
from contracts.points import LotsExpiring
from services.points import balances, entries, lots, loyalty, referrals
from services.points.accounts import EXPIRED, as_amount, available
from services.points.histories import expiry
from services.points.ledger import Entries
from services.points.policy import Policies
from services.points.tables import LATE, LotRow
from services.points.trades import Cause

CLIENTS_AT_ONCE = 20_000


async def close(days: Sequence[date], uow: UnitOfWork) -> None:
    """Award anniversaries of these days, tell what will expire, and let expire what ends on them."""
    for day in days:
        await loyalty.close(day, uow)
        await referrals.close(day, uow)
        await _tell(day, uow)
    through = await uow.sql.fetchval("SELECT through FROM closed_days") or date.min
    first = through + timedelta(days=1) if through > date.min else through
    clients: list[str] = [
        row["client_id"]
        for row in await uow.sql.fetch(
            f"""SELECT DISTINCT client_id FROM (
                {lots.EVERY.format(of_entries=_ends("e", days, first), of_lots="l.expires_on BETWEEN $1 AND $2")}) ended
                ORDER BY client_id""",
            first,
            days[-1],
        )
    ]
    for start in range(0, len(clients), CLIENTS_AT_ONCE):
        await expire(clients[start : start + CLIENTS_AT_ONCE], days[-1], uow)


async def _tell(day: date, uow: UnitOfWork) -> None:
    """Tell clients what will expire at the end of a month, so many days ahead, once each [4.7a]."""
    for days_left in (await uow.policies(Policies)).points.on(day).body.notice_days:
        end = day + timedelta(days=days_left)
        if not is_month_end(end):
            continue
        ending = lots.EVERY.format(
            of_entries="e.expires_on BETWEEN $1 AND $2", of_lots="l.expires_on BETWEEN $1 AND $2"
        )
        rows = await uow.sql.fetch(
            f"SELECT client_id, sum(free)::bigint FROM ({ending}) ending GROUP BY client_id ORDER BY client_id",
            max(end.replace(day=1), day + timedelta(days=1)),
            end,
        )
        uow.emit_all(
            LotsExpiring(
                client_id=client, month=f"{end:%Y-%m}", points=Quantity(as_amount(points)), days_left=days_left
            )
            for client, points in rows
        )


def _ends(alias: str, days: Sequence[date], first: date) -> str:
    """SQL: which entries' lots end; they all do at the end of a month, and on other days there is nothing to look for."""
    looked_for = first == date.min or any(is_month_end(day) for day in days)
    return f"{alias}.expires_on BETWEEN $1 AND $2" if looked_for else "$1::date > $2"


async def catch_up(since: Mapping[str, date], through: date, uow: UnitOfWork) -> None:
    """Clients of whom something was heard late: their anniversaries, and what they gained after its last day was closed."""
    day = await today(uow.sql)
    cause = Cause(f"late/{day}", day)
    await loyalty.again(since, through, cause, uow)
    await referrals.again(since, through, cause, uow)
    await expire(sorted(since), through, uow)


async def expire(clients: Sequence[str], through: date, uow: UnitOfWork) -> None:
    """Let expire whatever of these clients ended by a closed day and is not held."""
    locked = await balances.lock(uow.sql, clients)
    ended = await _ended(uow.sql, clients, through)
    if not ended:
        return
    sums: dict[tuple[str, date, date], int] = {}
    for lot, posted_on in ended:
        place = (lot.client_id, lot.expires_on, max(lot.expires_on, posted_on))
        sums[place] = sums.get(place, 0) + lot.free
        locked[lot.client_id].available -= lot.free
    steps = await entries.steps_of(uow.sql, sorted({(client, expiry(day)) for client, day, _ in sums}))
    posted = Entries(uow)
    for (client, day, posted_on), points in sums.items():
        step = steps.get((client, expiry(day)), 0)
        steps[client, expiry(day)] = step + 1
        posted.add_for_item(
            client, "expired", expiry(day), step, available(client), EXPIRED, points, day, posted_on,
            f"broker.day.closed/{day}",
        )  # fmt: skip
    await lots.save(
        uow.sql,
        [
            LotRow(
                lot.client_id, lot.lot, lot.value_on, lot.expires_on, 0, lot.held, lot.expired + lot.free, lot.extended
            )
            for lot, _ in ended
        ],
    )  # fmt: skip
    await balances.save(uow.sql, {lot.client_id: locked[lot.client_id] for lot, _ in ended})
    await posted.write()


async def _ended(sql: asyncpg.Connection, clients: Sequence[str], through: date) -> list[tuple[LotRow, date]]:
    """The lots that are free and have ended, each with the day its points were posted on."""
    wanted = "{0}.client_id = ANY($1::text[]) AND {0}.expires_on <= $2"
    return [
        (LotRow(*lot), posted_on)
        for *lot, posted_on in await sql.fetch(
            lots.EVERY.format(of_entries=wanted.format("e"), of_lots=wanted.format("l")) + " ORDER BY 1, 4, 3, 2",
            list(clients),
            through,
        )
    ]


catches_up = LATE.handed_to(catch_up)
