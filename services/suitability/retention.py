"""Keeping and deleting: 20 years after the last of a client's records, and never under legal hold."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal

import asyncpg
from uuid_utils import uuid7

from chassis import approvals
from chassis.actor import Role
from chassis.approvals import Approval, ApprovalKind, by
from chassis.clock import months_after
from chassis.erasure import Judgement
from chassis.errors import NotFound, Text
from chassis.timeline import today
from chassis.uow import UnitOfWork
from services.suitability.errors import RetentionRunning, UnderLegalHold, UnknownClient
from services.suitability.policy import Policies

RETENTION: Mapping[str, Literal["erased", "kept"]] = {
    "submissions": "kept", "assessments": "kept", "decisions": "kept", "confirmations": "kept",
    "confirmation_links": "kept", "reviews": "kept", "life_changes": "kept", "vulnerabilities": "kept", "professionals": "kept", "professional_status": "kept",
    "holds": "kept", "sale_holds": "kept", "refused_imports": "kept",
    "drafts": "erased", "permissions": "erased", "purchases": "erased", "trades": "erased", "cancellations": "erased",
    "valuations": "erased", "mismatches": "erased", "drifts": "erased", "findings": "erased", "due": "erased",
    "clients": "erased", "client_intervals": "erased",
}  # fmt: skip
"""What an erasure does with a client's rows, once nothing of them has to be kept: 20 years after the last of all of them.
What proves a decision is kept beyond that, under an id that leads to nobody."""
STANDING = frozenset(
    {"templates", "products", "product_states", "product_classes", "library_states", "registers", "register_reads"}
)
"""Tables of no client, which no erasure touches: what decisions of others rest on, kept as long as the home."""
ERASED = tuple(name for name, kept in RETENTION.items() if kept == "erased")


async def hold(uow: UnitOfWork, client: str, reason: str) -> str:
    """Place a legal hold. Returns its id.

    Raises: UnknownClient.
    """
    if not await uow.sql.fetchval("SELECT 1 FROM clients WHERE client_id = $1", client):
        raise UnknownClient
    hold_id = str(uuid7())
    await uow.sql.execute(
        "INSERT INTO holds (hold_id, client_id, reason, placed_by, placed_at) VALUES ($1, $2, $3, $4, $5)",
        hold_id,
        client,
        reason,
        uow.actor.person,
        uow.now,
    )
    uow.audit("place hold", f"client/{client}", key=client, reason=reason)
    return hold_id


async def ask_release(uow: UnitOfWork, hold_id: str) -> Approval:
    """Ask for the end of a legal hold: it is lifted when a second person of compliance approves.

    Raises: NotFound when there is none of this id in force.
    """
    row = await uow.sql.fetchrow("SELECT client_id, reason, released_at FROM holds WHERE hold_id = $1", hold_id)
    if row is None or row["released_at"] is not None:
        raise NotFound
    after = {"client_id": row["client_id"], "reason": row["reason"], "released": True}
    body = {"hold_id": hold_id}
    return await approvals.ask(uow, HOLD_RELEASE, f"hold/{hold_id}", body=body, after=after, client_id=row["client_id"])


async def _present(uow: UnitOfWork, approval: Approval) -> dict[str, Any]:
    row = await uow.sql.fetchrow(
        """SELECT client_id, reason, released_at IS NOT NULL AS released FROM holds
           WHERE hold_id = $1 FOR UPDATE""",
        approval.body["hold_id"],
    )
    assert row is not None
    return dict(row)


async def _release(uow: UnitOfWork, approval: Approval) -> None:
    await uow.sql.execute(
        "UPDATE holds SET released_by = $2, released_at = $3 WHERE hold_id = $1",
        approval.body["hold_id"],
        uow.actor.person,
        uow.now,
    )


HOLD_RELEASE = ApprovalKind(
    "hold-release", Text("End of a legal hold", "解除法律保全"), by(Role.COMPLIANCE), _release, present=_present
)


async def is_held(sql: asyncpg.Connection, client: str) -> bool:
    """Whether a legal hold stands against erasing a client."""
    return bool(await sql.fetchval("SELECT 1 FROM holds WHERE client_id = $1 AND released_at IS NULL", client))


async def keep_until(sql: asyncpg.Connection, client: str) -> date | None:
    """The last day a client's records must be kept, None without records."""
    last: date | None = await sql.fetchval(
        """SELECT greatest((SELECT max(decided_on) FROM decisions WHERE client_id = $1),
                           (SELECT max(valid_until) FROM assessments WHERE client_id = $1),
                           (SELECT max(submitted_on) FROM submissions WHERE client_id = $1),
                           (SELECT max(trade_date) FROM trades WHERE client_id = $1),
                           (SELECT max((at AT TIME ZONE 'Asia/Shanghai')::date) FROM purchases WHERE client_id = $1),
                           (SELECT max(coalesce(valid_until, (made_at AT TIME ZONE 'Asia/Shanghai')::date))
                            FROM professionals WHERE client_id = $1),
                           (SELECT max(due_on) FROM life_changes WHERE client_id = $1),
                           (SELECT max(since) FROM vulnerabilities WHERE client_id = $1),
                           (SELECT max((opened_at AT TIME ZONE 'Asia/Shanghai')::date) FROM reviews WHERE client_id = $1),
                           (SELECT max(found_on) FROM drifts WHERE client_id = $1),
                           (SELECT max(found_on) FROM findings WHERE client_id = $1),
                           (SELECT closed_on FROM clients WHERE client_id = $1))""",
        client,
    )
    return months_after(last, 12 * (await Policies.read(sql)).on(last).retention_years) if last else None


async def judge_erasure(uow: UnitOfWork, clients: Sequence[str]) -> dict[str, Judgement]:
    """A legal hold keeps a client, and so do records until 20 years after the last of them."""
    found: dict[str, Judgement] = {}
    day = await today(uow.sql)
    for client in clients:
        until = await keep_until(uow.sql, client)
        if await is_held(uow.sql, client):
            found[client] = Judgement("legal hold", until)
        elif until is not None and day <= until:
            found[client] = Judgement("retention running", until)
    return found


async def inventory(sql: asyncpg.Connection, client: str) -> dict[str, dict[str, int]]:
    """How many rows of a client an erasure removes, and how many it keeps, table by table."""
    counts = {
        name: await sql.fetchval(f"SELECT count(*) FROM {name} WHERE client_id = $1", client) for name in RETENTION
    }
    return {
        "removes": {name: count for name, count in counts.items() if count and name in ERASED},
        "keeps": {name: count for name, count in counts.items() if count and name not in ERASED},
    }


async def erase(uow: UnitOfWork, client: str) -> dict[str, Any]:
    """Delete what may be deleted of a client: nothing under hold, nothing while the retention runs.

    Sealed rows are never removed one by one; what goes is the profile, drafts and holdings, after which the rows that
    remain name a client id that leads to nobody.

    Raises: UnknownClient, UnderLegalHold, RetentionRunning.
    """
    if not await uow.sql.fetchval("SELECT 1 FROM clients WHERE client_id = $1 FOR UPDATE", client):
        raise UnknownClient
    if await is_held(uow.sql, client):
        raise UnderLegalHold
    until = await keep_until(uow.sql, client)
    if until is not None and await today(uow.sql) <= until:
        raise RetentionRunning(keep_until=until.isoformat())
    for table in ERASED:
        await uow.sql.execute(f"DELETE FROM {table} WHERE client_id = $1", client)
    uow.audit("erase records", f"client/{client}", key=client)
    return {"client_id": client, "erased": True}
