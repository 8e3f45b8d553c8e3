"""HTTP in: membership of the club. Members and staff look; invitations, answers and ends are acts of one table [H1, H2.1]."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import Query, Response
from pydantic import BaseModel, Field

from chassis import rows
from chassis.actor import Actor, Role
from chassis.acts import ActView, HistoryStep, history, load, perform, possible
from chassis.http import IfMatch, Listing, Located, Once, Page, Reading, Work, etag, object_scope, permits, router
from chassis.timeline import effective_now, today
from chassis.uow import UnitOfWork
from contracts.fields import Code, Id, Identifier, Text500
from contracts.products import ClubState
from services.products import clients, club, club_rules
from services.products.api.shapes import Both, Reader
from services.products.club import ACTS, Answer, SocialRole, Why
from services.products.policy import Policies
from services.products.tables import MembershipRow

routes = router("/v1/products", "products")
STAFF = (Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)
Member = Annotated[Actor, permits("products:club", Role.CLIENT, *STAFF)]
Host = Annotated[Actor, permits("products:club:members", *STAFF)]
Inviter = Annotated[Actor, permits("products:club:invite", Role.CLIENT_MANAGER, Role.BRANCH_MANAGER, Role.HQ)]
Excluder = Annotated[Actor, permits("products:club:exclude", Role.HQ, Role.COMPLIANCE)]


class MembershipView(BaseModel):
    """A membership; `until` is the first day after an invitation, a grace, a prospect's months."""

    membership_id: UUID
    client_id: str
    branch_id: str | None
    state: ClubState = Field(description="where it stands", examples=["member"])
    basis: str = Field(description="eligible, or prospect: invited by two persons", examples=["eligible"])
    social_role: str | None
    invited_on: date
    since: date
    until: date | None
    ended_by: str | None
    made_at: datetime
    revision: int


class MembershipPage(MembershipView):
    """One, with what the caller can do to it, and how it came about; `approval_id` where a second person decides."""

    acts: list[ActView]
    history: list[HistoryStep]
    approval_id: UUID | None = None


class ClubOf(BaseModel):
    """A client and the club: eligible or not, and why; the membership that is open, else the last."""

    client_id: str
    as_of: date
    eligible: bool
    why: Both
    membership: MembershipView | None


class Invitation(BaseModel, extra="forbid"):
    """Why the client is invited; the social role, where it is known."""

    reason: Text500
    social_role: Code | None = None


class Invited(BaseModel):
    """An invitation, or what waits for a second person."""

    client_id: str
    membership_id: UUID | None = None
    approval_id: UUID | None = None


def _view(row: MembershipRow) -> MembershipView:
    return MembershipView.model_validate(msgspec.structs.asdict(row))


@routes.get("/clients/{client_id}/club")
async def read_club_of_client(actor: Reader, sql: Reading, client_id: Identifier) -> ClubOf:
    """Whether a client is eligible for the club today and why, and the membership [H1]."""
    client, day = await clients.seen(actor, sql, client_id), await today(sql)
    rules = (await Policies.read(sql)).club.on(day).body
    standing = await club.standing_of(sql, client, day)
    row = await club.membership_of(sql, client_id)
    return ClubOf(
        client_id=client_id, as_of=day, eligible=club_rules.is_eligible(standing, rules),
        why=Both.of(club_rules.why(standing, rules)), membership=_view(row) if row else None,
    )  # fmt: skip


@routes.post("/clients/{client_id}/club/invitations", status_code=202)
async def invite_to_club(
    actor: Inviter, uow: Work, _once: Once, client_id: Identifier, wanted: Invitation, response: Located
) -> Invited:
    """Invite a client. Who is not eligible is a prospect: another person has to agree, and it ends after some months [H1]."""
    client = await clients.seen(actor, uow.sql, client_id)
    made = await club.ask(uow, client, wanted.social_role, wanted.reason)
    if isinstance(made, MembershipRow):
        response.headers["location"] = f"/v1/products/club/memberships/{made.membership_id}"
        return Invited(client_id=client_id, membership_id=made.membership_id)
    response.headers["location"] = f"/v1/products/approvals/{made.approval_id}"
    return Invited(client_id=client_id, approval_id=made.approval_id)


@routes.get("/club/members")
async def list_members(
    actor: Host, sql: Reading, page: Page, state: Annotated[ClubState | None, Query(description="in this state")] = None
) -> Listing[MembershipView]:
    """Memberships that have not lapsed, or those of a state; of a branch its own. By client."""
    after = page.after or ["", "00000000-0000-0000-0000-000000000000"]
    condition, arguments = object_scope(actor, 5)
    found = await rows.fetch(
        sql,
        MembershipRow,
        f"""SELECT {rows.columns(MembershipRow)} FROM club_memberships
            WHERE (client_id, membership_id) > ($1, $2::uuid) AND (state = $3 OR $3::text IS NULL AND state <> 'lapsed')
              AND {condition} ORDER BY client_id, membership_id LIMIT $4""",
        after[0],
        UUID(after[1]),
        state,
        page.limit + 1,
        *arguments,
    )
    result = page.result(found, lambda row: (row.client_id, str(row.membership_id)))
    return Listing[MembershipView](items=[_view(one) for one in result["items"]], next=result["next"])


@routes.get("/club/memberships/{membership_id}")
async def read_membership(actor: Member, sql: Reading, membership_id: Id, response: Response) -> MembershipPage:
    """One membership, and how it came about."""
    row = await load(sql, ACTS, actor, membership_id)
    response.headers["etag"] = etag(row.revision)
    return MembershipPage(
        **_view(row).model_dump(),
        acts=await possible(sql, ACTS, actor, row),
        history=await history(sql, ACTS, actor, row),
    )


@routes.post("/club/memberships/{membership_id}/accept")
async def accept_invitation(
    actor: Member, uow: Work, membership_id: Id, body: Answer, response: Response
) -> MembershipPage:
    """Accept the invitation: a member from today on."""
    return await _move(actor, uow, "accept", membership_id, body, response)


@routes.post("/club/memberships/{membership_id}/decline")
async def decline_invitation(
    actor: Member, uow: Work, membership_id: Id, body: Answer, response: Response
) -> MembershipPage:
    """Decline it: nobody asks again for a while."""
    return await _move(actor, uow, "decline", membership_id, body, response)


@routes.post("/club/memberships/{membership_id}/leave")
async def leave_club(actor: Member, uow: Work, membership_id: Id, body: Why, response: Response) -> MembershipPage:
    """Leave the club."""
    return await _move(actor, uow, "leave", membership_id, body, response)


@routes.post("/club/memberships/{membership_id}/set_role")
async def set_social_role(
    actor: Host, uow: Work, membership_id: Id, body: SocialRole, _match: IfMatch, response: Response
) -> MembershipPage:
    """Enter the member's social role (社会角色): events are for some of them."""
    return await _move(actor, uow, "set_role", membership_id, body, response)


@routes.post("/club/memberships/{membership_id}/exclude", status_code=202)
async def exclude_member(
    actor: Excluder, uow: Work, membership_id: Id, body: Why, response: Response
) -> MembershipPage:
    """Ask for an exclusion: it counts when another person agrees."""
    return await _move(actor, uow, "exclude", membership_id, body, response)


async def _move(
    actor: Actor, uow: UnitOfWork, act: str, membership_id: UUID, body: BaseModel, response: Response
) -> MembershipPage:
    known = await load(uow.sql, ACTS, actor, membership_id)
    await clients.lock(uow, [known.client_id])
    uow.happened_at = await effective_now(uow.sql, uow.now)
    done = await perform(uow, getattr(ACTS, act), membership_id, body)
    row = await load(uow.sql, ACTS, actor, membership_id)
    if done.approval is not None:
        response.headers["location"] = f"/v1/products/approvals/{done.approval.approval_id}"
    response.headers["etag"] = etag(row.revision)
    return MembershipPage(
        **_view(row).model_dump(), acts=await possible(uow.sql, ACTS, actor, row),
        history=await history(uow.sql, ACTS, actor, row),
        approval_id=done.approval.approval_id if done.approval else None,
    )  # fmt: skip
