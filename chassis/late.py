"""Late facts: those that count for a day which may be closed. Their clients are evaluated again from that day on.

LATE = LateFacts(metadata)

await LATE.note(uow, TradeSettled, [(trade.client_id, trade.trade_date) for trade in trades])     # in a handler
Service(..., catches_up=LATE.handed_to(evaluate_again))
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import date

from sqlalchemy import Column, Date, MetaData, Table, Text

from chassis.service import CatchUp
from chassis.uow import UnitOfWork
from contracts.base import Event

EvaluateAgain = Callable[[Mapping[str, date], date, UnitOfWork], Awaitable[None]]
"""Given clients each with the day from which on they are to be evaluated again, and the last closed day."""


class LateFacts:
    """The table `late` of one service."""

    def __init__(self, metadata: MetaData) -> None:
        Table(
            "late",
            metadata,
            Column("client_id", Text, primary_key=True),
            Column("day", Date, primary_key=True),
            comment="clients to evaluate again from a day that may be closed",
        )

    async def note(
        self, uow: UnitOfWork, kind: type[Event], facts: Sequence[tuple[str, date]], only: Iterable[bool] | None = None
    ) -> None:
        """Mark the clients of a batch's events of one class whose day their partition had passed when they came.

        `facts`: client and day of each event, in order; `only`: which of them count.
        """
        passed = uow.passed(kind)
        counts = [True] * len(facts) if only is None else list(only)
        await self.mark(
            uow,
            [
                fact
                for fact, day, counting in zip(facts, passed, counts, strict=True)
                if counting and day is not None and fact[1] <= day
            ],
        )

    async def mark(self, uow: UnitOfWork, late: Iterable[tuple[str, date]]) -> None:
        """Put clients on the list, each from a day."""
        pairs = sorted(set(late))
        if pairs:
            await uow.sql.execute(
                # One that is marked already is locked: who takes it off the list waits for what is late with it now.
                """INSERT INTO late (client_id, day) SELECT * FROM unnest($1::text[], $2::date[])
                   ON CONFLICT (client_id, day) DO UPDATE SET day = excluded.day""",
                [client_id for client_id, _ in pairs],
                [day for _, day in pairs],
            )

    def handed_to(self, evaluate: EvaluateAgain, clients_at_once: int = 5_000) -> CatchUp:
        """What a service's `catches_up` is: the clients of closed days, some thousands at a time."""

        async def catch_up(through: date, uow: UnitOfWork) -> bool:
            rows = await uow.sql.fetch(
                """WITH first AS (SELECT client_id, min(day) AS day FROM late WHERE day <= $1
                                  GROUP BY client_id ORDER BY min(day), client_id LIMIT $2)
                   DELETE FROM late l USING first f WHERE l.client_id = f.client_id AND l.day <= $1
                   RETURNING l.client_id, f.day""",
                through,
                clients_at_once,
            )
            since = {client_id: day for client_id, day in rows}  # noqa: C416 - rows are records, not pairs
            if since:
                await evaluate(since, through, uow)
            return bool(since)

        return catch_up
