"""What providers say afterwards: delivered or not; late, repeated, before our own note, or of nothing we know [MS2]."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from chassis import rows
from chassis.uow import UnitOfWork
from services.messaging.addresses import fail_address
from services.messaging.messages import tell
from services.messaging.ports.port import plain
from services.messaging.ports.sms import is_dead
from services.messaging.tables import MessageRow, StrayReceiptRow, message_columns

OPEN = ("handed", "unknown")
"""What a receipt moves: a late one corrects, nothing moves twice."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's word on a message, by our id or by its own reference. `bounced`: the address does not work."""

    message_id: UUID | None = None
    receipt: str | None = None
    state: str
    reason: str = ""
    bounced: bool = False
    at: datetime


class Counts(msgspec.Struct, frozen=True):
    """How many receipts moved a message, came again (or too late to count), or are of nothing known."""

    moved: int
    repeated: int
    unknown: int


async def take(uow: UnitOfWork, given: Sequence[Receipt], channel: str | None = None) -> Counts:
    """Apply receipts, the first word on each message; those of references not known yet are kept for `early`. Who speaks for one
    `channel` moves no message of another."""
    found = await rows.fetch(
        uow.sql,
        MessageRow,
        f"""SELECT {message_columns()} FROM messages
            WHERE (message_id = ANY($1::uuid[]) OR provider_ref = ANY($2::text[]) OR merged_into = ANY($1::uuid[]))
              AND ($3::text IS NULL OR channel IS NULL OR channel = $3)
            ORDER BY message_id FOR UPDATE""",
        [one.message_id for one in given if one.message_id],
        [one.receipt for one in given if one.receipt],
        channel,
    )
    said: dict[UUID | str, Receipt] = {}
    for one in given:
        if one.message_id is not None:
            said.setdefault(one.message_id, one)
        if one.receipt is not None:
            said.setdefault(one.receipt, one)
    known = {name for row in found for name in (row.message_id, row.provider_ref) if name}
    moves: dict[UUID, Receipt] = {}
    for row in found:
        names = (row.message_id, row.provider_ref, row.merged_into)
        receipt = next((said[name] for name in names if name in said), None)
        if receipt is not None and row.state in OPEN:
            moves[row.message_id] = receipt
    await _move(uow, [row for row in found if row.message_id in moves], moves)
    strangers = [one for one in given if not known & {one.message_id, one.receipt}]
    await _keep(uow, [one for one in strangers if one.receipt])
    primary = {row.message_id for row in found if row.merged_into is None}
    moved = len(moves.keys() & primary)
    return Counts(moved, len(given) - moved - len(strangers), len(strangers))


async def early(uow: UnitOfWork, refs: Mapping[str, MessageRow]) -> None:
    """Apply receipts that were here before the reference they name was noted."""
    kept = await rows.fetch(
        uow.sql,
        StrayReceiptRow,
        f"""DELETE FROM stray_receipts WHERE ref = ANY($1::text[]) RETURNING {rows.columns(StrayReceiptRow)}""",
        list(refs),
    )
    if kept:
        await take(
            uow,
            [
                Receipt(message_id=refs[one.ref].message_id, state=one.state, reason=one.reason, at=one.at,
                        bounced=is_dead(one.reason))
                for one in kept
            ],
        )  # fmt: skip


async def _move(uow: UnitOfWork, moved: Sequence[MessageRow], by: Mapping[UUID, Receipt]) -> None:
    if not moved:
        return
    await uow.sql.execute(
        """UPDATE messages m SET state = n.state, reason = n.reason, ended_at = greatest(n.at, m.handed_at), batch_id = NULL
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) AS n(message_id, state, reason, at)
           WHERE m.message_id = n.message_id""",
        [row.message_id for row in moved],
        [by[row.message_id].state for row in moved],
        [plain(by[row.message_id].reason) for row in moved],
        [min(by[row.message_id].at, uow.now) for row in moved],
    )
    changed = [(row, by[row.message_id]) for row in moved]
    tell(uow, [(row, one.state, plain(one.reason)[:64], row.channel) for row, one in changed], uow.now)
    for row, one in changed:
        if one.state == "undelivered" and row.merged_into is None and (one.bounced or is_dead(one.reason)):
            await fail_address(uow, row, plain(one.reason) or "bounced", uow.now)


async def _keep(uow: UnitOfWork, strays: Sequence[Receipt]) -> None:
    await uow.sql.execute(
        """INSERT INTO stray_receipts (ref, state, reason, at, received_at)
           SELECT DISTINCT ON (ref) ref, state, reason, at, $5::timestamptz
           FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) AS n(ref, state, reason, at)
           ON CONFLICT DO NOTHING""",
        [one.receipt for one in strays],
        [one.state for one in strays],
        [plain(one.reason) for one in strays],
        [one.at for one in strays],
        uow.now,
    )
