"""Events of the club (俱乐部活动) [H2.3]: capacity, guests, a waiting list by tier, V and time, who came and who did not.

The row of an event is the lock of its seats: whoever takes, frees or counts seats holds it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from pydantic import BaseModel
from uuid_utils import uuid7

from chassis import rows
from chassis.actor import Actor, Role
from chassis.acts import IF_MATCH, PLATFORM_ITSELF, Act, Aggregate, Doing, Step, Who, acts, begin, perform_each
from chassis.approvals import by
from chassis.clock import business_date
from chassis.errors import Conflict, FieldError, Invalid, NotFound, Refusal, Text
from chassis.http import object_scope
from chassis.timeline import effective_now, today
from chassis.uow import UnitOfWork
from contracts.classification import TIERS as TIER_NAMES
from contracts.fields import Positive, Text500
from contracts.products import AttendanceRecorded
from contracts.suitability import ProfessionalChanged
from services.products.club import HAVE, NotAMember, membership_of
from services.products.club_rules import Waiting, admitted, is_behind, moves_by_itself
from services.products.people import BRANCH_STAFF, CLIENT, OWN_CLIENT, STAFF, audiences
from services.products.policy import Policies
from services.products.tables import PROFESSIONALS, EventRow, RegistrationRow
from services.products.tables import TIERS as TIER_HISTORY

HOST = Who[EventRow](
    "host",
    Text("the manager of its branch, or headquarters", "所属营业部负责人或总部"),
    lambda actor, one: (
        actor.role in (Role.BRANCH_MANAGER, Role.HQ)
        and (actor.sees_all_branches or (actor.branch_id is not None and actor.branch_id == one.branch_id))
    ),
)
PUBLISHED_BY = by(Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)


class FilingNeeded(Conflict):
    """An event that is open to others than members carries the reference of its filing."""

    title = Text("The filing's reference is missing", "缺少备案编号")


class NotInvitedRole(Conflict):
    """The event is for other social roles."""

    title = Text("For other social roles", "该活动面向其他社会角色")


class NotQualified(Conflict):
    """The event is for professional investors only."""

    title = Text("For professional investors only", "仅限专业投资者")


class EventNotOpen(Conflict):
    """The event is not open for registration, or has begun."""

    title = Text("Not open for registration", "该活动未开放报名")


class AlreadyRegistered(Conflict):
    """The member is registered for this event, or on its waiting list."""

    title = Text("Already registered", "已报名或已在候补名单中")


class NoSeats(Conflict):
    """There are not that many seats left."""

    title = Text("Not enough seats", "席位不足")


class NotBegun(Conflict):
    """The event has not begun."""

    title = Text("The event has not begun", "活动尚未开始")


def event_sight(actor: Actor, n: int) -> tuple[str, Sequence[Any]]:
    """Clients see what is or was open in their branch and the firm, staff what is their branch's and the firm's."""
    if actor.role is Role.CLIENT:
        own = f"(branch_id IS NULL OR branch_id = (SELECT c.branch_id FROM clients c WHERE c.client_id = ${n}))"
        return f"state <> 'draft' AND {own}", [actor.client_id]
    if actor.sees_all_branches:
        return "true", []
    return f"(branch_id IS NULL OR branch_id = ${n})", [actor.branch_id]


EVENT = Aggregate[EventRow](
    name="club_event",
    table="club_events",
    id="event_id",
    row=lambda record: msgspec.convert(dict(record), EventRow),
    states=("draft", "open", "held", "cancelled"),
    begins=("draft",),
    final=("held", "cancelled"),
    sight=event_sight,
    audiences=audiences,
    client=None,
    parse=UUID,
    facts=lambda sql, _, found: _nows(sql, len(found)),
)
REGISTRATION = Aggregate[RegistrationRow](
    name="registration",
    table="club_registrations",
    id="registration_id",
    row=lambda record: msgspec.convert(dict(record), RegistrationRow),
    states=("registered", "waiting", "attended", "missed", "unplaced", "cancelled"),
    begins=("registered", "waiting"),
    final=("attended", "unplaced", "cancelled"),
    sight=object_scope,
    audiences=audiences,
    parse=UUID,
    facts=lambda sql, _, found: _events_of(sql, found),
)


class Why(BaseModel, extra="forbid"):
    """Why."""

    reason: Text500


class Capacity(BaseModel, extra="forbid"):
    """How many seats there are from now on, guests included."""

    capacity: Positive


@dataclass(frozen=True, slots=True)
class Facts:
    """Of a registration: its event, the seats that are free, and what time it is."""

    event: EventRow
    free: int
    now: datetime


async def _nows(sql: asyncpg.Connection, count: int) -> list[datetime]:
    return [await effective_now(sql)] * count


async def _events_of(sql: asyncpg.Connection, found: Sequence[RegistrationRow]) -> list[Facts]:
    names = sorted({one.event_id for one in found})
    events = {
        one.event_id: one
        for one in await rows.fetch(
            sql, EventRow, f"SELECT {rows.columns(EventRow)} FROM club_events WHERE event_id = ANY($1::uuid[])", names
        )
    }
    taken, now = await seats_taken(sql, names), await effective_now(sql)
    return [
        Facts(events[one.event_id], events[one.event_id].capacity - taken.get(one.event_id, 0), now) for one in found
    ]


async def seats_taken(sql: asyncpg.Connection, events: Sequence[UUID]) -> dict[UUID, int]:
    """The seats that are taken of events."""
    return {  # noqa: C416 - rows are records, not pairs
        event_id: seats
        for event_id, seats in await sql.fetch(
            """SELECT event_id, sum(1 + guests)::int FROM club_registrations
               WHERE event_id = ANY($1::uuid[]) AND state IN ('registered', 'attended') GROUP BY 1""",
            list(events),
        )
    }


def _filed(_: Actor, row: EventRow, __: datetime) -> Refusal | None:
    return FilingNeeded() if row.public and not row.filing else None


def _has_begun(_: Actor, row: EventRow, now: datetime) -> Refusal | None:
    return None if now >= row.starts_at else NotBegun()


def _event_has_begun(_: Actor, __: RegistrationRow, facts: Facts) -> Refusal | None:
    if facts.event.state == "cancelled":
        return EventNotOpen()
    return None if facts.now >= facts.event.starts_at else NotBegun()


def _before_it_begins(_: Actor, __: RegistrationRow, facts: Facts) -> Refusal | None:
    return EventNotOpen() if facts.event.state != "open" or facts.now >= facts.event.starts_at else None


def _has_seats(_: Actor, row: RegistrationRow, facts: Facts) -> Refusal | None:
    if facts.event.state != "open":
        return EventNotOpen()
    return NoSeats(free=max(facts.free, 0)) if facts.free < row.seats else None


async def _set_capacity(uow: UnitOfWork, doings: Sequence[Doing[EventRow]]) -> None:
    taken = await seats_taken(uow.sql, [one.id for one in doings])
    for one in doings:
        if one.body.capacity < taken.get(one.id, 0):
            raise Invalid(errors=(FieldError("/capacity", f"{taken[one.id]} seats are taken"),))
        one.columns |= {"capacity": one.body.capacity}
        one.detail |= {"capacity": one.body.capacity}


async def _move_lists(uow: UnitOfWork, doings: Sequence[Doing[EventRow]]) -> None:
    for one in doings:
        await promote(uow, one.row)


async def _call_off(uow: UnitOfWork, doings: Sequence[Doing[EventRow]]) -> None:
    """An event that is cancelled takes its registrations along."""
    await _each(uow, doings, {"registered": "call_off", "waiting": "call_off"})


async def _close_out(uow: UnitOfWork, doings: Sequence[Doing[EventRow]]) -> None:
    """Who was registered and did not come has missed it; who waited has not been placed."""
    await _each(uow, doings, {"registered": "miss", "waiting": "unplace"})


async def _each(uow: UnitOfWork, doings: Sequence[Doing[EventRow]], what: Mapping[str, str]) -> None:
    todo: defaultdict[str, dict[UUID, None]] = defaultdict(dict)
    for registration_id, state in await uow.sql.fetch(
        """SELECT registration_id, state FROM club_registrations
           WHERE event_id = ANY($1::uuid[]) AND state = ANY($2::text[]) ORDER BY registration_id""",
        [one.id for one in doings],
        list(what),
    ):
        todo[what[state]][registration_id] = None
    for name, moved in todo.items():
        await perform_each(uow, getattr(REGISTRATIONS, name), moved, doings[0].at)


async def _after_leaving(uow: UnitOfWork, doings: Sequence[Doing[RegistrationRow]]) -> None:
    """Seats that are free go to the waiting list."""
    for event_id in sorted({one.row.event_id for one in doings}):
        await promote(uow, await lock(uow, event_id))


async def _tell_attendance(uow: UnitOfWork, doings: Sequence[Doing[RegistrationRow]]) -> None:
    """Who came and who did not goes to the client's record of service [S17]."""
    kinds: dict[UUID, str] = {  # noqa: C416 - rows are records, not pairs
        event_id: kind
        for event_id, kind in await uow.sql.fetch(
            "SELECT event_id, kind FROM club_events WHERE event_id = ANY($1::uuid[])",
            sorted({one.row.event_id for one in doings}),
        )
    }
    for one in doings:
        row = one.row
        uow.emit(
            AttendanceRecorded(
                client_id=row.client_id, registration_id=row.registration_id, event_id=row.event_id,
                kind=kinds[row.event_id], held_on=row.held_on, state=row.state, revision=row.revision,  # type: ignore[arg-type]
            )
        )  # fmt: skip


ACTS = acts(
    EVENT,
    Act("publish", Text("Open for registration", "开放报名"), on=("draft",), to="open", who=(HOST,), takes=Why,
        needs=("reason",), approval=PUBLISHED_BY, tells=(STAFF,), unless=_filed),
    Act("resize", Text("Change the seats", "调整名额"), on=("draft", "open"), who=(HOST,), takes=Capacity, needs=("capacity", IF_MATCH),
        tells=(STAFF,), prepare=_set_capacity, then=_move_lists),
    Act("cancel", Text("Cancel", "取消活动"), on=("draft", "open"), to="cancelled", who=(HOST,), takes=Why, needs=("reason",),
        tells=(CLIENT, STAFF), then=_call_off),
    Act("close_out", Text("It has been held", "活动结束"), on=("open",), to="held", who=(HOST,), tells=(STAFF,),
        unless=_has_begun, then=_close_out),
)  # fmt: skip
REGISTRATIONS = acts(
    REGISTRATION,
    Act("cancel", Text("Cancel the registration", "取消报名"), on=("registered", "waiting"), to="cancelled",
        who=(OWN_CLIENT, BRANCH_STAFF), takes=Why, needs=("reason",), tells=(CLIENT, STAFF), unless=_before_it_begins,
        then=_after_leaving),
    Act("admit", Text("Give a free seat by hand", "人工递补"), on=("waiting",), to="registered", who=(BRANCH_STAFF,), takes=Why,
        needs=("reason",), tells=(CLIENT, STAFF), unless=_has_seats),
    Act("attend", Text("Came", "签到"), on=("registered", "missed"), to="attended", who=(BRANCH_STAFF,), tells=(CLIENT, STAFF),
        unless=_event_has_begun, then=_tell_attendance),
    Act("promote", Text("A seat is free", "候补递补"), on=("waiting",), to="registered", who=(PLATFORM_ITSELF,),
        tells=(CLIENT, STAFF)),
    Act("miss", Text("Did not come", "未到场"), on=("registered",), to="missed", who=(PLATFORM_ITSELF,), tells=(CLIENT, STAFF),
        then=_tell_attendance),
    Act("unplace", Text("No seat was free", "候补未成功"), on=("waiting",), to="unplaced", who=(PLATFORM_ITSELF,),
        tells=(CLIENT, STAFF)),
    Act("call_off", Text("Called off", "报名已取消"), on=("registered", "waiting"), to="cancelled", who=(PLATFORM_ITSELF,),
        tells=(CLIENT, STAFF)),
)  # fmt: skip


async def lock(uow: UnitOfWork, event_id: UUID) -> EventRow:
    """An event, its seats locked.

    Raises: NotFound.
    """
    found = await rows.fetch(
        uow.sql, EventRow, f"SELECT {rows.columns(EventRow)} FROM club_events WHERE event_id = $1 FOR UPDATE", event_id
    )
    if not found:
        raise NotFound
    return found[0]


async def plan(uow: UnitOfWork, row: EventRow) -> None:
    """Keep a new event, as a draft.

    Raises: Invalid.
    """
    club = (await uow.policies(Policies)).club.on(await today(uow.sql)).body
    errors = []
    if row.kind not in {one.code for one in club.kinds}:
        errors.append(FieldError("/kind", f"one of {', '.join(one.code for one in club.kinds)}"))
    unknown = sorted(set(row.audience) - {one.code for one in club.roles})
    if unknown:
        errors.append(FieldError("/audience", f"no social role: {', '.join(unknown)}"))
    at = await effective_now(uow.sql, uow.now)
    if not at < row.starts_at < row.ends_at:
        errors.append(FieldError("/starts_at", "in the future, and before it ends"))
    if errors:
        raise Invalid(errors=tuple(errors))
    await uow.sql.copy_records_to_table(
        "club_events", records=[msgspec.structs.astuple(row)], columns=EventRow.__struct_fields__
    )
    await begin(uow, [Step(EVENT.named(row.event_id), "plan", "", row.state, at, (STAFF,), {"kind": row.kind})])
    uow.audit("plan", EVENT.named(row.event_id), key=EVENT.key_of(row), kind=row.kind, capacity=row.capacity)


async def register(
    uow: UnitOfWork, event_id: UUID, client_id: str, branch_id: str | None, guests: int
) -> RegistrationRow:
    """Register a member with guests: for seats while there are enough, otherwise on the waiting list.

    Raises: NotFound, Invalid, and what stands against it.
    """
    event = await lock(uow, event_id)
    now, day = await effective_now(uow.sql, uow.now), await today(uow.sql)
    uow.happened_at = now
    club = (await uow.policies(Policies)).club.on(day).body
    if guests > club.guests:
        raise Invalid(errors=(FieldError("/guests", f"{club.guests} at most"),))
    if event.state != "open" or now >= event.starts_at:
        raise EventNotOpen
    await _require_invited(uow, event, client_id, day)
    if await uow.sql.fetchval(
        """SELECT EXISTS (SELECT FROM club_registrations WHERE event_id = $1 AND client_id = $2
                          AND state IN ('registered', 'waiting', 'attended'))""",
        event_id,
        client_id,
    ):
        raise AlreadyRegistered
    free = event.capacity - (await seats_taken(uow.sql, [event_id])).get(event_id, 0)
    # Who waits comes first: late, when the list does not move by itself, a seat may be free that is somebody else's.
    fits = free >= 1 + guests and not admitted(await waiting_of(uow.sql, event, day), free)
    row = RegistrationRow(
        UUID(bytes=uuid7().bytes), event_id, client_id, branch_id, guests, "registered" if fits else "waiting", now,
        business_date(event.starts_at), uow.actor.person, 0,
    )  # fmt: skip
    await uow.sql.copy_records_to_table(
        "club_registrations", records=[msgspec.structs.astuple(row)], columns=RegistrationRow.__struct_fields__
    )
    name = REGISTRATION.named(row.registration_id)
    detail: dict[str, Any] = {"event": str(event_id), "guests": guests}
    await begin(uow, [Step(name, "register", "", row.state, now, (CLIENT, STAFF), detail)])
    uow.audit("register", name, key=client_id, after=row.state, **detail)
    return row


async def _require_invited(uow: UnitOfWork, event: EventRow, client_id: str, day: date) -> None:
    membership = await membership_of(uow.sql, client_id)
    if membership is None or membership.state not in HAVE:
        raise NotAMember
    if event.audience and membership.social_role not in event.audience:
        raise NotInvitedRole(audience=list(event.audience), social_role=membership.social_role)
    kinds = {one.code: one for one in (await uow.policies(Policies)).club.on(day).body.kinds}
    if event.kind in kinds and kinds[event.kind].qualified:
        category = await uow.sql.fetchval(f"SELECT {PROFESSIONALS.on('category', '$1', '$2')}", client_id, day)
        if category is None:
            raise NotQualified


async def waiting_of(sql: asyncpg.Connection, event: EventRow, day: date) -> list[Waiting]:
    """The waiting list of an event, with what decides who comes first."""
    club = (await Policies.read(sql)).club.on(day).body
    return [
        Waiting(
            name, 1 + guests, tier or TIER_NAMES[0], worth or Decimal(0), is_behind(missed, day, club), registered_at
        )
        for name, guests, registered_at, tier, worth, missed in await sql.fetch(
            f"""SELECT registration_id, guests, registered_at, {TIER_HISTORY.on("tier", "r.client_id", "$2")},
                       (SELECT m.worth FROM months m WHERE m.client_id = r.client_id AND m.month_end < $2
                        ORDER BY m.month_end DESC LIMIT 1),
                       ARRAY(SELECT held_on FROM club_registrations o WHERE o.client_id = r.client_id AND o.state = 'missed')
                FROM club_registrations r WHERE event_id = $1 AND state = 'waiting'""",
            event.event_id,
            day,
        )
    ]


async def promote(uow: UnitOfWork, event: EventRow) -> None:
    """Give free seats of a locked event to its waiting list, while it moves by itself."""
    now, day = await effective_now(uow.sql, uow.now), await today(uow.sql)
    club = (await uow.policies(Policies)).club.on(day).body
    if event.state != "open" or not moves_by_itself(now, event.starts_at, club):
        return
    free = event.capacity - (await seats_taken(uow.sql, [event.event_id])).get(event.event_id, 0)
    chosen = admitted(await waiting_of(uow.sql, event, day), free)
    await perform_each(uow, REGISTRATIONS.promote, dict.fromkeys(one.registration_id for one in chosen), now)


async def close_day(uow: UnitOfWork, day: date) -> None:
    """Registrations of those who are no members any more are called off; their seats go to the waiting lists."""
    left = await uow.sql.fetch(
        """SELECT r.registration_id, r.event_id FROM club_registrations r JOIN club_events e USING (event_id)
           WHERE e.state = 'open' AND r.held_on >= $1 AND r.state IN ('registered', 'waiting')
             AND NOT EXISTS (SELECT FROM club_memberships m WHERE m.client_id = r.client_id AND m.state = ANY($2::text[]))
           ORDER BY r.event_id, r.registration_id""",
        day,
        list(HAVE),
    )
    events = [await lock(uow, event_id) for event_id in sorted({event_id for _, event_id in left})]
    at = await effective_now(uow.sql, uow.now)
    await perform_each(uow, REGISTRATIONS.call_off, {name: None for name, _ in left}, at)
    for event in events:
        await promote(uow, event)


async def keep_professionals(changes: Sequence[ProfessionalChanged], uow: UnitOfWork) -> None:
    """Keep who is a professional investor: some events are for them alone [H2.2]."""
    await PROFESSIONALS.keep(uow, changes)
