"""Membership of the club (高端客户俱乐部) [H1, H2.1]: invited when a month closes or by two persons, moved by one table of acts."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from pydantic import BaseModel
from uuid_utils import uuid7

from chassis import approvals, rows
from chassis.actor import Role
from chassis.acts import IF_MATCH, PLATFORM_ITSELF, Act, Aggregate, Doing, Step, acts, begin, perform_each
from chassis.approvals import Approval, ApprovalKind, by
from chassis.clock import business_date, is_month_end, months_after
from chassis.errors import Conflict, FieldError, Invalid, Text
from chassis.http import object_scope
from chassis.timeline import effective_now, today
from chassis.uow import UnitOfWork
from contracts.classification import TIERS as TIER_NAMES
from contracts.classification import ClassChanged, MonthEvaluated
from contracts.fields import Code, Text500
from contracts.products import ClubChanged, ClubStretch
from services.products import clients, entitlements
from services.products.clients import ClientRow
from services.products.club_rules import (
    ELIGIBLE,
    PROSPECT,
    REFUSED,
    Standing,
    grace_ends,
    invitation_ends,
    is_eligible,
    month_move,
    prospect_ends,
)
from services.products.people import BRANCH_STAFF, CLIENT, DESK, DESK_DECIDES, OWN_CLIENT, STAFF, audiences
from services.products.policy import Club, Policies
from services.products.subscriptions import new_id
from services.products.tables import CLUB, IN_ORDER, ClassRow, MembershipRow, MembershipStateRow, MonthRow, class_on
from services.products.tables import TIERS as TIER_HISTORY

INVITED_BY = by(Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)
HAVE = ("member", "grace")


class AlreadyInClub(Conflict):
    """The client is a member, or has an invitation that waits for an answer."""

    title = Text("Already in the club, or invited", "已是会员或已有待回复的邀请")


class NotAMember(Conflict):
    """Events are for members of the club, also in their grace."""

    title = Text("Not a member of the club", "非俱乐部会员")


MEMBERSHIP = Aggregate[MembershipRow](
    name="membership",
    table="club_memberships",
    id="membership_id",
    row=lambda record: msgspec.convert(dict(record), MembershipRow),
    states=("invited", "member", "grace", "lapsed"),
    begins=("invited",),
    final=("lapsed",),
    sight=object_scope,
    audiences=audiences,
    parse=UUID,
    moved=lambda uow, doings: _keep_states(uow, doings),
)


class Answer(BaseModel, extra="forbid"):
    """The client's answer, as staff heard it or the client gives it; for staff: where it was given."""

    reason: Text500 | None = None


class Why(BaseModel, extra="forbid"):
    """Why."""

    reason: Text500


class SocialRole(BaseModel, extra="forbid"):
    """The member's social role (社会角色): events are for some of them."""

    social_role: Code


@dataclass(frozen=True, slots=True)
class From:
    """From which day on, until when (exclusive), and what ends it."""

    day: date
    until: date | None = None
    by: str | None = None


def _day_of(one: Doing[MembershipRow]) -> date:
    """The day from which an act counts: never before the state it leaves began."""
    said = one.body.day if isinstance(one.body, From) else business_date(one.at)
    return max(said, one.before.since)


async def _join(uow: UnitOfWork, doings: Sequence[Doing[MembershipRow]]) -> None:
    club = (await uow.policies(Policies)).club
    for one in doings:
        day = _day_of(one)
        until = prospect_ends(day, club.on(day).body) if one.row.basis == PROSPECT else None
        one.columns |= {"since": day, "until": until}
        one.detail |= {"since": str(day)} | ({"until": str(until)} if until else {})
        if getattr(one.body, "reason", None):
            one.detail["reason"] = one.body.reason


async def _set(_: UnitOfWork, doings: Sequence[Doing[MembershipRow]]) -> None:
    """The platform's moves: from a day, until a day."""
    for one in doings:
        day = _day_of(one)
        one.columns |= {"since": day, "until": one.body.until}
        one.detail |= {"since": str(day)} | ({"until": str(one.body.until)} if one.body.until else {})


async def _renew(_: UnitOfWork, doings: Sequence[Doing[MembershipRow]]) -> None:
    """A prospect who is eligible by now stays without an end."""
    for one in doings:
        one.columns |= {"basis": ELIGIBLE, "until": None}


def _ending(by: str) -> Any:
    async def end(_: UnitOfWork, doings: Sequence[Doing[MembershipRow]]) -> None:
        for one in doings:
            day = _day_of(one)
            one.columns |= {"since": day, "until": None, "ended_by": getattr(one.body, "by", None) or by}
            one.detail |= {"since": str(day), "by": one.columns["ended_by"]}
            if getattr(one.body, "reason", None):
                one.detail["reason"] = one.body.reason

    return end


async def _set_role(uow: UnitOfWork, doings: Sequence[Doing[MembershipRow]]) -> None:
    known = {one.code for one in (await uow.policies(Policies)).club.on(await today(uow.sql)).body.roles}
    for one in doings:
        if one.body.social_role not in known:
            raise Invalid(errors=(FieldError("/social_role", f"one of {', '.join(sorted(known))}"),))
        one.columns |= {"social_role": one.body.social_role}
        one.detail |= {"social_role": one.body.social_role}


ACTS = acts(
    MEMBERSHIP,
    Act("accept", Text("Accept the invitation", "接受邀请"), on=("invited",), to="member", who=(OWN_CLIENT, BRANCH_STAFF),
        takes=Answer, tells=(CLIENT, STAFF), prepare=_join),
    Act("decline", Text("Decline the invitation", "谢绝邀请"), on=("invited",), to="lapsed", who=(OWN_CLIENT, BRANCH_STAFF),
        takes=Answer, tells=(CLIENT, STAFF), prepare=_ending("declined")),
    Act("leave", Text("Leave the club", "退会"), on=("member", "grace"), to="lapsed", who=(OWN_CLIENT, BRANCH_STAFF),
        takes=Why, needs=("reason",), tells=(CLIENT, STAFF), prepare=_ending("left")),
    Act("exclude", Text("Exclude", "除名"), on=("invited", "member", "grace"), to="lapsed", who=(DESK,), takes=Why,
        needs=("reason",), approval=DESK_DECIDES, tells=(STAFF,), prepare=_ending("excluded")),
    Act("set_role", Text("Social role", "社会角色"), on=("invited", "member", "grace"), who=(BRANCH_STAFF,), takes=SocialRole,
        needs=("social_role", IF_MATCH), tells=(STAFF,), prepare=_set_role),
    Act("lose", Text("No longer eligible: grace", "不再符合条件，进入宽限期"), on=("member",), to="grace", who=(PLATFORM_ITSELF,),
        tells=(CLIENT, STAFF), prepare=_set),
    Act("regain", Text("Eligible again", "恢复资格"), on=("grace",), to="member", who=(PLATFORM_ITSELF,),
        tells=(CLIENT, STAFF), prepare=_set),
    Act("renew", Text("The prospect has become eligible", "潜在客户已符合条件"), on=("member",), who=(PLATFORM_ITSELF,),
        tells=(CLIENT, STAFF), prepare=_renew),
    Act("lapse", Text("Lapsed", "会籍终止"), on=("invited", "member", "grace"), to="lapsed", who=(PLATFORM_ITSELF,),
        tells=(CLIENT, STAFF), prepare=_ending("lapsed")),
)  # fmt: skip


async def _keep_states(uow: UnitOfWork, doings: Sequence[Doing[MembershipRow]]) -> None:
    """Keep and tell states as they have become; what clients may have follows."""
    ids = sorted({one.row.client_id for one in doings})
    await clients.lock(uow, ids)
    await _add_states(uow, [one.row for one in doings])
    changed = {one.row.client_id for one in doings if (one.before.state in HAVE) is not (one.row.state in HAVE)}
    await tell(uow, ids)
    if changed:
        await entitlements.tell(uow, sorted(changed))


async def _add_states(uow: UnitOfWork, found: Sequence[MembershipRow]) -> None:
    await uow.sql.copy_records_to_table(
        "club_states",
        records=[(one.membership_id, one.revision, one.client_id, one.state, one.since, uow.now) for one in found],
        columns=MembershipStateRow.__struct_fields__,
    )


async def tell(uow: UnitOfWork, client_ids: Sequence[str]) -> None:
    """Tell what differs of the memberships of clients whose rows are locked."""
    states: defaultdict[str, list[tuple[date, str]]] = defaultdict(list)
    for client_id, since, state in await uow.sql.fetch(
        f"""SELECT s.client_id, s.since, s.state FROM club_states s JOIN club_memberships m USING (membership_id)
            WHERE s.client_id = ANY($1::text[]) ORDER BY s.client_id, {IN_ORDER}""",
        list(client_ids),
    ):
        states[client_id].append((since, state))
    changes = await CLUB.put(uow, {client_id: _stretches(states[client_id]) for client_id in client_ids})
    for change in changes:
        uow.emit(ClubChanged(**change.fields))


def _stretches(states: Sequence[tuple[date, str]]) -> list[ClubStretch]:
    """The states of a client, each until the next; of one day the last counts."""
    found = [ClubStretch(since=since, until=until, state=state) for (since, state), (until, _) in pairwise(states)]  # type: ignore[arg-type]
    last = [ClubStretch(since=since, state=state) for since, state in states[-1:]]  # type: ignore[arg-type]
    return [one for one in (*found, *last) if one.until is None or one.since < one.until]


async def invite(uow: UnitOfWork, made: Sequence[MembershipRow]) -> None:
    """Keep new invitations of clients whose rows are locked, with their first step, and tell them."""
    if not made:
        return
    await uow.sql.copy_records_to_table(
        "club_memberships",
        records=[msgspec.structs.astuple(one) for one in made],
        columns=MembershipRow.__struct_fields__,
    )
    at = await effective_now(uow.sql, uow.now)
    steps = [
        Step(MEMBERSHIP.named(one.membership_id), "invite", "", one.state, at, (CLIENT, STAFF),
             {"basis": one.basis, "since": str(one.since), "until": str(one.until)})
        for one in made
    ]  # fmt: skip
    await begin(uow, steps)
    for one in made:
        uow.audit(
            "invite", MEMBERSHIP.named(one.membership_id), key=one.client_id, basis=one.basis, until=str(one.until)
        )
    await _add_states(uow, made)
    await tell(uow, sorted({one.client_id for one in made}))


async def standing_of(sql: asyncpg.Connection, client: ClientRow, day: date) -> Standing:
    """What decides about a client on a day."""
    found = await sql.fetchrow(
        f"SELECT {TIER_HISTORY.on('tier', '$1', '$2')}, {class_on('$1', '$2')}", client.client_id, day
    )
    assert found is not None
    tier, code = found
    return Standing(tier or TIER_NAMES[0], code, client.opened_on is not None and client.open_on(day))


async def membership_of(sql: asyncpg.Connection, client_id: str) -> MembershipRow | None:
    """The membership of a client that is open, else the last one."""
    found = await rows.fetch(
        sql,
        MembershipRow,
        f"""SELECT {rows.columns(MembershipRow)} FROM club_memberships WHERE client_id = $1
            ORDER BY state = 'lapsed', invited_on DESC, made_at DESC LIMIT 1""",
        client_id,
    )
    return found[0] if found else None


async def ask(uow: UnitOfWork, client: ClientRow, social_role: str | None, reason: str) -> MembershipRow | Approval:
    """Invite a client who is eligible; ask for a second person where the client is a prospect.

    Raises: AlreadyInClub, Invalid.
    """
    client = (await clients.lock(uow, [client.client_id]))[client.client_id]
    day = await today(uow.sql)
    club = (await uow.policies(Policies)).club.on(day).body
    if social_role is not None and social_role not in {one.code for one in club.roles}:
        raise Invalid(errors=(FieldError("/social_role", "no role of the policy"),))
    await _require_new(uow, client, day)
    if is_eligible(await standing_of(uow.sql, client, day), club):
        uow.happened_at = await effective_now(uow.sql, uow.now)
        row = _invitation(UUID(bytes=uuid7().bytes), client, ELIGIBLE, social_role, day, club, uow)
        await invite(uow, [row])
        return row
    return await approvals.ask(
        uow, INVITATION, f"club-invitation/{UUID(bytes=uuid7().bytes)}", body={"social_role": social_role}, why=reason,
        after={"basis": PROSPECT}, client_id=client.client_id, branch_id=client.branch_id,
    )  # fmt: skip


async def _require_new(uow: UnitOfWork, client: ClientRow, day: date) -> None:
    known = await membership_of(uow.sql, client.client_id)
    if known is not None and known.state != "lapsed":
        raise AlreadyInClub(membership_id=str(known.membership_id))
    if not client.open_on(day):
        raise Conflict(Text("the account is closed", "账户已销户"))


async def _invite_prospect(uow: UnitOfWork, approval: Approval) -> None:
    assert approval.client_id is not None
    uow.happened_at = await effective_now(uow.sql, uow.now)
    client, day = (await clients.lock(uow, [approval.client_id]))[approval.client_id], await today(uow.sql)
    await _require_new(uow, client, day)
    club = (await uow.policies(Policies)).club.on(day).body
    name = UUID(approval.object.removeprefix("club-invitation/"))
    await invite(uow, [_invitation(name, client, PROSPECT, approval.body["social_role"], day, club, uow)])


INVITATION = ApprovalKind(
    "club_invitation",
    Text("A prospect invited to the club", "邀请潜在客户加入俱乐部"),
    decides=INVITED_BY,
    apply=_invite_prospect,
)


def _invitation(
    name: UUID, client: ClientRow, basis: str, role: str | None, day: date, club: Club, uow: UnitOfWork
) -> MembershipRow:
    return MembershipRow(
        name, client.client_id, client.branch_id, "invited", basis, role, day, day, invitation_ends(day, club), None,
        uow.actor.person, uow.now, 0,
    )  # fmt: skip


async def close_day(uow: UnitOfWork, day: date, following: date) -> None:
    """What is over from the day after a close on; at the end of a month first who is eligible, which may keep what would end that
    day, and last who is invited [H1]."""
    club = (await uow.policies(Policies)).club.on(following).body
    if is_month_end(day):
        await _judge(uow, following, club)
    await _end(uow, following)
    if is_month_end(day) and club.invites:
        await _invite_eligible(uow, following, club)


async def _end(uow: UnitOfWork, day: date) -> None:
    """Invitations, graces and prospects' months that have run out, accounts that are closed."""
    found = await uow.sql.fetch(
        """SELECT m.membership_id, m.client_id, m.state, c.closed_on <= $1 FROM club_memberships m JOIN clients c USING (client_id)
           WHERE m.state <> 'lapsed' AND (m.until <= $1 OR c.closed_on <= $1) ORDER BY m.client_id""",
        day,
    )
    by = {"invited": "unanswered", "grace": "not_eligible", "member": "prospect_over"}
    await clients.lock(uow, [client_id for _, client_id, _, _ in found])
    todo = {name: From(day, by="account" if closed else by[state]) for name, _, state, closed in found}
    await perform_each(uow, ACTS.lapse, todo, await effective_now(uow.sql, uow.now))


async def _judge(uow: UnitOfWork, day: date, club: Club) -> None:
    """What a month close does to open memberships of accounts that are not closed."""
    found = await uow.sql.fetch(
        f"""SELECT m.membership_id, m.client_id, m.state, m.basis, coalesce(c.opened_on <= $1, false),
                   {TIER_HISTORY.on("tier", "m.client_id", "$1")}, {class_on("m.client_id", "$1")}
            FROM club_memberships m JOIN clients c USING (client_id)
            WHERE m.state <> 'lapsed' AND (c.closed_on IS NULL OR c.closed_on > $1) ORDER BY m.client_id""",
        day,
    )
    todo: defaultdict[str, dict[UUID, From]] = defaultdict(dict)
    concerned = []
    for membership_id, client_id, state, basis, opened, tier, code in found:
        move = month_move(state, basis, is_eligible(Standing(tier or TIER_NAMES[0], code, opened), club))
        if move is not None:
            concerned.append(client_id)
            todo[move][membership_id] = From(day, grace_ends(day, club) if move == "lose" else None, "not_eligible")
    await clients.lock(uow, concerned)
    at = await effective_now(uow.sql, uow.now)
    for name, moved in todo.items():
        await perform_each(uow, getattr(ACTS, name), moved, at)


async def _invite_eligible(uow: UnitOfWork, day: date, club: Club) -> None:
    """Those who are eligible from a day on and are not in the club; who refused it is left alone for a while."""
    found = await uow.sql.fetch(
        f"""SELECT client_id FROM clients c
            WHERE client_id IN (SELECT client_id FROM tiers WHERE tier = ANY($2::text[])
                                UNION SELECT client_id FROM classes WHERE code = ANY($3::text[]))
              AND opened_on <= $1 AND (closed_on IS NULL OR closed_on > $1)
              AND ({TIER_HISTORY.on("tier", "c.client_id", "$1")} = ANY($2::text[])
                   OR {class_on("c.client_id", "$1")} = ANY($3::text[]))
              AND NOT EXISTS (SELECT FROM club_memberships m WHERE m.client_id = c.client_id AND (
                      m.state <> 'lapsed' OR m.ended_by = ANY($4::text[]) AND m.since > $5))
            ORDER BY client_id""",
        day,
        club.tiers,
        list(club.classes),
        list(REFUSED),
        months_after(day, -club.again_after_months),
    )
    locked = await clients.lock(uow, [client_id for (client_id,) in found])
    await invite(
        uow,
        [
            _invitation(new_id("club", one.client_id, day), one, ELIGIBLE, None, day, club, uow)
            for one in locked.values()
        ],
    )  # fmt: skip


async def keep_classes(changes: Sequence[ClassChanged], uow: UnitOfWork) -> None:
    """Keep classes, each from its day; looked at when a month closes."""
    newest = {(one.client_id, one.effective_on): one for one in sorted(changes, key=lambda one: one.revision)}
    await uow.sql.execute(
        f"""INSERT INTO classes AS k ({rows.columns(ClassRow)})
            SELECT * FROM unnest($1::text[], $2::date[], $3::int[], $4::text[])
            ON CONFLICT (client_id, effective_on) DO UPDATE SET revision = excluded.revision, code = excluded.code
            WHERE k.revision < excluded.revision""",
        *rows.lists([ClassRow(one.client_id, one.effective_on, one.revision, one.code) for one in newest.values()]),
    )


async def keep_months(evaluated: Sequence[MonthEvaluated], uow: UnitOfWork) -> None:
    """Keep what months found: V orders waiting lists, assets and commission are what the club is measured by."""
    newest = {(one.client_id, one.month_end): one for one in sorted(evaluated, key=lambda one: one.revision)}
    await uow.sql.execute(
        f"""INSERT INTO months AS m ({rows.columns(MonthRow)})
            SELECT * FROM unnest($1::text[], $2::date[], $3::int[], $4::numeric[], $5::numeric[], $6::numeric[])
            ON CONFLICT (client_id, month_end) DO UPDATE SET revision = excluded.revision,
                mean_assets = excluded.mean_assets, commission = excluded.commission, worth = excluded.worth
            WHERE m.revision < excluded.revision""",
        *rows.lists(
            [
                MonthRow(one.client_id, one.month_end, one.revision, one.mean_assets, one.commission, one.value)
                for one in newest.values()
            ]
        ),
    )
