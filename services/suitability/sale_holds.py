"""Holds on sales (冻结): nothing may be sold to who has not answered anew in time after a stated change of life [Q5].

Decisions here see the same for themselves; the hold tells those who deliver what was sold. It begins when the day on which the
answers were due closes, and ends with the assessment, or when the client becomes a professional investor [Q6].
"""

from collections.abc import Mapping, Sequence
from datetime import date

import asyncpg

from chassis.clock import end_of, start_of
from chassis.uow import UnitOfWork
from contracts.suitability import HoldLifted, HoldPlaced
from services.suitability.ids import derived_id
from services.suitability.situations import professional, reassessment_overdue

SCOPE = "ALL"

_OWING = f"""
    SELECT l.client_id, min(l.due_on) AS due_on,
           (SELECT count(*) FROM sale_holds h WHERE h.client_id = l.client_id) AS before
    FROM life_changes l JOIN clients c USING (client_id)
    WHERE l.due_on <= $1 AND (c.closed_on IS NULL OR c.closed_on > $1)
      AND {reassessment_overdue("l.client_id", "$1::date + 1")} AND NOT {professional("l.client_id", "$1::date + 1")}
      AND NOT EXISTS (SELECT FROM sale_holds h WHERE h.client_id = l.client_id AND h.lifted_at IS NULL)
    GROUP BY 1 ORDER BY 1"""


async def place(uow: UnitOfWork, days: Sequence[date]) -> Mapping[date, list[HoldPlaced]]:
    """Hold back those who owe answers when the last of these days in a row closes. Returns what is to be told of each day."""
    owing = await uow.sql.fetch(_OWING, days[-1])
    told: dict[date, list[HoldPlaced]] = {}
    for row in owing:
        day = max(row["due_on"], days[0])
        placed = HoldPlaced(
            client_id=row["client_id"],
            hold_id=derived_id("sale hold", row["client_id"], row["before"]),
            scope=SCOPE,
            at=end_of(day),
        )
        told.setdefault(day, []).append(placed)
    await uow.sql.executemany(
        """INSERT INTO sale_holds (hold_id, client_id, scope, placed_at) VALUES ($1, $2, $3, $4)
           ON CONFLICT DO NOTHING""",
        [(one.hold_id, one.client_id, one.scope, one.at) for held in told.values() for one in held],
    )
    return told


_NO_MORE = f"""
    UPDATE sale_holds h SET lifted_at = greatest(h.placed_at, n.at)
    FROM unnest($1::text[], $2::date[], $3::timestamptz[]) AS n(client_id, day, at)
    WHERE h.client_id = n.client_id AND h.lifted_at IS NULL
      AND (NOT {reassessment_overdue("n.client_id", "n.day")} OR {professional("n.client_id", "n.day")})
    RETURNING h.hold_id, h.client_id, h.scope, h.lifted_at"""


async def lift(uow: UnitOfWork, since: Mapping[str, date]) -> None:
    """End the holds of those of these clients who owe no answers any more, from a day on each, and tell it."""
    clients = sorted(since)
    _tell(
        uow,
        await uow.sql.fetch(
            _NO_MORE, clients, [since[one] for one in clients], [start_of(since[one]) for one in clients]
        ),
    )


async def lift_late(uow: UnitOfWork, day: date) -> None:
    """End what a close of a day finds held for no reason: answers and a close had crossed."""
    held = await uow.sql.fetch("SELECT client_id FROM sale_holds WHERE lifted_at IS NULL")
    if held:
        await lift(uow, {row["client_id"]: day for row in held})


def _tell(uow: UnitOfWork, lifted: Sequence[asyncpg.Record]) -> None:
    uow.emit_all(
        HoldLifted(client_id=row["client_id"], hold_id=row["hold_id"], scope=row["scope"], at=row["lifted_at"])
        for row in sorted(lifted, key=lambda row: str(row["hold_id"]))
    )
