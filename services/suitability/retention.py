"""Keeping and deleting: 20 years after the last of a client's records, and never under legal hold.

Each table says here once what becomes of its rows and from which day on they are kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from services.suitability.errors import AccountOpen, RetentionRunning, UnderLegalHold, UnknownClient
from services.suitability.policy import Policies

Then = Literal["erased", "kept", "standing"]


@dataclass(frozen=True, slots=True)
class Declared:
    """What becomes of a table's rows: erased with their client, kept beyond that, or of no client (`standing`).

    `last`: SQL, the last day that a row `t` speaks of, from which its client is kept, none for what no decision rests on;
    `of`: whether a row is client $1's.
    """

    then: Then
    last: str | None = None
    of: str = "t.client_id = $1"


def _day(instant: str) -> str:
    return f"(t.{instant} AT TIME ZONE 'Asia/Shanghai')::date"


def _erased(last: str | None = None) -> Declared:
    return Declared("erased", last)


def _kept(last: str) -> Declared:
    return Declared("kept", last)


RETENTION: Mapping[str, Declared] = {
    "submissions": _kept("t.submitted_on"),
    "assessments": _kept("t.valid_until"),
    "refused_imports": _kept(_day("at")),
    "decisions": _kept("t.decided_on"),
    "confirmations": _kept("t.valid_until"),
    "confirmation_links": _kept(_day("expires_at")),
    "reviews": _kept(f"greatest({_day('opened_at')}, t.decided_on)"),
    "life_changes": _kept("t.due_on"),
    "vulnerabilities": _kept("t.since"),
    "professionals": _kept(f"greatest({_day('made_at')}, t.valid_until)"),
    "professional_status": _kept("greatest(t.since, t.until)"),
    "holds": _kept(f"greatest({_day('placed_at')}, {_day('released_at')})"),
    "sale_holds": _kept(f"greatest({_day('placed_at')}, {_day('lifted_at')})"),
    "approvals": _kept(f"greatest({_day('asked_at')}, {_day('decided_at')})"),
    "act_steps": Declared(
        "kept", _day("recorded_at"), "t.object IN (SELECT 'review/' || review_id FROM reviews WHERE client_id = $1)"
    ),
    "audit": Declared("kept", of="t.object = 'client/' || $1"),  # also who read: that keeps nobody
    "drafts": _erased(),
    "openings": _erased(),
    "permissions": _erased(_day("at")),
    "trades": _erased("t.trade_date"),
    "cancellations": _erased("t.cancelled_on"),
    "purchases": _erased(_day("at")),
    "valuations": _erased("t.as_of"),
    "mismatches": _erased("t.trade_date"),
    "drifts": _erased(f"greatest(t.found_on, {_day('handled_at')})"),
    "findings": _erased(f"greatest(t.found_on, {_day('decided_at')})"),
    "due": _erased(),
    "conflicts": _erased(),
    "dead_letters": Declared("erased", of="t.key = $1"),
    "client_intervals": _erased(),
    "client_objections": _erased(),
    "clients": _erased("t.closed_on"),
    # What decisions of others rest on, kept as long as the home.
    **dict.fromkeys(
        ("templates", "products", "product_states", "product_classes", "library_states", "registers", "register_reads",
         "policy_versions", "calendars", "staff_versions", "branch_versions"),
        Declared("standing"),
    ),
    # Of the platform's own running.
    **dict.fromkeys(
        ("consumer_partitions", "consumer_offsets", "heard_types", "closed_days", "sealed_heads", "seals", "witnessed",
         "idempotency_keys", "deadlines", "fired_deadlines", "timeline", "clocks", "clock_entries", "clock_steps",
         "clock_replans", "home_id", "version", "chassis_version"),
        Declared("standing"),
    ),
}  # fmt: skip
"""Every table's declaration: what an erasure lists, how long it has to wait, and what it removes follow from it alone.
What proves a decision is kept beyond an erasure, under an id that leads to nobody."""
OF_CLIENTS = {name: one for name, one in RETENTION.items() if one.then != "standing"}
_LAST = ", ".join(
    f"(SELECT max({one.last}) FROM {name} t WHERE {one.of})" for name, one in OF_CLIENTS.items() if one.last
)


async def hold(uow: UnitOfWork, client: str, reason: str) -> str:
    """Place a legal hold. Returns its id.

    Raises: UnknownClient.
    """
    # An erasure of the client waits for this, or has been.
    if not await uow.sql.fetchval("SELECT 1 FROM clients WHERE client_id = $1 FOR KEY SHARE", client):
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


async def is_open(sql: asyncpg.Connection, client: str) -> bool:
    """Whether a client's account is open today."""
    return bool(
        await sql.fetchval(
            "SELECT 1 FROM clients WHERE client_id = $1 AND (closed_on IS NULL OR closed_on > $2)",
            client,
            await today(sql),
        )
    )


async def keep_until(sql: asyncpg.Connection, client: str) -> date | None:
    """The last day a client's records must be kept, None without records."""
    last: date | None = await sql.fetchval(f"SELECT greatest({_LAST})", client)
    return months_after(last, 12 * (await Policies.read(sql)).on(last).retention_years) if last else None


async def judge_erasure(uow: UnitOfWork, clients: Sequence[str]) -> dict[str, Judgement]:
    """A legal hold keeps a client, so does an open account, and records do until 20 years after the last of them."""
    found: dict[str, Judgement] = {}
    day = await today(uow.sql)
    for client in clients:
        until = await keep_until(uow.sql, client)
        if await is_held(uow.sql, client):
            found[client] = Judgement("legal hold", until)
        elif await is_open(uow.sql, client):
            found[client] = Judgement("account open")
        elif until is not None and day <= until:
            found[client] = Judgement("retention running", until)
    return found


async def inventory(sql: asyncpg.Connection, client: str) -> dict[str, dict[str, int]]:
    """How many rows of a client an erasure removes, and how many it keeps, table by table."""
    found: dict[str, dict[str, int]] = {"erased": {}, "kept": {}}
    for name, one in OF_CLIENTS.items():
        count = await sql.fetchval(f"SELECT count(*) FROM {name} t WHERE {one.of}", client)
        if count:
            found[one.then][name] = count
    return {"removes": found["erased"], "keeps": found["kept"]}


async def erase(uow: UnitOfWork, client: str) -> dict[str, Any]:
    """Delete what may be deleted of a client: nothing under hold, nothing while the account is open or the retention runs.

    Sealed rows are never removed one by one; what goes is the profile, drafts and holdings, after which the rows that
    remain name a client id that leads to nobody.

    Raises: UnknownClient, UnderLegalHold, AccountOpen, RetentionRunning.
    """
    if not await uow.sql.fetchval("SELECT 1 FROM clients WHERE client_id = $1 FOR UPDATE", client):
        raise UnknownClient
    if await is_held(uow.sql, client):
        raise UnderLegalHold
    if await is_open(uow.sql, client):
        raise AccountOpen
    until = await keep_until(uow.sql, client)
    if until is not None and await today(uow.sql) <= until:
        raise RetentionRunning(keep_until=until.isoformat())
    for name, one in OF_CLIENTS.items():
        if one.then == "erased":
            await uow.sql.execute(f"DELETE FROM {name} t WHERE {one.of}", client)
    uow.audit("erase records", f"client/{client}", key=client)
    return {"client_id": client, "erased": True}
