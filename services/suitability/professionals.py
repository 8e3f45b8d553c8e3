"""Professional investors: A and B by Art. 8, C by conversion [Q6, Art. 11]; proven, checked, and never for ever."""

from typing import Any

import asyncpg
from uuid_utils import uuid7

from chassis.clock import months_after
from chassis.errors import NotFound, SecondPersonNeeded, Text
from chassis.timeline import today
from chassis.uow import UnitOfWork
from services.suitability.errors import UnknownClient, WrongState
from services.suitability.policy import Policies


async def request(uow: UnitOfWork, client: str, wanted: str, proof: str) -> str:
    """Ask for a client to be treated as professional. Returns the request's id.

    Raises: UnknownClient; WrongState while another request of theirs is open.
    """
    branch = await uow.sql.fetchrow("SELECT branch_id FROM clients WHERE client_id = $1 FOR UPDATE", client)
    if branch is None:
        raise UnknownClient
    if await uow.sql.fetchval("SELECT 1 FROM professionals WHERE client_id = $1 AND state = 'requested'", client):
        raise WrongState(Text("another request is open", "已有待审核的申请"))
    request_id = str(uuid7())
    await uow.sql.execute(
        """INSERT INTO professionals (request_id, client_id, branch_id, class, proof, state, made_by, made_at)
           VALUES ($1, $2, $3, $4, $5, 'requested', $6, $7)""",
        request_id,
        client,
        branch["branch_id"],
        wanted,
        proof,
        uow.actor.person,
        uow.now,
    )
    uow.audit("request professional", f"client/{client}", key=client, wanted=wanted, proof=proof)
    return request_id


async def check(uow: UnitOfWork, request_id: str, approve: bool) -> dict[str, Any]:
    """A second person checks the proof.

    Raises: NotFound, WrongState, SecondPersonNeeded.
    """
    row = await _locked(uow, request_id, "requested")
    if row["made_by"] == uow.actor.person:
        raise SecondPersonNeeded
    day = await today(uow.sql)
    until = months_after(day, (await uow.policies(Policies)).on(day).professional_months)
    await uow.sql.execute(
        """UPDATE professionals SET state = $2, checked_by = $3, checked_at = $4, valid_from = $5, valid_until = $6
           WHERE request_id = $1""",
        request_id,
        "approved" if approve else "rejected",
        uow.actor.person,
        uow.now,
        day if approve else None,
        until if approve else None,
    )
    uow.audit("check professional", f"client/{row['client_id']}", key=row["client_id"], approved=approve)
    return {"request_id": request_id, "state": "approved" if approve else "rejected", "valid_until": until}


async def end(uow: UnitOfWork, request_id: str, reason: str) -> None:
    """Convert back to an ordinary investor, from today on: the client's right at any time, ours when the proof falls.

    Raises: NotFound, WrongState.
    """
    row = await _locked(uow, request_id, "approved")
    await uow.sql.execute(
        "UPDATE professionals SET state = 'ended', ended_on = $2, end_reason = $3, ended_by = $4 WHERE request_id = $1",
        request_id,
        await today(uow.sql),
        reason,
        uow.actor.person,
    )
    uow.audit("end professional", f"client/{row['client_id']}", key=row["client_id"], reason=reason)


async def find(sql: asyncpg.Connection, request_id: str) -> asyncpg.Record:
    """A request's row.

    Raises: NotFound.
    """
    row = await sql.fetchrow("SELECT * FROM professionals WHERE request_id = $1", request_id)
    if row is None:
        raise NotFound
    return row


async def _locked(uow: UnitOfWork, request_id: str, state: str) -> asyncpg.Record:
    row = await uow.sql.fetchrow("SELECT * FROM professionals WHERE request_id = $1 FOR UPDATE", request_id)
    if row is None:
        raise NotFound
    if row["state"] != state:
        raise WrongState(Text(f"it is {row['state']}", f"当前状态为 {row['state']}"))
    return row
