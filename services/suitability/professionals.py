"""Professional investors: A and B by Art. 8, C by conversion, Art. 11 [Q6]. One dated status per client.

A request carries the items that the article asks for, each with its evidence; a second person approves it. The status is
a history by day: each row says what the client is from a day on, and of the rows of a day the last one counts.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils import uuid7

from chassis import approvals
from chassis.actor import Role
from chassis.approvals import Approval, ApprovalKind, by
from chassis.clock import end_of, months_after, start_of
from chassis.errors import FieldError, NotFound, Text
from chassis.rows import columns, fetch
from chassis.timeline import Timeline, timeline, today
from chassis.uow import UnitOfWork
from contracts.suitability import (
    MessageRequested,
    ProfessionalChanged,
    ProfessionalExpired,
    ProfessionalExpiring,
    ProfessionalStretch,
)
from services.suitability import drift, due, sale_holds
from services.suitability.errors import (
    CoolingTimeRunning,
    NotForThisClient,
    ProofIncomplete,
    UnknownClient,
    WrongState,
)
from services.suitability.ids import derived_id
from services.suitability.policy import Policies, Policy, ProfessionalClass
from services.suitability.rules import unproven
from services.suitability.tables import CLIENTS, Professional, ProfessionalStatus

REMINDER = "professional_reminder"


async def request(
    uow: UnitOfWork, client: str, wanted: ProfessionalClass, items: Sequence[Mapping[str, Any]], proof: str | None
) -> Approval:
    """Ask for a client to be treated as professional: it counts when a second person approves.

    Raises: UnknownClient; WrongState while another request of theirs waits; NotForThisClient for a class that is not for
        this kind of client; ProofIncomplete when an item that the article asks for is missing or too low.
    """
    row = await uow.sql.fetchrow("SELECT branch_id, kind FROM clients WHERE client_id = $1 FOR UPDATE", client)
    if row is None:
        raise UnknownClient
    if await uow.sql.fetchval("SELECT 1 FROM professionals WHERE client_id = $1 AND state = 'requested'", client):
        raise WrongState(Text("another request is open", "已有待审核的申请"))
    _require_items(wanted, row["kind"], items, (await uow.policies(Policies)).on(await today(uow.sql)))
    request_id = str(uuid7())
    await uow.sql.execute(
        """INSERT INTO professionals (request_id, client_id, branch_id, category, proof, items, state, made_by, made_at)
           VALUES ($1, $2, $3, $4, $5, $6, 'requested', $7, $8)""",
        request_id, client, row["branch_id"], wanted, proof, list(items), uow.actor.person, uow.now,
    )  # fmt: skip
    return await approvals.ask(
        uow, STATUS, _named(request_id), body={"request_id": request_id},
        after={"category": wanted, "items": list(items), "proof": proof}, client_id=client, branch_id=row["branch_id"],
    )  # fmt: skip


def _require_items(
    wanted: ProfessionalClass, kind: str | None, items: Sequence[Mapping[str, Any]], policy: Policy
) -> None:
    found = unproven(wanted, kind, {item["item"]: item["value"] for item in items}, policy)
    if found is None:
        raise NotForThisClient(kinds=[*policy.professional.get(wanted, {})])
    if found:
        lacking = (" or ".join(f"{item} of {least}" for item, least in group.items()) for group in found)
        raise ProofIncomplete(errors=tuple(FieldError("/items", f"missing: {words}") for words in lacking))


async def decide(uow: UnitOfWork, request_id: str, approve: bool) -> dict[str, Any]:
    """A second person checks the proof: the older path beside the approvals.

    Raises: NotFound, SecondPersonNeeded, AlreadyDecided; CoolingTimeRunning before a conversion's waiting time is over.
    """
    await approvals.decide(uow, STATUS, _named(request_id), agree=approve, because="" if approve else "rejected")
    row = await find(uow.sql, request_id)
    return {"request_id": request_id, "state": row.state, "valid_until": row.valid_until}


async def _apply(uow: UnitOfWork, approval: Approval) -> None:
    asked = await _locked(uow, approval.body["request_id"], "requested")
    kind = await uow.sql.fetchval("SELECT kind FROM clients WHERE client_id = $1 FOR UPDATE", asked.client_id)
    day = await today(uow.sql)
    policy = (await uow.policies(Policies)).on(day)
    _require_items(asked.category, kind, asked.items, policy)
    not_before = asked.made_at + timedelta(hours=policy.conversion_waiting_hours)
    if asked.category == "C" and uow.now < not_before:
        raise CoolingTimeRunning(not_before=not_before.isoformat())
    await _end_present(uow, asked.client_id, day, "replaced")
    until = months_after(day, policy.professional_months)
    await uow.sql.execute(
        """UPDATE professionals SET state = 'approved', checked_by = $2, checked_at = $3, valid_from = $4, valid_until = $5
           WHERE request_id = $1""",
        asked.request_id, uow.actor.person, uow.now, day, until,
    )  # fmt: skip
    await _from(uow, asked.client_id, day, asked.category, until, asked.request_id)
    await sale_holds.lift(uow, {asked.client_id: day})


async def _not_done(uow: UnitOfWork, approval: Approval) -> None:
    await uow.sql.execute(
        "UPDATE professionals SET state = $2, checked_by = $3, checked_at = $4 WHERE request_id = $1 AND state = 'requested'",
        approval.body["request_id"],
        "rejected" if approval.state == approvals.REFUSED else "withdrawn",
        uow.actor.person,
        uow.now,
    )


STATUS = ApprovalKind(
    "professional",
    Text("Professional investor", "专业投资者认定"),
    by(Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE),
    _apply,
    ended=_not_done,
)


async def end(uow: UnitOfWork, request_id: str, reason: str) -> None:
    """Back to an ordinary investor from today on: the client's right at any time, ours when the proof falls [Art. 11]."""
    asked = await _locked(uow, request_id, "approved")
    await uow.sql.execute("SELECT FROM clients WHERE client_id = $1 FOR UPDATE", asked.client_id)
    day = await today(uow.sql)
    await _end_present(uow, asked.client_id, day, reason)
    await _from(uow, asked.client_id, day, None, None, None)
    await due.note(uow, [due.Changed(day, asked.client_id)])
    uow.emit_all(await drift.look_at_clients(uow, [(asked.client_id, day, day)], "professional_ended"))
    uow.audit("end professional", f"client/{asked.client_id}", key=asked.client_id, reason=reason)


async def _end_present(uow: UnitOfWork, client: str, day: date, reason: str) -> None:
    """Of a client's requests none is in force any more; nobody is reminded of their end."""
    ended = await uow.sql.fetch(
        """UPDATE professionals SET state = 'ended', ended_on = $2, end_reason = $3, ended_by = $4
           WHERE client_id = $1 AND state = 'approved' RETURNING valid_until""",
        client,
        day,
        reason,
        uow.actor.person,
    )
    if await uow.cached(timeline) is Timeline.REAL:
        days = (await uow.policies(Policies)).on(day).reminder_days
        uow.emit_all(
            _reminder(uow, client, until, left, days, withdrawn=True)
            for (until,) in ended
            for left in days
            if until - timedelta(days=left) < day <= until
        )


async def _from(
    uow: UnitOfWork,
    client: str,
    day: date,
    category: ProfessionalClass | None,
    until: date | None,
    request_id: str | None,
) -> None:
    """What the client is from a day on, told to everybody."""
    await uow.sql.execute(
        """INSERT INTO professional_status (client_id, since, category, until, request_id, recorded_at)
           VALUES ($1, $2, $3, $4, $5, $6)""",
        client, day, category, until, request_id, uow.now,
    )  # fmt: skip
    revision = await uow.sql.fetchval("SELECT count(*) FROM professional_status WHERE client_id = $1", client)
    stretch = ProfessionalStretch(since=day, until=until, category=category)
    uow.emit(ProfessionalChanged(client_id=client, revision=revision, changed_from=day, stretches=[stretch]))


async def history(
    sql: asyncpg.Connection, client: str, known_at: datetime | None = None
) -> Sequence[ProfessionalStatus]:
    """A client's status over time, oldest first, as known at an instant (None: now): of rows of one day the last counts."""
    rows = await fetch(
        sql,
        ProfessionalStatus,
        f"""SELECT {columns(ProfessionalStatus)} FROM professional_status
            WHERE client_id = $1 AND ($2::timestamptz IS NULL OR recorded_at <= $2) ORDER BY since, id""",
        client,
        known_at,
    )
    return [*{row.since: row for row in rows}.values()]


_ENDING = f"""
    SELECT d.day, d.days_left, s.client_id, s.category, s.until, {CLIENTS.on("branch_id")} AS branch_id
    FROM unnest($1::date[], $2::int[]) AS d(day, days_left)
    JOIN professional_status s ON s.until = d.day + d.days_left AND s.category IS NOT NULL AND s.since <= d.day
    LEFT JOIN clients c ON c.client_id = s.client_id {CLIENTS.join("d.day")}
    WHERE (c.closed_on IS NULL OR c.closed_on > d.day)
      AND NOT EXISTS (SELECT FROM professional_status n WHERE n.client_id = s.client_id AND n.since <= d.day
                      AND (n.since, n.id) > (s.since, s.id))
    ORDER BY d.day, d.days_left = 0, s.client_id"""


async def endings(
    uow: UnitOfWork, looked: Sequence[tuple[date, int]]
) -> list[tuple[date, ProfessionalExpiring | ProfessionalExpired | MessageRequested]]:
    """Of each (day, days left): reminders of a status that ends then, with the message to the client, and with no days left its
    end."""
    found: list[tuple[date, ProfessionalExpiring | ProfessionalExpired | MessageRequested]] = []
    real = await uow.cached(timeline) is Timeline.REAL  # nobody is written to of days long gone
    policies = await uow.policies(Policies)
    for row in await uow.sql.fetch(_ENDING, *zip(*looked, strict=True)):
        said = {
            "client_id": row["client_id"],
            "branch_id": row["branch_id"],
            "category": row["category"],
            "valid_until": row["until"],
        }
        if row["days_left"]:
            found.append((row["day"], ProfessionalExpiring(**said, days_left=row["days_left"])))
            if real:
                days = policies.on(row["day"]).reminder_days
                found.append((row["day"], _reminder(uow, row["client_id"], row["until"], row["days_left"], days)))
        else:
            found.append((row["day"], ProfessionalExpired(**said)))
    return found


def _reminder(
    uow: UnitOfWork, client: str, until: date, days_left: int, reminder_days: Sequence[int], *, withdrawn: bool = False
) -> MessageRequested:
    """The message that a status ends in so many days: it may go until the next one is due."""
    following = max((days for days in reminder_days if days < days_left), default=0)
    cause = f"{until.isoformat()}/{days_left}"
    return MessageRequested(
        request_id=UUID(derived_id("professional reminder", client, cause)),
        client_id=client, kind=REMINDER, cause=cause, fields={"valid_until": until.isoformat()},
        not_before=start_of(until - timedelta(days=days_left)), not_after=end_of(until - timedelta(days=following)),
        asked_at=uow.now, withdrawn=withdrawn,
    )  # fmt: skip


async def find(sql: asyncpg.Connection, request_id: str) -> Professional:
    """A request.

    Raises: NotFound.
    """
    found = await fetch(
        sql, Professional, f"SELECT {columns(Professional)} FROM professionals WHERE request_id = $1", request_id
    )
    if not found:
        raise NotFound
    return found[0]


async def _locked(uow: UnitOfWork, request_id: str, state: str) -> Professional:
    await uow.sql.execute("SELECT FROM professionals WHERE request_id = $1 FOR UPDATE", request_id)
    row = await find(uow.sql, request_id)
    if row.state != state:
        raise WrongState(Text(f"it is {row.state}", f"当前状态为 {row.state}"))
    return row


def _named(request_id: str) -> str:
    return f"professional/{request_id}"
