"""Staff and branches over REST, for brokers without a staff system of their own: the same facts as on the bus [C28]."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

import asyncpg
import msgspec
from fastapi import Query
from pydantic import BaseModel, Field
from uuid_utils import uuid7

from chassis import staff
from chassis.actor import CALL_CENTRE, Actor, Role
from chassis.approvals import Approval, ApprovalKind, ask, by
from chassis.bus.record import Outgoing, partition_of
from chassis.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Text
from chassis.http import Reading, Work, permits, router
from chassis.http.approvals import ApprovalView
from chassis.http.approvals import view as approval_view
from chassis.http.language import Language
from chassis.staff import HQ, Roster, roster, roster_of
from chassis.uow import UnitOfWork
from contracts.base import Event, encode
from contracts.broker import BranchChanged, StaffChanged
from contracts.fields import BusinessDate, Code, Identifier, Instant, convert, text_of
from gateway.access import names_of
from gateway.timeline import effective_now, require_real

routes = router("/v1", "staff")
STAFF = tuple(role for role in Role if role is not Role.CLIENT)
SOURCE = "careline/gateway"
Reader = Annotated[Actor, permits("staff:read", *STAFF)]
Keeper = Annotated[Actor, permits("staff:maintain", Role.HQ, Role.OPERATIONS)]
DECIDING = (Role.HQ, Role.OPERATIONS)
GUARDED = ("user", "seats", "deputies", "branch_id")


class AboutOneself(Forbidden):
    """Nobody gives or takes themselves a sign-in, a seat, a branch or somebody to stand in for: ask somebody else to."""

    title = Text("This is about yourself", "不得变更本人的登录、席位或代理关系")


class LastAdministrator(Conflict):
    """Nobody takes their own way in away while no other administrator has one: let somebody else in first."""

    title = Text("You are the last administrator", "您是最后一名管理员，不得停用或删除本人的登录")


class SeatBody(BaseModel, extra="forbid"):
    """A seat somebody holds in a branch, or in `HQ`."""

    unit: Identifier
    seat: Code
    since: Instant | None = None
    until: Instant | None = None


class AbsenceBody(BaseModel, extra="forbid"):
    """Away from `since` until just before `until`."""

    since: Instant
    until: Instant | None = None
    reason: Annotated[str, text_of(64)] = ""


class PersonBody(BaseModel, extra="forbid"):
    """A person as they are from now on: what is not said is not so any more."""

    branch_id: Identifier | None = None
    name: Annotated[str, text_of(200)] = ""
    user: Code | None = Field(None, description="the name they sign in with")
    seats: list[SeatBody] = Field(default=[], max_length=50)
    deputies: list[Code] = Field(default=[], max_length=50, description="who stands in, in this order")
    absences: list[AbsenceBody] = Field(default=[], max_length=200)
    skills: list[Code] = Field(default=[], max_length=100)
    languages: list[Code] = Field(default=[], max_length=20)
    left_on: BusinessDate | None = None


class BranchBody(BaseModel, extra="forbid"):
    """A branch as it is from now on."""

    name: Annotated[str, text_of(200)] = ""
    phone: Annotated[str, text_of(40)] = ""
    mailbox: Annotated[str, text_of(200)] = ""
    published_at_places: list[Annotated[str, text_of(200)]] = Field(default=[], max_length=20)
    published_on: BusinessDate | None = None
    seat_deputies: dict[Code, Code] = {}
    closed_on: BusinessDate | None = None


class Told(BaseModel):
    """The fact is durable; `warnings` are what is odd about it, and does not stop it."""

    status: Literal["durable"] = "durable"
    warnings: list[str]


class Waits(BaseModel):
    """The change waits for a second person."""

    status: Literal["waiting"] = "waiting"
    approval: ApprovalView
    warnings: list[str]


class SeatHolder(BaseModel):
    """Who acts for a seat at an instant: `path` are the persons asked, the one found last."""

    unit: str
    seat: str
    at: datetime
    staff_id: str | None
    path: list[str]
    is_deputy: bool = False
    for_conflict: bool = False


@routes.put("/staff/{staff_id}", status_code=202)
async def put_person(
    _: Keeper, uow: Work, staff_id: Identifier, body: PersonBody, accept_language: Language = ""
) -> Told | Waits:
    """Say what a person is from now on; every service hears it. What touches their sign-in, seats, deputies, branch or
    leaving waits for a second person, and nobody says it of themselves."""
    event = _event(StaffChanged, {"staff_id": staff_id} | body.model_dump(mode="json", exclude_defaults=True))
    known = await roster(uow.sql)
    warnings = [*_odd_person(known, event, uow.now)]
    return await _change(uow, known, f"staff/{staff_id}", event, warnings, accept_language)


@routes.put("/branches/{branch_id}", status_code=202)
async def put_branch(
    _: Keeper, uow: Work, branch_id: Identifier, body: BranchBody, accept_language: Language = ""
) -> Told | Waits:
    """Say what a branch is from now on; every service hears it. Who stands in for its seats waits for a second person."""
    event = _event(BranchChanged, {"branch_id": branch_id} | body.model_dump(mode="json", exclude_defaults=True))
    known = await roster(uow.sql)
    unknown = sorted(name for name in event.seat_deputies.values() if known.person(name, uow.now) is None)
    warnings = [f"nothing is known of the deputy {name}" for name in unknown]
    return await _change(uow, known, f"branch/{branch_id}", event, warnings, accept_language)


async def _change(
    uow: UnitOfWork, known: Roster, object: str, event: Any, warnings: list[str], language: str
) -> Told | Waits:
    """Put a change in force, or ask a second person for it."""
    before = _now(known, object, uow.now)
    concerned = _touched(before, event)
    if (concerned and uow.actor.person in concerned) or _links_to(event, before, uow.actor):
        raise AboutOneself
    after = msgspec.to_builtins(event)
    if concerned and await approvers(uow, known):
        asked = await ask(uow, ROSTER, object, body=after, before=before, after=after, concerned=concerned)
        shown = approval_view("gateway", ROSTER, asked, language)
        return Waits(approval=shown, warnings=warnings)
    await _say(uow, event)
    uow.audit(f"change_{object.partition('/')[0]}", object, before=before, after=after)
    return Told(warnings=warnings)


async def approvers(uow: UnitOfWork, known: Roster) -> set[str]:
    """Who could be the second person to the caller: people of the roster who sign in and sit in headquarters, or have a
    user with a role that decides. While there is nobody (a first set-up) one person's word is enough, and is audited."""
    rows = await uow.sql.fetch(
        "SELECT name FROM users WHERE role = ANY($1::text[]) AND NOT disabled", [str(role) for role in DECIDING]
    )
    found = {known.person_of(f"user:{row['name']}", uow.now) for row in rows}
    for staff_id in known.people:
        person = known.person(staff_id, uow.now)
        in_hq = any(unit == HQ and seat != CALL_CENTRE for unit, seat in known.seats_of(staff_id, uow.now))
        if person is not None and person.user is not None and in_hq:
            found.add(staff_id)
    return {one for one in found if one not in (None, uow.actor.person) and not known.has_left(str(one), uow.now)}


async def require_another_administrator(uow: UnitOfWork, object: str, person: str | None = None) -> None:
    """Refuse whoever would shut themselves out (`object` is `user/NAME` or `api_key/NAME`, of `person`) and leave no
    administrator who gets in: no user or key of a role that decides, and nobody of headquarters who signs in elsewhere.

    Raises: LastAdministrator.
    """
    known, actor = await roster(uow.sql), uow.actor
    own = names_of(actor)

    def is_own(object: str, person: str | None) -> bool:
        kind, _, name = object.partition("/")
        if kind == "api_key":
            return f"key:{name}" in own or (person is not None and person == actor.person)
        names = {name, f"user:{name}", f"oidc:{name}", f"os:{name}"}
        return bool(names & own) or known.person_of(f"user:{name}", uow.now) == actor.person

    if not is_own(object, person) or await approvers(uow, known):
        return
    rows = await uow.sql.fetch(
        """SELECT 'user/' || name AS object, NULL AS person FROM users WHERE role = ANY($1::text[]) AND NOT disabled
           UNION ALL SELECT 'api_key/' || name, person FROM api_keys
           WHERE role = ANY($1::text[]) AND NOT disabled AND revoked_at IS NULL""",
        [str(role) for role in DECIDING],
    )
    if not any(not is_own(row["object"], row["person"]) for row in rows if row["object"] != object):
        raise LastAdministrator


def _now(known: Roster, object: str, at: datetime) -> Any:
    kind, _, name = object.partition("/")
    found = known.person(name, at) if kind == "staff" else known.branch(name, at)
    return None if found is None else msgspec.to_builtins(found)


def _touched(before: Any, event: Any) -> set[str]:
    """Whom a change gives or takes a sign-in, a seat, a branch or the standing-in for one; nobody: it needs no second
    person. Leaving, or leaving earlier, does not wait: it only takes away."""
    after, was = msgspec.to_builtins(event), before or {}
    if isinstance(event, BranchChanged):
        now, then = after.get("seat_deputies") or {}, was.get("seat_deputies") or {}
        return {name for _, name in now.items() ^ then.items()}
    changed = [name for name in GUARDED if (after.get(name) or None) != (was.get(name) or None)]
    left, leaves = was.get("left_on"), after.get("left_on")
    if left is not None and (leaves is None or leaves > left):
        changed.append("left_on")
    if not changed:
        return set()
    deputies = {*(after.get("deputies") or ())} ^ {*(was.get("deputies") or ())}
    return {event.staff_id, *deputies}


def _links_to(event: Any, before: Any, actor: Actor) -> bool:
    """Whether a change links or unlinks the caller's own sign-in."""
    then = (before or {}).get("user")
    now = getattr(event, "user", None)
    return now != then and bool({now, then} & names_of(actor))


async def _put_in_force(uow: UnitOfWork, approval: Approval) -> None:
    kind = StaffChanged if approval.object.startswith("staff/") else BranchChanged
    await _say(uow, _event(kind, approval.body))


async def _present(uow: UnitOfWork, approval: Approval) -> Any:
    return _now(await roster(uow.sql), approval.object, uow.now)


ROSTER = ApprovalKind(
    "roster",
    Text("Change of the roster", "员工名册变更"),
    decides=by(*DECIDING),
    apply=_put_in_force,
    present=_present,
)


@routes.get("/staff")
async def list_staff(
    _: Reader, sql: Reading, unit: Identifier | None = None, at: Instant | None = None
) -> list[dict[str, Any]]:
    """Everybody, or who holds a seat in one unit (a branch, or HQ), as of an instant."""
    known, when = await roster(sql), await _instant(sql, at)
    people = (known.person(staff_id, when) for staff_id in sorted(known.people))
    return [
        msgspec.to_builtins(person) | {"present": known.is_present(person.staff_id, when)}
        for person in people
        if person is not None and (unit is None or any(seat.unit == unit for seat in person.seats))
    ]


@routes.get("/staff/{staff_id}")
async def read_person(_: Reader, sql: Reading, staff_id: Identifier, at: Instant | None = None) -> dict[str, Any]:
    """One person as of an instant."""
    known, when = await roster(sql), await _instant(sql, at)
    person = known.person(staff_id, when)
    if person is None:
        raise NotFound
    found: dict[str, Any] = msgspec.to_builtins(person)
    return found | {"present": known.is_present(staff_id, when)}


@routes.get("/branches/{branch_id}")
async def read_branch(_: Reader, sql: Reading, branch_id: Identifier, at: Instant | None = None) -> dict[str, Any]:
    """One branch as of an instant, with its seats and who acts for each."""
    known, when = await roster(sql), await _instant(sql, at)
    place = known.branch(branch_id, when)
    if place is None:
        raise NotFound
    found: dict[str, Any] = msgspec.to_builtins(place)
    return found | {"seats": [_holder(known, branch_id, seat, when) for seat in staff.COMPLAINT_GROUP]}


@routes.get("/seats/{unit}/{seat}")
async def read_seat(
    _: Reader,
    sql: Reading,
    unit: Identifier,
    seat: Code,
    at: Instant | None = None,
    avoid: Annotated[list[Identifier] | None, Query(max_length=20)] = None,
) -> SeatHolder:
    """Who acts for a seat at an instant, past deputies and absences; `avoid`: who has a conflict of interest."""
    return _holder(await roster(sql), unit, seat, await _instant(sql, at), tuple(avoid or ()))


async def _instant(sql: asyncpg.Connection, at: datetime | None) -> datetime:
    if at is not None and at.tzinfo is None:
        raise Invalid(errors=(FieldError("query#/at", "needs a UTC offset"),))
    return at or await effective_now(sql)


def _holder(known: Roster, unit: str, seat: str, at: datetime, avoid: tuple[str, ...] = ()) -> SeatHolder:
    found = known.holder(unit, seat, at, avoid=avoid)
    if found is None:
        return SeatHolder(unit=unit, seat=seat, at=at, staff_id=None, path=[])
    return SeatHolder(
        unit=found.unit, seat=found.seat, at=at, staff_id=found.staff_id, path=list(found.path),
        is_deputy=found.is_deputy, for_conflict=found.for_conflict,
    )  # fmt: skip


def _event(kind: type[Event], data: dict[str, Any]) -> Any:
    try:
        return convert(data, kind)
    except msgspec.ValidationError as error:
        raise Invalid(errors=(FieldError("", str(error)),)) from None


def _odd_person(known: Roster, event: StaffChanged, now: datetime) -> Iterator[str]:
    """What should be looked at: circles of deputies, unknown deputies, seats left without anybody."""
    others = [(since, person) for versions in known.people.values() for since, person in versions]
    places = [(since, place) for versions in known.places.values() for since, place in versions]
    after = roster_of([*others, (now, event)], places)
    for circle in after.deputy_loops(now):
        if event.staff_id in circle:
            yield f"deputies name each other in a circle: {' > '.join((*circle, circle[0]))}"
    for deputy in event.deputies:
        if known.person(deputy, now) is None:
            yield f"nothing is known of the deputy {deputy}"
    seats = {(seat.unit, seat.seat) for seat in event.seats} | set(known.seats_of(event.staff_id, now))
    for unit, seat in sorted(seats):
        if after.holder(unit, seat, now) is None:
            yield f"nobody acts for {seat} in {unit}" + ("" if unit == HQ else ": it cannot receive a ticket")


async def _say(uow: UnitOfWork, event: Event) -> None:
    await require_real(uow)
    place = partition_of(event.key, uow.database.partitions)
    event_id = str(uuid7())
    uow.publish([Outgoing(event.topic, place, event.key, event.type, event_id, SOURCE, uow.now, encode(event))])
