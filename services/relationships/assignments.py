"""Owners and teams of clients: facts as they were said, the stretches that follow, what is told [RE1].

Owners tile the time of every client from the opening on. The table holds it: of a client's stretches none begins where
another does, none ends where another does, and each end is another's beginning, so that they are one chain up to the one
that lasts; the opening and the chain's first are checked at commit.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import asyncpg
import msgspec

from chassis import staff
from chassis.clock import business_date, start_of
from chassis.rows import Row, columns, fetch, lists
from chassis.staff import HQ, Roster
from chassis.uow import UnitOfWork
from contracts.broker import BranchChanged, Profile, StaffChanged
from contracts.relationships import AssignmentChanged, AssignmentStretch
from services.relationships import ownership
from services.relationships.leads import Pools, left
from services.relationships.ownership import BROKER, PRIMARY, Fact, Stretch
from services.relationships.policy import Policies
from services.relationships.tables import CLIENTS, AssignmentFact, Owner, TeamMember

CLIENTS_AT_ONCE = 5_000
_NAMES = UUID("0c1b6f0a-6c0e-5c39-9f0e-2f0a3f1d7a44")


@dataclass(frozen=True, slots=True)
class Projection:
    """A client's stretches, of the owners and of the team."""

    owners: Sequence[Stretch]
    team: Sequence[Stretch]

    @property
    def all(self) -> list[Stretch]:
        """Owners and team, as they begin."""
        return sorted((*self.owners, *self.team), key=lambda one: (one.since, one.role, one.person))


async def keep_words(
    uow: UnitOfWork, events: Sequence[Profile], said: Sequence[tuple[datetime, str, datetime]]
) -> None:
    """The broker's managers as facts; `said`: ce_time, ce_id and from when on, of each event."""
    await keep(
        uow,
        [
            AssignmentFact(
                client_id=event.client_id, fact_id=fact_id, role=PRIMARY, person=event.manager_id, since=since,
                said_at=at, begins=True, reason=BROKER, run=None, said_by="broker", recorded_at=uow.now,
            )
            for event, (at, fact_id, since) in zip(events, said, strict=True)
            if event.manager_id is not None
        ],
    )  # fmt: skip


async def keep(uow: UnitOfWork, facts: Sequence[AssignmentFact]) -> None:
    """Keep facts; one known already is left as it is."""
    if facts:
        await uow.sql.execute(
            f"""INSERT INTO assignment_facts ({columns(AssignmentFact)})
                SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[],
                                     $7::bool[], $8::text[], $9::text[], $10::text[], $11::timestamptz[])
                ON CONFLICT DO NOTHING""",
            *lists(facts),
        )


async def project(uow: UnitOfWork, clients: Iterable[str]) -> int:
    """Work out anew who owns these clients; where that differs from what was told, write and tell it. Returns of how many."""
    ordered, changed = sorted(set(clients)), 0
    for first in range(0, len(ordered), CLIENTS_AT_ONCE):
        changed += await _project(uow, ordered[first : first + CLIENTS_AT_ONCE])
    return changed


async def _project(uow: UnitOfWork, clients: Sequence[str]) -> int:
    await uow.sql.fetch("SELECT FROM clients WHERE client_id = ANY($1::text[]) ORDER BY client_id FOR UPDATE", clients)
    policies = await uow.policies(Policies)
    after = await projections(uow.sql, clients, policies)
    before = await stored(uow.sql, clients)
    moved = {
        client_id: since
        for client_id, one in after.items()
        if (since := ownership.difference(before[client_id].all, one.all)) is not None
    }
    if moved:
        await _write(uow, {client_id: after[client_id] for client_id in moved})
        await _tell(uow, {client_id: (since, after[client_id]) for client_id, since in moved.items()})
    return len(moved)


async def projections(
    sql: asyncpg.Connection, clients: Sequence[str], policies: Policies, known_at: datetime | None = None
) -> dict[str, Projection]:
    """The stretches of opened clients as their facts say, those recorded by an instant where one is given."""
    roster = await staff.roster(sql)
    gone, pools = left(roster), Pools(roster, policies.owners)
    facts: defaultdict[str, list[AssignmentFact]] = defaultdict(list)
    for fact in await fetch(
        sql,
        AssignmentFact,
        f"""SELECT {columns(AssignmentFact)} FROM assignment_facts
            WHERE client_id = ANY($1::text[]) AND ($2::timestamptz IS NULL OR recorded_at <= $2)""",
        clients,
        known_at,
    ):
        facts[fact.client_id].append(fact)
    found = {}
    for row in await sql.fetch(
        """SELECT client_id, branch_id, opened_on, stamps, earlier FROM clients
           WHERE client_id = ANY($1::text[]) AND opened_on IS NOT NULL""",
        clients,
    ):
        own, opened = facts[row["client_id"]], start_of(row["opened_on"])
        leads = pools.over(_branches(dict(row)))
        counted = [_fact(one) for one in own if counts(one, policies)]
        found[row["client_id"]] = Projection(
            ownership.owners(opened, counted, leads, gone), ownership.team(counted, gone)
        )
    return found


def counts(fact: AssignmentFact, policies: Policies) -> bool:
    """Whether a fact names an owner by itself: the broker's does where the account system says who owns whom."""
    return fact.reason != BROKER or policies.owners.on(business_date(fact.since)).body.mode == "account_system"


def _fact(one: AssignmentFact) -> Fact:
    return Fact(one.since, one.said_at, one.fact_id, one.role, one.person, one.begins, one.reason, one.run)


def _branches(row: Mapping[str, Any]) -> list[tuple[datetime, str | None]]:
    """The client's branches over time; the first speaks for all time before."""
    intervals = CLIENTS.intervals_of(row)
    if not intervals:
        return [(start_of(row["opened_on"]), None)]
    begins = [max(since, row["opened_on"]) if n else row["opened_on"] for n, (since, _) in enumerate(intervals)]
    found: list[tuple[datetime, str | None]] = []
    for since, (_, values) in zip(begins, intervals, strict=True):
        place = (start_of(since), values["branch_id"])
        if found and found[-1][0] == place[0]:
            found.pop()
        found.append(place)
    return found


async def stored(sql: asyncpg.Connection, clients: Sequence[str]) -> dict[str, Projection]:
    """The stretches that were written and told."""
    owners: defaultdict[str, list[Stretch]] = defaultdict(list)
    team: defaultdict[str, list[Stretch]] = defaultdict(list)
    for owner in await fetch(
        sql,
        Owner,
        f"SELECT {columns(Owner)} FROM owners WHERE client_id = ANY($1::text[]) ORDER BY client_id, since",
        clients,
    ):
        owners[owner.client_id].append(
            Stretch(owner.since, owner.until, owner.role, owner.person, owner.reason, owner.run)
        )
    for one in await fetch(
        sql,
        TeamMember,
        f"SELECT {columns(TeamMember)} FROM team_members WHERE client_id = ANY($1::text[]) ORDER BY client_id, since",
        clients,
    ):
        team[one.client_id].append(Stretch(one.since, one.until, one.role, one.person, one.reason, one.run))
    return {client_id: Projection(owners[client_id], team[client_id]) for client_id in clients}


async def _write(uow: UnitOfWork, projected: Mapping[str, Projection]) -> None:
    await uow.sql.execute("DELETE FROM owners WHERE client_id = ANY($1::text[])", list(projected))
    await uow.sql.execute("DELETE FROM team_members WHERE client_id = ANY($1::text[])", list(projected))
    for table, row, of in (("owners", Owner, "owners"), ("team_members", TeamMember, "team")):
        await uow.sql.copy_records_to_table(
            table,
            records=[
                (client_id, one.since, one.until, one.role, one.person, one.reason, one.run)
                for client_id, projection in projected.items()
                for one in getattr(projection, of)
            ],
            columns=row.__struct_fields__,
        )


async def _tell(uow: UnitOfWork, moved: Mapping[str, tuple[datetime, Projection]]) -> None:
    rows = await uow.sql.fetch(
        """UPDATE clients SET assignment_revision = assignment_revision + 1 WHERE client_id = ANY($1::text[])
           RETURNING client_id, assignment_revision""",
        list(moved),
    )
    for client_id, revision in sorted((row["client_id"], row["assignment_revision"]) for row in rows):
        since, projection = moved[client_id]
        changed_from = business_date(since)
        begin = start_of(changed_from)
        stretches = [_told(one) for one in projection.all if one.until is None or one.until > begin]
        uow.emit(
            AssignmentChanged(client_id=client_id, revision=revision, changed_from=changed_from, stretches=stretches)
        )
        uow.seal(
            "assignment_changes",
            client_id,
            {
                "client_id": client_id, "revision": revision, "changed_from": changed_from,
                "stretches": [msgspec.to_builtins(one) for one in stretches], "recorded_at": uow.now,
            },
        )  # fmt: skip


def _told(one: Stretch) -> AssignmentStretch:
    return AssignmentStretch(
        since=one.since, until=one.until, person=one.person, role=one.role, reason=one.reason, run=one.run,  # type: ignore[arg-type]
    )  # fmt: skip


async def keep_people(events: Sequence[StaffChanged], uow: UnitOfWork) -> None:
    """Keep what was said of people: leavers' clients go to the lead of the pool from their first day away [A9]."""
    await staff.keep_staff(events, uow)
    persons = sorted({event.staff_id for event in events})
    roster = await staff.roster(uow.sql)
    units = {seat.unit for person in persons for _, one in roster.people.get(person, ()) for seat in one.seats}
    await project(uow, await _touched(uow.sql, persons, units))


async def keep_places(events: Sequence[BranchChanged], uow: UnitOfWork) -> None:
    """Keep what was said of branches: who stands in for an empty seat may lead its pool."""
    await staff.keep_branches(events, uow)
    await project(uow, await _touched(uow.sql, [], {event.branch_id for event in events}))


async def _touched(sql: asyncpg.Connection, persons: Sequence[str], units: Iterable[str]) -> list[str]:
    """The clients whose owners or team may follow from these persons, or from these units' seats."""
    names = set(units)
    rows = await sql.fetch(
        """SELECT client_id FROM assignment_facts WHERE person = ANY($1::text[])
           UNION SELECT client_id FROM owners WHERE person = ANY($1::text[])
           UNION SELECT o.client_id FROM owners o JOIN clients c USING (client_id)
                 LEFT JOIN client_intervals i USING (client_id)
                 WHERE o.role = 'pool_lead' AND ($3 OR c.branch_id = ANY($2::text[]) OR i.branch_id = ANY($2::text[]))""",
        list(persons),
        sorted(names - {HQ}),
        HQ in names,
    )
    return [row["client_id"] for row in rows]


def fact_id(*parts: str) -> str:
    """The id of a fact that follows from others: the same whoever works it out."""
    return str(uuid5(_NAMES, "\n".join(parts)))


async def in_force(sql: asyncpg.Connection, client_id: str, at: datetime) -> list[Stretch]:
    """Owner and team at an instant, as stored."""
    return ownership.lasting((await stored(sql, [client_id]))[client_id].all, at)


class Proposal(Row, frozen=True):
    """Whom the broker named last for a client who belongs to somebody else."""

    client_id: str
    branch_id: str | None
    person: str
    owner: str
    since: datetime


async def proposals(
    sql: asyncpg.Connection, at: datetime, scope: str, arguments: Sequence[str], limit: int
) -> list[Proposal]:
    """The broker's last word on each client whose owner is another, unless the owner was named after it, or who was named has left."""
    found = await fetch(
        sql,
        Proposal,
        f"""SELECT c.client_id, c.branch_id, f.person, o.person, f.since
            FROM clients c JOIN owners o ON o.client_id = c.client_id AND o.until IS NULL
            JOIN LATERAL (SELECT f.person, f.since FROM assignment_facts f
                          WHERE f.client_id = c.client_id AND f.reason = '{BROKER}' AND f.since <= $1
                          ORDER BY f.since DESC, f.said_at DESC, f.fact_id DESC LIMIT 1) f ON f.person <> o.person
            WHERE (o.role <> '{PRIMARY}' OR f.since > o.since) AND c.closed_on IS NULL
              AND {scope.replace("branch_id", "c.branch_id")} ORDER BY c.client_id LIMIT $2""",
        at,
        limit,
        *arguments,
    )
    roster = await staff.roster(sql)
    return [one for one in found if not roster.has_left(one.person, at)]


async def is_theirs(sql: asyncpg.Connection, client_id: str, person: str, at: datetime) -> bool:
    """Whether somebody owns a client, or is in their team, at an instant: what access follows."""
    return bool(
        await sql.fetchval(
            """SELECT EXISTS (SELECT FROM owners WHERE client_id = $1 AND person = $2 AND since <= $3
                              AND (until IS NULL OR until > $3))
                   OR EXISTS (SELECT FROM team_members WHERE client_id = $1 AND person = $2 AND since <= $3
                              AND (until IS NULL OR until > $3))""",
            client_id,
            person,
            at,
        )
    )


def works_here(roster: Roster, person: str, at: datetime) -> bool:
    """Whether somebody works here at an instant."""
    return roster.person(person, at) is not None and not roster.has_left(person, at)
