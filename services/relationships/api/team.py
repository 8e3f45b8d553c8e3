"""Owners and teams over HTTP: who looks after a client, naming people, a manager's clients [RE1, CI7]."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel

from chassis.actor import Actor, Role
from chassis.clock import end_of
from chassis.errors import NotFound
from chassis.http import Once, Reading, Work, object_scope, permits, router
from chassis.http.approvals import ApprovalView, view
from chassis.http.language import Language
from chassis.timeline import effective_now, today
from contracts.classification import TIERS
from contracts.fields import BusinessDate, Code, Identifier, Instant, text_of
from services.relationships import acting, assignments
from services.relationships.api.information import ByPeople, Percent
from services.relationships.api.shapes import STAFF, Body, see_client
from services.relationships.information import score_all
from services.relationships.ownership import Stretch, lasting
from services.relationships.policy import Policies
from services.relationships.rules import SetCode

routes = router("/v1/relationships", "relationships")
Reader = Annotated[Actor, permits("relationships.team:read", Role.CLIENT, *STAFF, Role.SYSTEM)]
Staff = Annotated[Actor, permits("relationships.team:figures", *STAFF)]
Namer = Annotated[Actor, permits("relationships.team:name", Role.BRANCH_MANAGER, Role.HQ)]
AnyRole = Literal["primary", "pool_lead", "secondary", "adviser"]
MOST_CLIENTS = 2_000


class AssignmentView(BaseModel):
    """Who has a role from an instant on, until another."""

    role: AnyRole
    person: str
    since: datetime
    until: datetime | None
    reason: str
    run: str | None


class Team(BaseModel):
    """Who looks after a client at an instant: one owner, and the others."""

    client_id: str
    at: datetime
    owner: AssignmentView
    others: list[AssignmentView]


class NewManager(Body):
    """Who is to be the client's manager, and why."""

    person: Identifier
    reason: Annotated[str, text_of(400, 2)]


class NewMember(NewManager):
    """Who is taken into the team, or out of it (`begins` false)."""

    role: Literal["secondary", "adviser"]
    begins: bool = True


class OwnedClient(BaseModel):
    """A client of a manager, with what is missing of what should be known [CI7]."""

    client_id: str
    role: AnyRole
    since: datetime
    set: SetCode
    core: bool
    tier: Code
    whole: Percent
    entered: ByPeople


class OwnerFigures(BaseModel):
    """How many clients of a branch have a manager, belong to its pool, have no owner (always 0), and to how many people."""

    branch_id: str | None
    clients: int
    managed: int
    pooled: int
    without: int
    managers: int


class OwnerProposal(BaseModel):
    """Whom the account system names for a client who belongs to somebody else: in mode `careline` it is a proposal [RE1]."""

    client_id: str
    branch_id: str | None
    person: str
    owner: str
    since: datetime


@routes.get("/clients/{client_id}/team")
async def read_team(
    actor: Reader,
    sql: Reading,
    client_id: Identifier,
    as_of: BusinessDate | None = None,
    known_at: Instant | None = None,
) -> Team:
    """Who looks after a client: now, or at the end of a day; with `known_at` by what was recorded by then."""
    await see_client(sql, actor, client_id)
    at = await effective_now(sql) if as_of is None else end_of(as_of) - timedelta(microseconds=1)
    known = await assignments.projections(sql, [client_id], await Policies.read(sql), known_at) if known_at else {}
    stored = known if known_at else await assignments.stored(sql, [client_id])
    found = lasting(stored[client_id].all, at) if client_id in stored else []
    owner = next((one for one in found if one.role in ("primary", "pool_lead")), None)
    if owner is None:
        raise NotFound  # not opened yet on that day
    others = [shown(one) for one in found if one is not owner]
    return Team(client_id=client_id, at=at, owner=shown(owner), others=others)


@routes.get("/clients/{client_id}/assignments")
async def list_assignments(actor: Reader, sql: Reading, client_id: Identifier) -> list[AssignmentView]:
    """Everybody who has looked after a client, as they began."""
    await see_client(sql, actor, client_id)
    return [shown(one) for one in (await assignments.stored(sql, [client_id]))[client_id].all]


@routes.post("/clients/{client_id}/manager", status_code=202)
async def name_manager(
    actor: Namer, uow: Work, _: Once, client_id: Identifier, body: NewManager, accept_language: Language = ""
) -> ApprovalView:
    """Ask for another client manager: a second person decides."""
    branch_id = await see_client(uow.sql, actor, client_id)
    asked = await acting.ask_manager(uow, client_id, branch_id, body.person, body.reason)
    return view("relationships", acting.NAMED, asked, accept_language)


@routes.post("/clients/{client_id}/team", status_code=201)
async def change_team(actor: Namer, uow: Work, _: Once, client_id: Identifier, body: NewMember) -> Team:
    """Take a secondary or an adviser into the team, or out of it."""
    await see_client(uow.sql, actor, client_id)
    await acting.change_team(uow, client_id, body.role, body.person, body.begins, body.reason)
    return await read_team(actor, uow.sql, client_id, None, None)


@routes.get("/managers/{person}/clients")
async def list_clients_of_manager(actor: Staff, sql: Reading, person: Identifier) -> list[OwnedClient]:
    """A manager's clients (2,000 at most): core first, then by tier, then by what is missing [CI7]. Managers read their own."""
    if actor.role is Role.CLIENT_MANAGER and actor.person != person:
        raise NotFound
    scope, arguments = object_scope(actor, 4)
    rows = await sql.fetch(
        f"""SELECT o.client_id, o.role, o.since FROM owners o JOIN clients c USING (client_id)
            WHERE o.person = $1 AND o.since <= $2 AND (o.until IS NULL OR o.until > $2)
              AND {scope.replace("branch_id", "c.branch_id")} ORDER BY o.client_id LIMIT $3""",
        person, await effective_now(sql), MOST_CLIENTS, *arguments,
    )  # fmt: skip
    owned = {row["client_id"]: row for row in rows}
    day = await today(sql)
    scored = await score_all(sql, list(owned), day, (await Policies.read(sql)).information.on(day))
    found = [OwnedClient(**dict(owned[row["client_id"]]), **_scored(dict(row))) for row in scored]
    return sorted(found, key=lambda one: (not one.core, -TIERS.index(one.tier), one.entered, one.client_id))


def _scored(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("core", "tier", "whole", "entered")} | {"set": row["of"]}


@routes.get("/owners")
async def count_owners(actor: Staff, sql: Reading, as_of: BusinessDate | None = None) -> list[OwnerFigures]:
    """By branch: clients with a manager, in the pool, and without an owner, which nobody is [A1]."""
    day: date = as_of or await today(sql)
    scope, arguments = object_scope(actor, 2)
    rows = await sql.fetch(
        f"""SELECT branch_id, count(*) AS clients, count(*) FILTER (WHERE o.role = 'primary') AS managed,
                   count(*) FILTER (WHERE o.role = 'pool_lead') AS pooled, count(*) FILTER (WHERE o.role IS NULL) AS without,
                   count(DISTINCT o.person) FILTER (WHERE o.role = 'primary') AS managers
            FROM clients c LEFT JOIN LATERAL (
                SELECT o.role, o.person FROM owners o WHERE o.client_id = c.client_id
                  AND o.since < ($1::date + 1)::timestamp AT TIME ZONE 'Asia/Shanghai'
                ORDER BY o.since DESC LIMIT 1) o ON true
            WHERE c.opened_on <= $1 AND (c.closed_on IS NULL OR c.closed_on > $1) AND {scope}
            GROUP BY branch_id ORDER BY branch_id""",
        day,
        *arguments,
    )
    return [OwnerFigures.model_validate(dict(row)) for row in rows]


@routes.get("/owners/proposals")
async def list_owner_proposals(actor: Staff, sql: Reading) -> list[OwnerProposal]:
    """Managers the account system names and who are not the owner (2,000 at most): none where its word decides [RE1]. Who left, or was
    named before the present owner was, is no proposal; one is taken up by naming them."""
    now = await effective_now(sql)
    if (await Policies.read(sql)).owners.on(await today(sql)).body.mode != "careline":
        return []
    found = await assignments.proposals(sql, now, *object_scope(actor, 3), MOST_CLIENTS)
    return [OwnerProposal.model_validate(msgspec.structs.asdict(one)) for one in found]


def shown(one: Stretch) -> AssignmentView:
    """A stretch as it is shown."""
    return AssignmentView(
        role=one.role,
        person=one.person, since=one.since, until=one.until, reason=one.reason, run=one.run,
    )  # fmt: skip
