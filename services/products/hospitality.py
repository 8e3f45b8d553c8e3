"""The register of gifts and hospitality (礼品与招待登记) [H2.2]: off as shipped, two persons, a cap for each member and year; never
for points [P9]."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from pydantic import BaseModel
from uuid_utils import uuid7

from chassis import approvals, rows
from chassis.actor import Role
from chassis.acts import Act, Aggregate, Step, acts, begin
from chassis.approvals import Approval, ApprovalKind, by
from chassis.errors import Conflict, FieldError, Invalid, Text
from chassis.http import object_scope
from chassis.timeline import effective_now, today
from chassis.uow import UnitOfWork
from contracts.fields import Text500
from services.products import clients
from services.products.charge_rules import fen
from services.products.clients import ClientRow
from services.products.club import HAVE, NotAMember, membership_of
from services.products.people import DESK, STAFF, audiences
from services.products.policy import Club, Policies
from services.products.rules import cents
from services.products.tables import HospitalityRow

GIVEN_BY = by(Role.COMPLIANCE)


class SwitchedOff(Conflict):
    """The firm gives none of this kind: the policy has it off."""

    title = Text("Not given by this firm", "公司未开放该项")


class AboveYearlyValue(Conflict):
    """With this the member would have more in the calendar year than the policy allows; `left` is what is left of it."""

    title = Text("Above what a member may have in a year", "超过会员年度限额")


HOSPITALITY = Aggregate[HospitalityRow](
    name="hospitality",
    table="hospitality",
    id="entry_id",
    row=lambda record: msgspec.convert(dict(record), HospitalityRow),
    states=("given", "void"),
    begins=("given",),
    final=("void",),
    sight=object_scope,
    audiences=audiences,
    parse=UUID,
)


class Why(BaseModel, extra="forbid"):
    """Why."""

    reason: Text500


ACTS = acts(
    HOSPITALITY,
    Act("void", Text("Strike it from the register", "作废登记"), on=("given",), to="void", who=(DESK,), takes=Why,
        needs=("reason",), approval=GIVEN_BY, tells=(STAFF,)),
)  # fmt: skip


async def of_year(sql: asyncpg.Connection, client_id: str, year: int) -> int:
    """What a member was given in a calendar year, in fen."""
    total: int = await sql.fetchval(
        """SELECT coalesce(sum(fen), 0)::bigint FROM hospitality
           WHERE client_id = $1 AND state = 'given' AND given_on BETWEEN make_date($2, 1, 1) AND make_date($2, 12, 31)""",
        client_id,
        year,
    )
    return total


async def ask(
    uow: UnitOfWork, client: ClientRow, kind: str, value: Decimal, given_on: date, event_id: UUID | None, reason: str
) -> Approval:
    """Ask to enter something given to a member: it stands when compliance agrees.

    Raises: Invalid, SwitchedOff, NotAMember, AboveYearlyValue.
    """
    if given_on > await today(uow.sql):
        raise Invalid(errors=(FieldError("/given_on", "not in the future"),))
    if event_id is not None and not await uow.sql.fetchval(
        "SELECT EXISTS (SELECT FROM club_events WHERE event_id = $1)", event_id
    ):
        raise Invalid(errors=(FieldError("/event_id", "no event of the club"),))
    membership = await membership_of(uow.sql, client.client_id)
    if membership is None or membership.state not in HAVE:
        raise NotAMember
    await clients.lock(uow, [client.client_id])
    body = {
        "kind": kind,
        "fen": fen(value),
        "given_on": given_on.isoformat(),
        "event_id": str(event_id) if event_id else None,
    }
    await _require_room(uow, client.client_id, body)
    return await approvals.ask(
        uow, GIVEN, f"hospitality/{UUID(bytes=uuid7().bytes)}", body=body, why=reason, after=body,
        client_id=client.client_id, branch_id=client.branch_id,
    )  # fmt: skip


async def _require_room(uow: UnitOfWork, client_id: str, body: dict[str, Any]) -> None:
    """The policy of the day it was given on allows the kind, and the year has room for it."""
    given_on = date.fromisoformat(body["given_on"])
    club: Club = (await uow.policies(Policies)).club.on(given_on).body
    if not (club.gifts if body["kind"] == "gift" else club.hospitality):
        raise SwitchedOff
    left = fen(club.yearly_value) - await of_year(uow.sql, client_id, given_on.year)
    if body["fen"] > left:
        raise AboveYearlyValue(left=str(cents(Decimal(max(left, 0)) / 100)))


async def _enter(uow: UnitOfWork, approval: Approval) -> None:
    """Enter it, if there still is room: of two that waited the second may find none."""
    assert approval.client_id is not None
    uow.happened_at = await effective_now(uow.sql, uow.now)
    client = (await clients.lock(uow, [approval.client_id]))[approval.client_id]
    await _require_room(uow, client.client_id, approval.body)
    event_id = approval.body["event_id"]
    row = HospitalityRow(
        UUID(approval.object.removeprefix("hospitality/")), client.client_id, client.branch_id, approval.body["kind"],
        approval.body["fen"], date.fromisoformat(approval.body["given_on"]), UUID(event_id) if event_id else None,
        approval.why, "given", approval.asked_by, uow.actor.person, uow.now, 0,
    )  # fmt: skip
    await uow.sql.copy_records_to_table(
        "hospitality", records=[msgspec.structs.astuple(row)], columns=HospitalityRow.__struct_fields__
    )
    step = Step(HOSPITALITY.named(row.entry_id), "enter", "", row.state, uow.happened_at, (STAFF,), {"fen": row.fen})
    await begin(uow, [step])


GIVEN = ApprovalKind(
    "hospitality", Text("A gift or hospitality for a member", "会员礼品与招待"), decides=GIVEN_BY, apply=_enter
)


async def listed(
    sql: asyncpg.Connection, scope: tuple[str, Sequence[Any]], year: int, after: tuple[date, UUID], limit: int
) -> list[HospitalityRow]:
    """The register of a year behind a place; `scope` is numbered from $5 on."""
    condition, arguments = scope
    return await rows.fetch(
        sql,
        HospitalityRow,
        f"""SELECT {rows.columns(HospitalityRow)} FROM hospitality
            WHERE given_on BETWEEN make_date($1, 1, 1) AND make_date($1, 12, 31) AND (given_on, entry_id) > ($2, $3) AND {condition}
            ORDER BY given_on, entry_id LIMIT $4""",
        year,
        after[0],
        after[1],
        limit,
        *arguments,
    )
