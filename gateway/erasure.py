"""Erasing a client: decided by two, blocked at once, done when nothing keeps them any more.

Blocked means kept only: no key is given out for reading, so that nobody sees a name or a number. Every service answers
what keeps the client; while anything does, they are asked again each day. Then the keys and tokens are destroyed, and
the log, dead letters, audit rows and backups hold nothing that can be read.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel
from uuid_utils import uuid7

from chassis import approvals
from chassis.actor import Actor, Role
from chassis.approvals import Approval, ApprovalKind, by
from chassis.database import Database
from chassis.errors import NotFound, Text
from chassis.http import Reading, Work, permits, router
from chassis.personal import mask_text
from chassis.uow import UnitOfWork
from contracts import callbacks, classification, complaints, messaging, points, products, relationships, suitability
from contracts.fields import Identifier, text_of
from contracts.platform import ErasureAnswered, ErasureRequested

routes = router("/v1/clients/{client_id}/erasures", "clients")
EXPECTED: tuple[type[ErasureAnswered], ...] = (
    classification.ErasureAnswered,
    points.ErasureAnswered,
    suitability.ErasureAnswered,
    callbacks.ErasureAnswered,
    complaints.ErasureAnswered,
    products.ErasureAnswered,
    relationships.ErasureAnswered,
    messaging.ErasureAnswered,
)
"""Who has to answer."""
ASKED_AGAIN = timedelta(days=1)
Eraser = Annotated[Actor, permits("clients:erase", Role.COMPLIANCE, Role.HQ)]


def service_of(kind: type[ErasureAnswered]) -> str:
    """Whose answer it is."""
    return kind.type.partition(".")[0]


async def begin(uow: UnitOfWork, approval: Approval) -> None:
    """Block the client and ask every service; a client whose erasure is under way already stays so."""
    assert approval.client_id is not None
    known = await uow.sql.fetchval(
        """INSERT INTO erasures (erasure_id, client_id, reason, state, asked_by, round_at, begun_at)
           VALUES ($1, $2, $3, 'waiting', $4, $5, $5) ON CONFLICT (client_id) WHERE state = 'waiting' DO NOTHING
           RETURNING erasure_id""",
        UUID(bytes=uuid7().bytes),
        approval.client_id,
        approval.why,
        approval.asked_by,
        uow.now,
    )
    if known is None:
        return
    await uow.sql.execute(
        "UPDATE client_keys SET blocked_at = coalesce(blocked_at, $2) WHERE owner = $1", approval.client_id, uow.now
    )
    uow.database.keyring.forget([approval.client_id])
    uow.emit(ErasureRequested(erasure_id=known, client_id=approval.client_id, requested_at=uow.now), at=uow.now)


ERASURE = ApprovalKind(
    "client_erasure", Text("Erasure of a client", "删除客户个人信息"), decides=by(Role.COMPLIANCE, Role.HQ), apply=begin
)


async def note_answers(events: Sequence[ErasureAnswered], uow: UnitOfWork) -> None:
    """Keep what services answer; destroy the keys of clients whom nothing keeps any more."""
    for event in events:
        await uow.sql.execute(
            """INSERT INTO erasure_answers AS a (erasure_id, service, round, over, reason, kept_until, owners, answered_at)
               SELECT $1, $2, $3, $4, $5, $6, $7::text[], $8 WHERE EXISTS (SELECT FROM erasures WHERE erasure_id = $1)
               ON CONFLICT (erasure_id, service) DO UPDATE SET round = excluded.round, over = excluded.over,
                   reason = excluded.reason, kept_until = excluded.kept_until, owners = excluded.owners,
                   answered_at = excluded.answered_at WHERE excluded.round > a.round""",
            event.erasure_id, service_of(type(event)), event.round, event.over, event.reason, event.kept_until,
            event.owners, event.answered_at,
        )  # fmt: skip
    for erasure_id in sorted({event.erasure_id for event in events}):
        await _finish(uow, erasure_id)


async def _finish(uow: UnitOfWork, erasure_id: UUID) -> None:
    erasure = await uow.sql.fetchrow(
        "SELECT * FROM erasures WHERE erasure_id = $1 AND state = 'waiting' FOR UPDATE", erasure_id
    )
    if erasure is None:
        return
    answers = await uow.sql.fetch(
        "SELECT service, owners FROM erasure_answers WHERE erasure_id = $1 AND over AND round = $2",
        erasure_id,
        erasure["round"],
    )
    if {row["service"] for row in answers} != {service_of(kind) for kind in EXPECTED}:
        return
    owners = [erasure["client_id"], *(owner for row in answers for owner in row["owners"])]
    await destroy(uow, owners)
    await uow.sql.execute("UPDATE erasures SET state = 'done', done_at = $2 WHERE erasure_id = $1", erasure_id, uow.now)
    uow.audit("erased", f"client/{erasure['client_id']}", erasure=str(erasure_id), keys=len(owners))


async def destroy(uow: UnitOfWork, owners: Sequence[str]) -> None:
    """Destroy keys, and what finds their owners: what was sealed with them can be read nowhere any more."""
    await uow.sql.execute("DELETE FROM client_tokens WHERE owner = ANY($1::text[])", list(owners))
    await uow.sql.execute(
        """INSERT INTO client_keys AS k (owner, generation, made_at, destroyed_at)
           SELECT o, 1, $2, $2 FROM unnest($1::text[]) AS o
           ON CONFLICT (owner) DO UPDATE SET wrapped = NULL, destroyed_at = coalesce(k.destroyed_at, $2), branch_id = NULL""",
        list(owners),
        uow.now,
    )
    uow.database.keyring.forget(owners)


async def ask_again(database: Database) -> bool:
    """A turn of the gateway's loop: ask the services again about clients who were kept a day ago."""
    async with database.unit_of_work() as uow:
        rows = await uow.sql.fetch(
            """UPDATE erasures SET round = round + 1, round_at = $1 WHERE state = 'waiting' AND round_at <= $2
               RETURNING erasure_id, client_id, round""",
            uow.now,
            uow.now - ASKED_AGAIN,
        )
        for row in rows:
            uow.emit(ErasureRequested(**dict(row), requested_at=uow.now), at=uow.now)
    return False


async def forget_case(events: Sequence[complaints.CaseErased], uow: UnitOfWork) -> None:
    """A case was erased by itself: its words go everywhere."""
    await destroy(uow, [f"case:{event.case_id}" for event in events])


async def forget_prospect(events: Sequence[relationships.ProspectErased], uow: UnitOfWork) -> None:
    """A prospect was erased: what was known of them goes everywhere."""
    await destroy(uow, [event.prospect_id for event in events])


class Reason(BaseModel, extra="forbid"):
    """Why the client is to be erased."""

    reason: Annotated[str, text_of(500, 3)]


class Asked(BaseModel):
    """What waits for the second person."""

    approval_id: UUID


class Answer(BaseModel):
    """What one service answered last; `over`: nothing keeps the client there."""

    service: str
    over: bool
    reason: str
    kept_until: date | None
    answered_at: datetime


class Erasure(BaseModel):
    """An erasure under way (the client is blocked), or done; `answers` say what still keeps the client."""

    erasure_id: UUID
    client_id: str
    state: str
    reason: str
    asked_by: str
    begun_at: datetime
    done_at: datetime | None
    answers: list[Answer]


@routes.post("", status_code=202)
async def ask_erasure(_: Eraser, uow: Work, client_id: Identifier, body: Reason) -> Asked:
    """Ask for a client to be erased; a second person decides it under `/v1/gateway/approvals`."""
    if not await uow.sql.fetchval("SELECT true FROM client_keys WHERE owner = $1 AND destroyed_at IS NULL", client_id):
        raise NotFound
    asked = await approvals.ask(
        uow, ERASURE, f"client/{client_id}", why=mask_text(body.reason), after={"erase": True}, client_id=client_id
    )
    return Asked(approval_id=asked.approval_id)


@routes.get("")
async def list_erasures(_: Eraser, sql: Reading, client_id: Identifier) -> list[Erasure]:
    """Erasures of a client, newest first, with what each service answered."""
    rows = await sql.fetch("SELECT * FROM erasures WHERE client_id = $1 ORDER BY begun_at DESC LIMIT 50", client_id)
    found = []
    for row in rows:
        answers = await sql.fetch(
            "SELECT * FROM erasure_answers WHERE erasure_id = $1 ORDER BY service", row["erasure_id"]
        )
        found.append(Erasure(**dict(row), answers=[Answer.model_validate(dict(answer)) for answer in answers]))
    return found
