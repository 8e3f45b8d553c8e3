"""Lots: points that were gained together and expire together [P6]. Only those of which something was used are kept; all
others are as their entry says."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import asyncpg

from chassis.rows import columns, lists
from services.points.tables import LotRow

# A lot of which nothing was ever used has no row of its own: its entry says all.
EVERY = """
    SELECT e.client_id, e.entry_id::text AS lot, coalesce(e.value_on, e.trade_date) AS value_on, e.expires_on, e.points AS free,
           0::bigint AS held, 0::bigint AS expired, false AS extended, e.posted_on, true AS whole
    FROM entries e
    WHERE {of_entries} AND e.step = 0 AND e.points > 0 AND e.kind IN ('accrued', 'bonus', 'adjusted')
      AND NOT EXISTS (SELECT FROM lots l WHERE l.client_id = e.client_id AND l.lot = e.entry_id::text)
    UNION ALL
    SELECT l.client_id, l.lot, l.value_on, l.expires_on, l.free, l.held, l.expired, l.extended, l.value_on, false
    FROM lots l WHERE {of_lots} AND l.free > 0"""
"""SQL: lots of which something is free, as rows of `lots`, the day they were posted on, and whether they are whole, with no row of their
own; `of_entries` and `of_lots` are
conditions on the two places they are kept in."""


class Taken(NamedTuple):
    """What is used of a lot as it was, and whether it had no row of its own."""

    lot: LotRow
    points: int
    whole: bool


async def in_order(sql: asyncpg.Connection, client_id: str, day: date, points: int) -> list[Taken]:
    """Of the lots that can be used on a day, in spending order [P6], those that have so many points, or all of them."""
    usable = "{0}.client_id = $1 AND {0}.expires_on >= $2"
    found, lacking = [], points
    for *values, whole in await sql.fetch(
        f"""SELECT {columns(LotRow)}, whole FROM (
                SELECT l.*, sum(free) OVER (ORDER BY expires_on, value_on, lot COLLATE "C") - free AS before
                FROM ({EVERY.format(of_entries=usable.format("e"), of_lots=usable.format("l"))}) l) ordered
            WHERE before < $3 ORDER BY expires_on, value_on, lot COLLATE "C" """,
        client_id,
        day,
        points,
    ):
        lot = LotRow(*values)
        part = min(lot.free, lacking)
        found.append(Taken(lot, part, whole))
        lacking -= part
    return found


async def save(sql: asyncpg.Connection, changed: Sequence[LotRow]) -> None:
    """Write how lots are; their clients' balances are locked."""
    if changed:
        names = LotRow.__struct_fields__
        await sql.execute(
            f"""INSERT INTO lots ({columns(LotRow)})
                SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::date[], $5::bigint[], $6::bigint[],
                                     $7::bigint[], $8::bool[])
                ON CONFLICT (client_id, lot) DO UPDATE
                SET {", ".join(f"{name} = excluded.{name}" for name in names if name not in ("client_id", "lot"))}""",
            *lists(changed),
        )


async def forget_whole(sql: asyncpg.Connection, clients: Sequence[str]) -> None:
    """After a fold of these clients: lots of which nothing is used go without a row again, and their sum is kept, so that
    no later look at what a client has depends on how long the client has been one."""
    await sql.execute(
        """DELETE FROM lots l USING entries e
           WHERE l.client_id = ANY($1::text[]) AND l.held = 0 AND l.expired = 0 AND NOT l.extended
             AND e.client_id = l.client_id AND e.step = 0 AND e.entry_id::text = l.lot AND e.points = l.free
             AND e.kind IN ('accrued', 'bonus', 'adjusted') AND e.expires_on = l.expires_on
             AND coalesce(e.value_on, e.trade_date) = l.value_on""",
        list(clients),
    )
    await sql.execute(
        """UPDATE balances b SET whole = coalesce((
               SELECT sum(e.points) FROM entries e
               WHERE e.client_id = b.client_id AND e.expires_on IS NOT NULL AND e.step = 0
                 AND NOT EXISTS (SELECT FROM lots l WHERE l.client_id = e.client_id AND l.lot = e.entry_id::text)), 0)
           WHERE b.client_id = ANY($1::text[])""",
        list(clients),
    )
