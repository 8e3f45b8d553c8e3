"""What is open of a client in other services: callbacks owed and cases, by their ids, for who takes a client over [A9]."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Annotated, Protocol

import asyncpg

from chassis.rows import Column, Row, columns, fetch, lists, table
from chassis.uow import UnitOfWork
from contracts.callbacks import TaskCancelled, TaskCompleted, TaskCreated, TaskExhausted, TaskExpired
from contracts.complaints import CaseClosed, CaseCorrected, CaseOpened, CaseReopened
from services.relationships.contacts import QUIET_RULES
from services.relationships.tables import metadata

TASK, CASE = "task", "case"


class OpenItem(Row, frozen=True):
    """A callback owed, or a case. What comes of it later counts whichever was heard first: of a case the highest generation."""

    kind: Annotated[str, Column(primary_key=True, comment="task, case")]
    item_id: Annotated[str, Column(primary_key=True)]
    client_id: Annotated[str | None, Column(comment="none until its beginning is heard", index=True)]
    topic: str | None
    since: datetime | None
    due_on: date | None
    generation: Annotated[int, Column(comment="of a case: each opening once more is one higher")]
    over: Annotated[bool, Column(comment="of that generation")]
    correction: Annotated[int, Column(comment="the highest correction of its client; 0: none", server_default="0")] = 0


open_items = table("open_items", metadata, OpenItem)


class TaskOver(Protocol):
    """A word that ends a task."""

    @property
    def task_id(self) -> object: ...


async def _keep(uow: UnitOfWork, found: Iterable[OpenItem]) -> None:
    merged: dict[tuple[str, str], OpenItem] = {}
    for one in found:
        known = merged.get((one.kind, one.item_id))
        merged[one.kind, one.item_id] = one if known is None else _both(known, one)
    if merged:
        await uow.sql.execute(
            f"""INSERT INTO open_items AS i ({columns(OpenItem)})
                SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::date[], $7::int[],
                                     $8::bool[], $9::int[])
                ON CONFLICT (kind, item_id) DO UPDATE SET
                    client_id = CASE WHEN excluded.correction > i.correction THEN excluded.client_id
                                     WHEN i.correction > 0 THEN i.client_id ELSE coalesce(i.client_id, excluded.client_id) END,
                    correction = greatest(i.correction, excluded.correction),
                    topic = coalesce(i.topic, excluded.topic), since = coalesce(i.since, excluded.since),
                    due_on = coalesce(i.due_on, excluded.due_on), generation = greatest(i.generation, excluded.generation),
                    over = CASE WHEN i.generation > excluded.generation THEN i.over
                                WHEN i.generation < excluded.generation THEN excluded.over ELSE i.over OR excluded.over END""",
            *lists([one for _, one in sorted(merged.items())]),
        )


def _both(one: OpenItem, other: OpenItem) -> OpenItem:
    newer = max(one, other, key=lambda item: item.generation)
    corrected = max(one, other, key=lambda item: item.correction)
    return OpenItem(
        one.kind, one.item_id, corrected.client_id if corrected.correction else one.client_id or other.client_id,
        one.topic or other.topic, one.since or other.since,
        one.due_on or other.due_on, newer.generation,
        newer.over if one.generation != other.generation else one.over or other.over, corrected.correction,
    )  # fmt: skip


async def begin_tasks(events: Sequence[TaskCreated], uow: UnitOfWork) -> None:
    """Callbacks owed: what they are about where the people of a branch may read it."""
    await _keep(
        uow,
        [
            OpenItem(
                TASK, str(one.task_id), one.client_id, one.task_topic, record.time, one.due_on, 1, False
            )
            for one, record in zip(events, uow.records(TaskCreated), strict=True)
            if one.rule not in QUIET_RULES
        ],
    )  # fmt: skip


async def end_tasks(events: Sequence[TaskOver], uow: UnitOfWork) -> None:
    """Callbacks that are not owed any more."""
    await _keep(uow, [OpenItem(TASK, str(one.task_id), None, None, None, None, 1, True) for one in events])


async def complete_tasks(events: Sequence[TaskCompleted], uow: UnitOfWork) -> None:
    """Completed."""
    await end_tasks(events, uow)


async def cancel_tasks(events: Sequence[TaskCancelled], uow: UnitOfWork) -> None:
    """Not owed any more."""
    await end_tasks(events, uow)


async def expire_tasks(events: Sequence[TaskExpired], uow: UnitOfWork) -> None:
    """Not done in time."""
    await end_tasks(events, uow)


async def exhaust_tasks(events: Sequence[TaskExhausted], uow: UnitOfWork) -> None:
    """Tried as often as the policy says."""
    await end_tasks(events, uow)


async def begin_cases(events: Sequence[CaseOpened], uow: UnitOfWork) -> None:
    """Cases, without those only compliance reads: of nobody as well, until it is known whose they are."""
    await _keep(
        uow,
        [
            OpenItem(CASE, one.case_id, one.client_id, one.kind, one.received_at, None, one.generation, False)
            for one in events
            if not one.restricted
        ],
    )


async def close_cases(events: Sequence[CaseClosed], uow: UnitOfWork) -> None:
    """Cases that ended."""
    await _keep(
        uow, [OpenItem(CASE, one.case_id, None, None, None, None, one.generation, True) for one in events]
    )  # fmt: skip


async def reopen_cases(events: Sequence[CaseReopened], uow: UnitOfWork) -> None:
    """Cases opened once more."""
    await _keep(
        uow, [OpenItem(CASE, one.case_id, None, None, None, None, one.generation, False) for one in events]
    )  # fmt: skip


async def correct_cases(events: Sequence[CaseCorrected], uow: UnitOfWork) -> None:
    """Cases whose client was corrected: they, and the contact they came by, are the right client's [C3]."""
    corrected = [one for one in events if one.under == "new" and not one.restricted]
    await _keep(
        uow,
        [
            OpenItem(CASE, one.case_id, one.client_id, None, None, None, 0, False, one.revision)
            for one in corrected
            if one.client_id is not None
        ],
    )  # fmt: skip
    await move_contacts(uow, [one.case_id for one in corrected])


async def move_contacts(uow: UnitOfWork, cases: Sequence[str]) -> None:
    """The contacts by which cases came are those of the clients the cases are of, whichever is heard first."""
    await uow.sql.execute(
        """UPDATE contacts c SET client_id = i.client_id FROM open_items i
           WHERE i.kind = 'case' AND i.item_id = ANY($1::text[]) AND i.correction > 0
             AND c.source = 'complaints' AND c.ref = i.item_id AND c.client_id <> i.client_id""",
        cases,
    )


async def of_client(sql: asyncpg.Connection, client_id: str) -> list[OpenItem]:
    """What is open of a client, cases first."""
    return await fetch(
        sql,
        OpenItem,
        f"SELECT {columns(OpenItem)} FROM open_items WHERE client_id = $1 AND NOT over ORDER BY kind, since, item_id",
        client_id,
    )


async def has_complaint(sql: asyncpg.Connection, client_id: str) -> bool:
    """Whether a complaint of a client's is open: a suggestion or an enquiry is none."""
    found: bool = await sql.fetchval(
        """SELECT EXISTS (SELECT FROM open_items
                          WHERE client_id = $1 AND kind = 'case' AND topic = 'complaint' AND NOT over)""",
        client_id,
    )
    return found
