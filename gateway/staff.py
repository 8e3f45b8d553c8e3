"""Staff and branches over REST, for brokers without a staff system of their own: the same facts as on the bus [C28]."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any

import msgspec
from fastapi import Query
from pydantic import BaseModel, Field
from uuid_utils import uuid7

from chassis import staff
from chassis.actor import Actor, Role
from chassis.bus.record import Outgoing, partition_of
from chassis.clock import utc_now
from chassis.errors import FieldError, Invalid, NotFound
from chassis.http import Reading, Work, permits, router
from chassis.staff import HQ, Roster, roster, roster_of
from chassis.uow import UnitOfWork
from contracts.base import Event, encode
from contracts.broker import BranchChanged, StaffChanged
from gateway.timeline import require_real

routes = router("/v1", "staff")
STAFF = tuple(role for role in Role if role is not Role.CLIENT)
SOURCE = "careline/gateway"
Reader = Annotated[Actor, permits("staff:read", *STAFF)]
Keeper = Annotated[Actor, permits("staff:maintain", Role.HQ, Role.OPERATIONS)]
Id = Annotated[str, Field(min_length=1, max_length=64)]


class SeatBody(BaseModel, extra="forbid"):
    """A seat somebody holds in a branch, or in `HQ`."""

    unit: Id
    seat: Id
    since: datetime | None = None
    until: datetime | None = None


class AbsenceBody(BaseModel, extra="forbid"):
    """Away from `since` until just before `until`."""

    since: datetime
    until: datetime | None = None
    reason: str = Field("", max_length=64)


class PersonBody(BaseModel, extra="forbid"):
    """A person as they are from now on: what is not said is not so any more."""

    branch_id: Id | None = None
    name: str = Field("", max_length=200)
    user: Id | None = Field(None, description="the name they sign in with")
    seats: list[SeatBody] = Field(default=[], max_length=50)
    deputies: list[Id] = Field(default=[], max_length=50, description="who stands in, in this order")
    absences: list[AbsenceBody] = Field(default=[], max_length=200)
    skills: list[Id] = Field(default=[], max_length=100)
    languages: list[Id] = Field(default=[], max_length=20)
    left_on: date | None = None


class BranchBody(BaseModel, extra="forbid"):
    """A branch as it is from now on."""

    name: str = Field("", max_length=200)
    phone: str = Field("", max_length=40)
    mailbox: str = Field("", max_length=200)
    published_at_places: list[Annotated[str, Field(max_length=200)]] = Field(default=[], max_length=20)
    published_on: date | None = None
    seat_deputies: dict[Id, Id] = {}
    closed_on: date | None = None


class Told(BaseModel):
    """The fact is durable; `warnings` are what is odd about it, and does not stop it."""

    status: str = "durable"
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
async def put_person(_: Keeper, uow: Work, staff_id: Id, body: PersonBody) -> Told:
    """Say what a person is from now on; every service hears it."""
    event = _event(StaffChanged, {"staff_id": staff_id} | body.model_dump(mode="json", exclude_defaults=True))
    known = await roster(uow.sql)
    warnings = [*_odd_person(known, event, uow.now)]
    await _say(uow, event)
    uow.audit("change_staff", f"staff/{staff_id}", seats=len(body.seats), left_on=str(body.left_on or ""))
    return Told(warnings=warnings)


@routes.put("/branches/{branch_id}", status_code=202)
async def put_branch(_: Keeper, uow: Work, branch_id: Id, body: BranchBody) -> Told:
    """Say what a branch is from now on; every service hears it."""
    event = _event(BranchChanged, {"branch_id": branch_id} | body.model_dump(mode="json", exclude_defaults=True))
    known = await roster(uow.sql)
    unknown = sorted(name for name in event.seat_deputies.values() if known.person(name, uow.now) is None)
    await _say(uow, event)
    uow.audit("change_branch", f"branch/{branch_id}", phone=body.phone, mailbox=body.mailbox)
    return Told(warnings=[f"nothing is known of the deputy {name}" for name in unknown])


@routes.get("/staff")
async def list_staff(
    _: Reader, sql: Reading, unit: Annotated[str | None, Query(max_length=64)] = None, at: datetime | None = None
) -> list[dict[str, Any]]:
    """Everybody, or who holds a seat in one unit (a branch, or HQ), as of an instant."""
    known, when = await roster(sql), _instant(at)
    people = (known.person(staff_id, when) for staff_id in sorted(known.people))
    return [
        msgspec.to_builtins(person) | {"present": known.is_present(person.staff_id, when)}
        for person in people
        if person is not None and (unit is None or any(seat.unit == unit for seat in person.seats))
    ]


@routes.get("/staff/{staff_id}")
async def read_person(_: Reader, sql: Reading, staff_id: str, at: datetime | None = None) -> dict[str, Any]:
    """One person as of an instant."""
    known, when = await roster(sql), _instant(at)
    person = known.person(staff_id, when)
    if person is None:
        raise NotFound
    found: dict[str, Any] = msgspec.to_builtins(person)
    return found | {"present": known.is_present(staff_id, when)}


@routes.get("/branches/{branch_id}")
async def read_branch(_: Reader, sql: Reading, branch_id: str, at: datetime | None = None) -> dict[str, Any]:
    """One branch as of an instant, with its seats and who acts for each."""
    known, when = await roster(sql), _instant(at)
    place = known.branch(branch_id, when)
    if place is None:
        raise NotFound
    found: dict[str, Any] = msgspec.to_builtins(place)
    return found | {"seats": [_holder(known, branch_id, seat, when) for seat in staff.COMPLAINT_GROUP]}


@routes.get("/seats/{unit}/{seat}")
async def read_seat(
    _: Reader,
    sql: Reading,
    unit: str,
    seat: str,
    at: datetime | None = None,
    avoid: Annotated[list[str] | None, Query(max_length=20)] = None,
) -> SeatHolder:
    """Who acts for a seat at an instant, past deputies and absences; `avoid`: who has a conflict of interest."""
    return _holder(await roster(sql), unit, seat, _instant(at), tuple(avoid or ()))


def _instant(at: datetime | None) -> datetime:
    if at is not None and at.tzinfo is None:
        raise Invalid(errors=(FieldError("query#/at", "needs a UTC offset"),))
    return at or utc_now()


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
        return msgspec.convert(data, kind)
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
