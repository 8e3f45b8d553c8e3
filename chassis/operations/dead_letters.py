"""Dead letters: see them, give them to their handler again, or leave them undone for good."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

import asyncpg

from chassis.actor import Actor
from chassis.bus.record import Record
from chassis.consumer import ahead_of, opened_letter
from chassis.database import Database
from chassis.errors import Conflict, NotFound, Text
from chassis.outages import blames_record
from chassis.personal.free_text import mask_text
from chassis.platform_facts import handlers_of
from chassis.service import Service
from chassis.uow import UnitOfWork
from contracts.base import DayClosed

State = Literal["open", "redriven", "skipped", "all"]
_OPEN = "redriven_at IS NULL AND skipped_at IS NULL"
_CONDITIONS = {
    "open": _OPEN, "redriven": "redriven_at IS NOT NULL", "skipped": "skipped_at IS NOT NULL", "all": "true"
}  # fmt: skip
_COLUMNS = """id, at, topic, partition, "offset", key, type, event_id, event_source, event_time, reason, error,
              redriven_at, redriven_by, skipped_at, skipped_by, skipped_because"""


class NotRedrivable(Conflict):
    """This dead letter cannot go through its handler: it was redriven already, or it is no fact of this service."""

    title = Text("Cannot be redriven", "无法重新投递")


@dataclass(frozen=True, slots=True)
class Redriven:
    """What became of one dead letter: `done`, `would_pass` (dry run) or `failed` with the error of this try."""

    id: int
    outcome: Literal["done", "would_pass", "failed"]
    error: str = ""


async def listed(
    database: Database, state: State = "open", *, after: int = 0, limit: int = 201
) -> list[dict[str, Any]]:
    """Dead letters in the order they came, without their values."""
    async with database.reading() as sql:
        rows = await sql.fetch(
            f"SELECT {_COLUMNS} FROM dead_letters WHERE {_CONDITIONS[state]} AND id > $1 ORDER BY id LIMIT $2",
            after,
            limit,
        )
    return [dict(row) for row in rows]


async def grouped(database: Database) -> list[dict[str, Any]]:
    """Open dead letters by type and reason: how many, the first and last, one id to look at."""
    async with database.reading() as sql:
        rows = await sql.fetch(
            f"""SELECT type, reason, count(*) AS count, min(at) AS first_at, max(at) AS last_at, min(id) AS example
               FROM dead_letters WHERE {_OPEN} GROUP BY type, reason ORDER BY count(*) DESC, type, reason"""
        )
    return [dict(row) for row in rows]


async def shown(database: Database, letter: int) -> dict[str, Any]:
    """One dead letter with its value as text, key and headers as they came.

    Raises: NotFound.
    """
    async with database.reading() as sql:
        row = await sql.fetchrow(
            f"SELECT {_COLUMNS}, raw_key, raw_headers, value FROM dead_letters WHERE id = $1", letter
        )
    if row is None:
        raise NotFound(Text(f"no dead letter {letter}", f"没有编号为 {letter} 的死信"))
    raw_key = None if row["raw_key"] is None else b64encode(row["raw_key"]).decode()
    value = (await opened_letter(database.keyring, row)).decode("utf-8", "replace")
    return dict(row) | {"value": value, "raw_key": raw_key}


async def count(sql: asyncpg.Connection) -> int:
    """How many are open."""
    found: int = await sql.fetchval(f"SELECT count(*) FROM dead_letters WHERE {_OPEN}")
    return found


async def open_ids(database: Database) -> list[int]:
    """Every open dead letter's id, oldest first."""
    async with database.reading() as sql:
        return [row["id"] for row in await sql.fetch(f"SELECT id FROM dead_letters WHERE {_OPEN} ORDER BY id")]


async def redrive(
    service: Service, database: Database, actor: Actor, ids: Sequence[int] | None = None, *, dry_run: bool = False
) -> list[Redriven]:
    """Give dead letters (all open ones without `ids`) to the service's own handler again, each in its own transaction.

    Redriven, a letter is a late fact like any other. One that fails again stays, with its new error. A dry run does
    everything and keeps nothing.

    Raises: NotFound; NotRedrivable when a named one is not open; an outage.
    """
    return [
        await _redrive_one(service, database, actor, letter, dry_run=dry_run)
        for letter in (await open_ids(database) if ids is None else ids)
    ]


@dataclass(frozen=True, slots=True)
class Correction:
    """What a letter's value should have been, and why."""

    value: str
    reason: str


async def redrive_corrected(
    service: Service, database: Database, actor: Actor, letter: int, correction: Correction, *, dry_run: bool
) -> Redriven:
    """Give a letter to its handler with another value. The letter keeps what came; who changed it, why and the new value's
    digest are on record.

    Raises: as `redrive`.
    """
    return await _redrive_one(service, database, actor, letter, dry_run=dry_run, correction=correction)


async def _redrive_one(
    service: Service,
    database: Database,
    actor: Actor,
    letter: int,
    *,
    dry_run: bool,
    correction: Correction | None = None,
) -> Redriven:
    try:
        async with database.unit_of_work(actor) as uow:
            await _apply(service, uow, letter, correction)
            if dry_run:
                raise _DryRunError
    except _DryRunError:
        return Redriven(letter, "would_pass")
    except (NotFound, NotRedrivable):
        raise
    except Exception as error:
        if not blames_record(error):
            raise
        if not dry_run:
            await _note_failure(database, actor, letter, error)
        return Redriven(letter, "failed", f"{type(error).__name__}: {error}"[:2000])
    return Redriven(letter, "done")


async def _apply(service: Service, uow: UnitOfWork, letter: int, correction: Correction | None = None) -> None:
    row = await _open_one(uow, letter)
    registry = service.registry
    value = correction.value.encode() if correction else await opened_letter(uow.database.keyring, row)
    event, kind = registry.decode(row["type"], value), registry.kinds[row["type"]]
    if correction and row["key"] is not None and event.key != row["key"]:
        raise NotRedrivable(Text("a correction is about the same key", "更正不得改变消息键"))
    if event.personal:
        [event] = await uow.database.keyring.seal_events([event])
    if isinstance(event, DayClosed):
        raise NotRedrivable(
            Text("a watermark is not redriven: close the day again", "日终标记不能重新投递，请重新日终")
        )
    record = _record({**row, "value": value})
    if ahead := ahead_of(kind, event, record, uow.now):
        raise ahead
    uow.hear({kind: [record]})
    uow.happened_at = row["event_time"] or uow.now
    await handlers_of(service)[kind]([event], uow)
    await _mark(uow, letter, uow.now)
    said = {"reason": correction.reason, "corrected_sha256": sha256(value).hexdigest()} if correction else {}
    uow.audit("redrive", f"dead_letter/{letter}", key=row["key"], type=row["type"], event_id=row["event_id"], **said)


async def _open_one(uow: UnitOfWork, letter: int) -> asyncpg.Record:
    row = await uow.sql.fetchrow("SELECT * FROM dead_letters WHERE id = $1 FOR UPDATE", letter)
    if row is None:
        raise NotFound(Text(f"no dead letter {letter}", f"没有编号为 {letter} 的死信"))
    if row["redriven_at"] is not None:
        raise NotRedrivable(
            Text(f"{letter} was redriven by {row['redriven_by']}", f"{letter} 已由 {row['redriven_by']} 重新投递")
        )
    if row["skipped_at"] is not None:
        raise NotRedrivable(
            Text(f"{letter} was skipped by {row['skipped_by']}", f"{letter} 已由 {row['skipped_by']} 跳过")
        )
    return row


async def skip(database: Database, actor: Actor, ids: Sequence[int], reason: str) -> None:
    """Decide that dead letters stay undone: they are kept, and not open any more. All of them or none; audited.

    Raises: NotFound, NotRedrivable when one is not open.
    """
    async with database.unit_of_work(actor) as uow:
        for letter in sorted(set(ids)):
            row = await _open_one(uow, letter)
            await uow.sql.execute(
                "UPDATE dead_letters SET skipped_at = $2, skipped_by = $3, skipped_because = $4 WHERE id = $1",
                letter,
                uow.now,
                actor.subject,
                reason,
            )
            uow.audit(
                "skip_dead_letter", f"dead_letter/{letter}", key=row["key"], reason=reason, type=row["type"],
                event_id=row["event_id"],
            )  # fmt: skip


def _record(row: Mapping[str, Any]) -> Record:
    return Record(
        row["topic"], row["partition"], row["offset"], row["key"], row["type"], row["event_id"], row["event_source"],
        row["event_time"], None, row["value"],
    )  # fmt: skip


async def _mark(uow: UnitOfWork, letter: int, at: datetime) -> None:
    await uow.sql.execute(
        "UPDATE dead_letters SET redriven_at = $2, redriven_by = $3 WHERE id = $1", letter, at, uow.actor.person
    )


async def _note_failure(database: Database, actor: Actor, letter: int, error: Exception) -> None:
    async with database.unit_of_work(actor) as uow:
        await uow.sql.execute(
            "UPDATE dead_letters SET reason = $2, error = $3 WHERE id = $1",
            letter,
            type(error).__name__,
            mask_text(str(error)[:2000]),
        )
        uow.audit("redrive_failed", f"dead_letter/{letter}", error=type(error).__name__)


class _DryRunError(Exception):
    """Rolls a dry run back."""
