"""What complaints tells of a client's cases once they end: satisfied or not, upheld or not [C11, C20]. Figures rest on it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from sqlalchemy import Index

from chassis.rows import Column, Row, columns, lists, table
from chassis.uow import UnitOfWork
from contracts.complaints import CaseClosed, SatisfactionRecorded
from services.relationships import handlers, open_items
from services.relationships.tables import metadata

GOOD = 3
"""The lowest of three scores that is no complaint: two and below open the case again [C11]."""


class Satisfaction(Row, frozen=True):
    """What a client said to a satisfaction call."""

    case_id: Annotated[str, Column(primary_key=True)]
    generation: Annotated[int, Column(primary_key=True)]
    client_id: str
    satisfied: bool
    at: datetime


class ClosedCase(Row, frozen=True):
    """A case that ended; opened again, it has another generation. Only what is upheld counts against anybody."""

    case_id: Annotated[str, Column(primary_key=True)]
    generation: Annotated[int, Column(primary_key=True)]
    client_id: str
    upheld: bool
    closed_at: datetime


satisfactions = table("satisfactions", metadata, Satisfaction, Index(None, "client_id", "at"))
closed_cases = table("closed_cases", metadata, ClosedCase, Index(None, "client_id", "closed_at"))


def is_satisfied(event: SatisfactionRecorded) -> bool | None:
    """Whether who complained is satisfied; None where nobody answered."""
    if event.accepted is None and not event.scores:
        return None
    return event.accepted is not False and all(score >= GOOD for score in event.scores.values())


async def hear_satisfaction(events: Sequence[SatisfactionRecorded], uow: UnitOfWork) -> None:
    """Satisfaction with how a case was handled: the latest as a fact of the client, all of them for figures."""
    await handlers.keep_satisfaction(events, uow)
    rows = {
        (one.case_id, one.generation): Satisfaction(one.case_id, one.generation, one.client_id, said, one.recorded_at)
        for one in events
        if one.client_id and not one.restricted and (said := is_satisfied(one)) is not None
    }
    if rows:
        await uow.sql.execute(
            f"""INSERT INTO satisfactions ({columns(Satisfaction)})
                SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::bool[], $5::timestamptz[])
                ON CONFLICT (case_id, generation) DO UPDATE SET satisfied = excluded.satisfied, at = excluded.at""",
            *lists([row for _, row in sorted(rows.items())]),
        )


async def hear_closed(events: Sequence[CaseClosed], uow: UnitOfWork) -> None:
    """Cases that ended: no longer open, and upheld or not."""
    await open_items.close_cases(events, uow)
    rows = {
        (one.case_id, one.generation): ClosedCase(
            one.case_id, one.generation, one.client_id, bool(one.upheld), one.closed_at
        )
        for one in events
        if one.client_id and not one.restricted
    }
    if rows:
        await uow.sql.execute(
            f"""INSERT INTO closed_cases ({columns(ClosedCase)})
                SELECT * FROM unnest($1::text[], $2::int[], $3::text[], $4::bool[], $5::timestamptz[])
                ON CONFLICT (case_id, generation) DO UPDATE SET upheld = excluded.upheld, closed_at = excluded.closed_at""",
            *lists([row for _, row in sorted(rows.items())]),
        )
