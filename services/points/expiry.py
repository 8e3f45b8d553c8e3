"""The close of a day: anniversaries earn points [P3], and what is left of lots that end and not held expires [P6].

One entry a client and end, however many lots end together; each lot keeps how much of it expired, for a cancellation
that is heard later [4.7a].
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from chassis.clock import is_month_end
from chassis.rows import columns
from chassis.timeline import today
from chassis.uow import UnitOfWork
from contracts.base import Quantity
from contracts.points import LotsExpiring
from services.points import balances, ledger, lots, loyalty, referrals
from services.points.accounts import as_amount
from services.points.policy import Policies
from services.points.tables import LATE, LotRow
from services.points.trades import Cause

CLIENTS_AT_ONCE = 100_000
_WANTED = "{0}.client_id = ANY($1::text[]) AND {0}.expires_on BETWEEN $4 AND $2"


# Whose lots end between two days, also of who has none left: whoever is locked in vain is not held up for long.
_ENDING = """
    SELECT e.client_id FROM entries e WHERE {} AND e.step = 0 AND e.points > 0
    UNION ALL SELECT l.client_id FROM lots l WHERE l.expires_on BETWEEN $1 AND $2 AND l.free > 0"""


async def close(days: Sequence[date], uow: UnitOfWork) -> None:
    """Award anniversaries of these days, tell what will expire, and let expire what ends on them."""
    for day in days:
        await loyalty.close(day, uow)
        await referrals.close(day, uow)
        await _tell(day, uow)
    through = await uow.sql.fetchval("SELECT through FROM closed_days") or date.min
    first = through + timedelta(days=1) if through > date.min else through
    found = _ENDING.format(_ends("e", days, first))
    await _expire(await balances.lock_found(uow.sql, found, first, days[-1]), days[-1], first, uow, since=first)


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


# In the order of clients, so that what is written lies together. Whatever ended is used up where it lies; what has to be posted comes back, a row a client, end and day of posting. Only of
# ends before $3, which were closed already, can something have been posted.
_EXPIRE = f"""
    WITH ended AS MATERIALIZED (
        SELECT * FROM ({lots.EVERY.format(of_entries=_WANTED.format("e"), of_lots=_WANTED.format("l"))}) every_lot
        ORDER BY client_id COLLATE "C"),
    whole AS (
        INSERT INTO lots ({columns(LotRow)})
        SELECT client_id, lot, value_on, expires_on, 0, held, expired + free, extended FROM ended WHERE whole),
    rest AS (
        UPDATE lots l SET free = 0, expired = l.expired + l.free FROM ended e
        WHERE NOT e.whole AND l.client_id = e.client_id AND l.lot = e.lot),
    sums AS MATERIALIZED (
        SELECT client_id, expires_on, greatest(expires_on, posted_on) AS posted_on, sum(free)::bigint AS points,
               coalesce(sum(free) FILTER (WHERE whole), 0)::bigint AS whole
        FROM ended GROUP BY 1, 2, 3),
    lowered AS (
        UPDATE balances b SET available = b.available - s.points, whole = b.whole - s.whole
        FROM (SELECT client_id, sum(points)::bigint AS points, sum(whole)::bigint AS whole FROM sums GROUP BY 1) s
        WHERE b.client_id = s.client_id)
    SELECT s.client_id, s.expires_on, s.posted_on, s.points,
           coalesce(posted.steps, 0) + row_number() OVER (PARTITION BY s.client_id, s.expires_on ORDER BY s.posted_on) - 1 AS steps
    FROM sums s
    LEFT JOIN (SELECT e.client_id, e.item, max(e.step) + 1 AS steps FROM entries e
               JOIN (SELECT DISTINCT client_id, 'expired/' || expires_on AS item FROM sums WHERE expires_on < $3) i
                    ON i.client_id = e.client_id AND i.item = e.item
               WHERE e.item IS NOT NULL GROUP BY 1, 2) posted
         ON posted.client_id = s.client_id AND posted.item = 'expired/' || s.expires_on
    ORDER BY s.client_id COLLATE "C", s.expires_on, s.posted_on"""


async def expire(clients: Sequence[str], through: date, uow: UnitOfWork) -> None:
    """Let expire whatever of these clients ended by a closed day and is not held. All of them are locked first: the numbers
    of entries, which everybody needs, come last."""
    await balances.lock_known(uow.sql, clients)
    await _expire(clients, through, date.max, uow)


async def _expire(clients: Sequence[str], through: date, first: date, uow: UnitOfWork, since: date = date.min) -> None:
    """Clients are locked; of ends on `first` or later nothing was posted yet, before `since` nothing is left."""
    ended: list[ledger.Ended] = []
    for start in range(0, len(clients), CLIENTS_AT_ONCE):
        some = list(clients[start : start + CLIENTS_AT_ONCE])
        ended += map(tuple, await uow.sql.fetch(_EXPIRE, some, through, first, since))
    if ended:
        await ledger.post_expired(uow, ended)


catches_up = LATE.handed_to(catch_up)
