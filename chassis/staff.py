"""Staff and branches: who holds a seat at an instant, and who stands in for them [C5, C28].

A service that needs people adds two lines and reads a `Roster`:

    listens={..., StaffChanged: staff.keep_staff, BranchChanged: staff.keep_branches}

    roster = await staff.roster(uow.sql)                     # one query; made anew only when something has changed
    found = roster.holder("B3", "general_manager", at, avoid={complained_of})
    if found is None: ...                                    # an empty seat without a named deputy: refuse [C5]
    found.staff_id, found.path, found.for_conflict

All look-ups are pure: at any instant, past ones included, the version with the highest (ce_time, ce_id) not later than
it is in force. Facts may come late, twice and in any order.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

import asyncpg
import msgspec

from chassis.actor import CALL_CENTRE, Actor, Role
from chassis.bus.record import Record
from chassis.clock import start_of
from chassis.uow import UnitOfWork
from contracts.base import Event
from contracts.broker import BranchChanged, StaffChanged

Version = TypeVar("Version", StaffChanged, BranchChanged)
HQ = "HQ"
COMPLAINT_OFFICER, MARKETING_DIRECTOR = "complaint_officer", "marketing_director"
OPERATIONS_DIRECTOR, GENERAL_MANAGER = "operations_director", "general_manager"
COMPLAINT_GROUP = (COMPLAINT_OFFICER, MARKETING_DIRECTOR, OPERATIONS_DIRECTOR, GENERAL_MANAGER)
"""The complaint group (投诉处理组) of a branch: 投诉专员, 营销总监, 营运总监, 总经理 [C5]."""
OPERATIONS_CENTRE, RISK_CONTROL, COMPLIANCE = "operations_centre", "risk_control", "compliance"
SALES_TRADING, BROKERAGE, STRATEGY = "sales_trading", "brokerage", "strategy"
CONDUCT_RESERVE = "conduct_reserve"
"""Who judges conduct when all of compliance and risk control is concerned [C28]."""
DEPARTMENTS = (OPERATIONS_CENTRE, RISK_CONTROL, COMPLIANCE, SALES_TRADING, BROKERAGE, STRATEGY)
"""Departments of headquarters: 运营中心, 风险控制总部, 合规部, 销售交易总部, 经纪业务管理总部, 战略部."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who acts for a seat. `path` names the persons asked, the one found last; `for_conflict`: past a conflict of
    interest, so that `unit` and `seat` may be headquarters' instead of the ones asked for [C28]."""

    staff_id: str
    unit: str
    seat: str
    path: tuple[str, ...]
    for_conflict: bool = False

    @property
    def is_deputy(self) -> bool:
        """Whether they stand in for somebody."""
        return len(self.path) > 1


@dataclass(frozen=True, slots=True)
class Roster:
    """Every version of every person and branch, oldest first, as far as this service has heard."""

    people: Mapping[str, Sequence[tuple[datetime, StaffChanged]]] = field(default_factory=dict)
    places: Mapping[str, Sequence[tuple[datetime, BranchChanged]]] = field(default_factory=dict)
    _seated: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)

    def person(self, staff_id: str, at: datetime) -> StaffChanged | None:
        """A person as they were at an instant; None before anything was said of them."""
        return _in_force(self.people.get(staff_id, ()), at)

    def branch(self, branch_id: str, at: datetime) -> BranchChanged | None:
        """A branch as it was at an instant."""
        return _in_force(self.places.get(branch_id, ()), at)

    def is_present(self, staff_id: str, at: datetime) -> bool:
        """Whether a person is known, has not left and is not away."""
        person = self.person(staff_id, at)
        return person is not None and _works(person, at) and not _away(person, at)

    def seated(self, unit: str, seat: str, at: datetime) -> list[str]:
        """Who holds a seat at an instant, away or not, sorted; leavers hold none."""
        return [
            staff_id
            for staff_id in self._seated.get((unit, seat), ())
            if (person := self.person(staff_id, at)) is not None
            and _works(person, at)
            and _holds(person, unit, seat, at)
        ]

    def present(self, unit: str, seat: str, at: datetime) -> list[str]:
        """Who holds a seat and is there: the agents of the call centre, say."""
        return [staff_id for staff_id in self.seated(unit, seat, at) if self.is_present(staff_id, at)]

    def seats_of(self, staff_id: str, at: datetime) -> list[tuple[str, str]]:
        """The (unit, seat) a person holds at an instant."""
        person = self.person(staff_id, at)
        if person is None or not _works(person, at):
            return []
        return sorted({(s.unit, s.seat) for s in person.seats if _holds(person, s.unit, s.seat, at)})

    def person_of(self, name: str, at: datetime) -> str | None:
        """The staff id behind a name: itself, or of whoever signs in by it (`user:NAME` and `oidc:NAME` are NAME too)."""
        kind, _, bare = name.partition(":")
        own = bare if kind in ("user", "oidc") else name
        if self.person(own, at) is not None:
            return own
        for staff_id in self.people:
            person = self.person(staff_id, at)
            if person is not None and person.user is not None and person.user in (name, own, f"user:{name}"):
                return staff_id
        return None

    def has_left(self, staff_id: str, at: datetime) -> bool:
        """Whether a person is known, and no longer works here."""
        person = self.person(staff_id, at)
        return person is not None and not _works(person, at)

    def acts_in(self, staff_id: str, at: datetime) -> set[tuple[str, str]]:
        """The (unit, seat) a person acts in: their own, and those they stand in for at the moment."""
        if self.person(staff_id, at) is None:
            return set()
        named = {(unit, seat) for unit in self.places if (b := self.branch(unit, at)) for seat in b.seat_deputies}
        found = (
            (unit, seat)
            for unit, seat in {*self._seated, *named}
            if (holder := self.holder(unit, seat, at)) is not None and holder.staff_id == staff_id
        )
        return {*self.seats_of(staff_id, at), *found}

    def resolve(self, actor: Actor, at: datetime) -> Actor:
        """A caller as the person they are, with their seats and branch as the roster knows them.

        Whom it does not know stays as they came; an agent of headquarters nobody has entered sits in the call centre.
        """
        if actor.role in (Role.CLIENT, Role.SYSTEM):
            return actor
        staff_id = self.person_of(actor.subject, at) or self.person_of(actor.person, at)
        if staff_id is None:
            centre = actor.role is Role.AGENT and actor.branch_id == HQ
            return replace(actor, seats=frozenset({(HQ, CALL_CENTRE)})) if centre else actor
        person = self.person(staff_id, at)
        branch_id = (person.branch_id if person is not None else None) or actor.branch_id
        return replace(actor, person=staff_id, branch_id=branch_id, seats=frozenset(self.acts_in(staff_id, at)))

    def stands_in_for(self, staff_id: str, unit: str, seat: str, at: datetime) -> bool:
        """Whether a person acts for a seat now: as its holder, or as the one found for it."""
        found = self.holder(unit, seat, at)
        return staff_id in self.present(unit, seat, at) or (found is not None and found.staff_id == staff_id)

    def holder(
        self,
        unit: str,
        seat: str,
        at: datetime,
        *,
        avoid: Collection[str] = (),
        headquarters: str = OPERATIONS_CENTRE,
    ) -> Holder | None:
        """Who acts for a seat: its holder, else their deputies in order, else the branch's named deputy for the seat.

        Leavers and the absent are passed over, and so are those in `avoid` (a conflict of interest); when only such a
        conflict is in the way the seat passes to headquarters [C28]. Deputies who name each other in a circle are asked
        once each. None: an empty seat, which cannot receive an order [C5].
        """
        asked: dict[str, None] = {}
        conflict = False
        for staff_id in self._line(unit, seat, at, asked):
            if staff_id in avoid:
                conflict = True
            elif self.is_present(staff_id, at):
                return Holder(staff_id, unit, seat, tuple(asked), conflict)
        if conflict and unit != HQ:
            found = self.holder(HQ, headquarters, at, avoid=avoid)
            if found is not None:
                return Holder(found.staff_id, HQ, headquarters, (*asked, *found.path), for_conflict=True)
        return None

    def _line(self, unit: str, seat: str, at: datetime, asked: dict[str, None]) -> Iterator[str]:
        """Everybody who may act for a seat, in order: each holder with their deputies, then the branch's own deputy."""
        holders = [
            staff_id
            for staff_id in self._seated.get((unit, seat), ())
            if (person := self.person(staff_id, at)) is not None and _holds(person, unit, seat, at)
        ]
        # Holders who are there come before the deputies of those who are away.
        for staff_id in holders:
            if self.is_present(staff_id, at) and staff_id not in asked:
                asked[staff_id] = None
                yield staff_id
        for staff_id in holders:
            yield from self._with_deputies(staff_id, at, asked)
        place = self.branch(unit, at)
        named = place.seat_deputies.get(seat) if place is not None else None
        if named is not None:
            yield from self._with_deputies(named, at, asked)

    def _with_deputies(self, staff_id: str, at: datetime, asked: dict[str, None]) -> Iterator[str]:
        waiting = [staff_id]
        while waiting:
            current = waiting.pop(0)
            person = self.person(current, at)
            if current not in asked:
                asked[current] = None
                yield current
            elif current != staff_id:
                continue
            waiting += [deputy for deputy in (person.deputies if person else ()) if deputy not in asked]

    def deputy_loops(self, at: datetime) -> list[tuple[str, ...]]:
        """Circles among the deputies named at an instant: each is shown to whoever maintains the staff."""
        found: set[tuple[str, ...]] = set()
        for staff_id in self.people:
            path = [staff_id]
            while (person := self.person(path[-1], at)) is not None and person.deputies:
                following = person.deputies[0]
                if following in path:
                    circle = path[path.index(following) :]
                    first = circle.index(min(circle))
                    found.add((*circle[first:], *circle[:first]))
                    break
                path.append(following)
        return sorted(found)


def _in_force(versions: Sequence[tuple[datetime, Version]], at: datetime) -> Version | None:
    return next((version for since, version in reversed(versions) if since <= at), None)


def _works(person: StaffChanged, at: datetime) -> bool:
    return person.left_on is None or at < start_of(person.left_on)


def _away(person: StaffChanged, at: datetime) -> bool:
    return any(a.since <= at and (a.until is None or at < a.until) for a in person.absences)


def _holds(person: StaffChanged, unit: str, seat: str, at: datetime) -> bool:
    return any(
        (one.unit, one.seat) == (unit, seat)
        and (one.since is None or one.since <= at)
        and (one.until is None or at < one.until)
        for one in person.seats
    )


async def keep_staff(events: Sequence[StaffChanged], uow: UnitOfWork) -> None:
    """Keep what was said of people; the handler of `broker.staff.changed`."""
    await _keep(uow, "staff_versions", [e.staff_id for e in events], events, uow.records(StaffChanged))


async def keep_branches(events: Sequence[BranchChanged], uow: UnitOfWork) -> None:
    """Keep what was said of branches; the handler of `broker.branch.changed`."""
    await _keep(uow, "branch_versions", [e.branch_id for e in events], events, uow.records(BranchChanged))


async def _keep(
    uow: UnitOfWork, table: str, ids: Sequence[str], events: Sequence[Event], records: Sequence[Record]
) -> None:
    await uow.sql.execute(
        f"""INSERT INTO {table} (id, since, event_id, body)
            SELECT id, since, event_id, body::jsonb
            FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[]) AS v(id, since, event_id, body)
            ORDER BY id, since, event_id ON CONFLICT DO NOTHING""",
        list(ids),
        [record.time for record in records],
        [record.id for record in records],
        [msgspec.json.encode(event).decode() for event in events],
    )


_read: dict[tuple[Any, ...], tuple[tuple[int, ...], Roster]] = {}


async def roster(sql: asyncpg.Connection) -> Roster:
    """What is known now, in the transaction's eyes; made anew only when something was added."""
    row = await sql.fetchrow(
        """SELECT pg_postmaster_start_time(), d.oid, current_schema()::text, s.*, b.*
           FROM pg_database d, (SELECT count(*), coalesce(max(n), 0) FROM staff_versions) AS s,
                (SELECT count(*), coalesce(max(n), 0) FROM branch_versions) AS b
           WHERE d.datname = current_database()"""
    )
    assert row is not None
    place, seen = (row[0], row[1], row[2]), (row[3], row[4], row[5], row[6])
    known = _read.get(place)
    if known is None or known[0] != seen:
        people = await sql.fetch("SELECT since, body FROM staff_versions ORDER BY id, since, event_id")
        places = await sql.fetch("SELECT since, body FROM branch_versions ORDER BY id, since, event_id")
        known = _read[place] = (
            seen,
            roster_of(
                [(since, msgspec.convert(body, StaffChanged)) for since, body in people],
                [(since, msgspec.convert(body, BranchChanged)) for since, body in places],
            ),
        )
    return known[1]


def roster_of(
    people: Sequence[tuple[datetime, StaffChanged]], places: Sequence[tuple[datetime, BranchChanged]] = ()
) -> Roster:
    """A roster from versions with the times they hold from, in order of (time, event id) for each person."""
    of_people: defaultdict[str, list[tuple[datetime, StaffChanged]]] = defaultdict(list)
    of_places: defaultdict[str, list[tuple[datetime, BranchChanged]]] = defaultdict(list)
    seated: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for since, person in people:
        of_people[person.staff_id].append((since, person))
        for seat in person.seats:
            seated[seat.unit, seat.seat].add(person.staff_id)
    for since, place in places:
        of_places[place.branch_id].append((since, place))
    return Roster(of_people, of_places, {name: sorted(ids) for name, ids in seated.items()})
