"""The second person: one mechanism for everything two persons decide.

A service declares what it has decided by two persons, asks, and says what happens when the other person agrees:

    GRANT = ApprovalKind("grant", Text("Tier granted by hand", "手工授予等级"), decides=by(Role.HQ), apply=put_in_force)
    service = Service(..., approvals=[GRANT])

    asked = await approvals.ask(uow, GRANT, f"grant/{grant_id}", why=reason, after={"tier": 3}, client_id=client_id)

`/v1/<service>/approvals` lists, shows and decides them (see `chassis.http.approvals`); `GET /v1/approvals` lists what
waits for the caller in all services. An approval waits until it is approved, refused, withdrawn by who asked, or runs
out; each of these is final and leaves one audit row, so `apply` writes none of its own. Persons are compared, never
sign-in names: who asked does not decide, nor does anybody the object is about.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from uuid_utils import uuid7

from chassis.actor import Actor, Role
from chassis.deadlines import Deadline, Due, arm, cancel
from chassis.errors import AlreadyDecided, Conflict, NotFound, SecondPersonNeeded, Text
from chassis.staff import HQ
from chassis.uow import UnitOfWork
from contracts.base import encode_custom

WAITING, APPROVED, REFUSED, WITHDRAWN, EXPIRED = "waiting", "approved", "refused", "withdrawn", "expired"
STATES = (WAITING, APPROVED, REFUSED, WITHDRAWN, EXPIRED)
DEADLINE = "approval"
EVERYWHERE: Final = None
_IN_STATE = {state: f"a.state = '{state}'" for state in STATES} | {
    None: "true",
    WAITING: f"a.state = '{WAITING}' AND a.expires_at > clock_timestamp()",
    EXPIRED: f"(a.state = '{EXPIRED}' OR a.state = '{WAITING}' AND a.expires_at <= clock_timestamp())",
}


class ChangedSinceAsked(Conflict):
    """The object has changed since this was asked; `before` is what it was, `present` what it is now. Ask again."""

    title = Text("The object has changed since", "提请后对象已变更")


@dataclass(frozen=True, slots=True)
class Deciders:
    """Who may decide: callers of a role, or holders of a seat; of a branch only what its branch was asked."""

    roles: frozenset[Role] = frozenset()
    seats: frozenset[str] = frozenset()

    def units(self, actor: Actor) -> frozenset[str] | None:
        """The branches in which the caller may decide; `EVERYWHERE` (None) for headquarters."""
        units = {unit for unit, seat in actor.seats if seat in self.seats}
        if actor.role in self.roles:
            if actor.sees_all_branches:
                return EVERYWHERE
            units |= {actor.branch_id} if actor.branch_id else set()
        return EVERYWHERE if HQ in units else frozenset(units)

    def include(self, actor: Actor, branch_id: str | None) -> bool:
        """Whether the caller may decide what belongs to a branch (None: to headquarters)."""
        units = self.units(actor)
        return units is EVERYWHERE or branch_id in units


def by(*roles: Role, seats: Collection[str] = ()) -> Deciders:
    """Those who have one of the roles or hold one of the seats."""
    return Deciders(frozenset(roles), frozenset(seats))


@dataclass(frozen=True, slots=True)
class Approval:
    """What was asked and what became of it. Persons are staff ids (or client ids); instants are UTC.

    `before` and `after` say what changes, `body` is what `apply` needs. `concerned` may neither see nor decide it; one
    that is `restricted` compliance alone does.
    """

    approval_id: UUID
    kind: str
    object: str
    client_id: str | None
    branch_id: str | None
    body: dict[str, Any]
    why: str
    before: Any
    after: Any
    concerned: Sequence[str]
    state: str
    asked_by: str
    asked_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    because: str | None
    restricted: bool = False

    def state_at(self, now: datetime) -> str:
        """Its state at an instant: one that waits has run out from `expires_at` on, whether or not that was kept yet."""
        return EXPIRED if self.state == WAITING and self.expires_at <= now else self.state


Apply = Callable[[UnitOfWork, Approval], Awaitable[None]]
Present = Callable[[UnitOfWork, Approval], Awaitable[Any]]
Seals = Callable[[UnitOfWork, Approval, str], Awaitable[str]]
Concerned = Callable[[asyncpg.Connection, Approval], Awaitable[Collection[str]]]


@dataclass(frozen=True, slots=True)
class ApprovalKind:
    """One thing that takes two persons.

    `seals`: what whoever decides says may tell of the client's health or life: it is kept as this gives it, in no audit row,
    and shown by the service alone.

    `apply` does what was asked, in the approver's unit of work. `ended` is told of one that was refused, withdrawn or
    ran out. `present` locks the object and returns what `before` was when it was asked: approving is refused when they
    differ. `concerned` returns the persons the object is about, who neither see nor decide it; it is asked at both times.
    """

    name: str
    title: Text
    decides: Deciders
    apply: Apply
    days: int = 30
    ended: Apply | None = None
    present: Present | None = None
    concerned: Concerned | None = None
    seals: Seals | None = None


async def ask(
    uow: UnitOfWork,
    kind: ApprovalKind,
    object: str,
    *,
    body: Mapping[str, Any] | None = None,
    why: str = "",
    before: Any = None,
    after: Any = None,
    client_id: str | None = None,
    branch_id: str | None = None,
    concerned: Collection[str] = (),
    restricted: bool = False,
) -> Approval:
    """Ask for a second person, in the caller's name. `branch_id`: whose branch may decide; None: headquarters only.

    Without `before` the kind's `present` says what the object is now.
    """
    approval = Approval(
        UUID(bytes=uuid7().bytes), kind.name, object, client_id, branch_id, dict(body or {}), why, before, after,
        sorted(concerned), WAITING, uow.actor.person, uow.now, uow.now + timedelta(days=kind.days), None, None, None,
    )  # fmt: skip
    if kind.present is not None and before is None:
        before = await kind.present(uow, approval)
    if kind.concerned is not None:
        concerned = {*concerned, *await kind.concerned(uow.sql, approval)}
    row = await uow.sql.fetchrow(
        f"""INSERT INTO approvals (approval_id, kind, object, client_id, branch_id, body, why, before, after, concerned,
                                   state, asked_by, asked_at, expires_at, restricted)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '{WAITING}', $11, $12, $13, $14) RETURNING *""",
        approval.approval_id, kind.name, object, client_id, branch_id, approval.body, why, before, after,
        sorted(concerned), approval.asked_by, approval.asked_at, approval.expires_at, restricted,
    )  # fmt: skip
    assert row is not None
    approval = Approval(**row)
    await arm(uow, [Deadline(DEADLINE, _timed(approval), _key(approval), approval.expires_at)])
    _audit(uow, approval, "asked")
    return approval


async def newest(sql: asyncpg.Connection, kind: ApprovalKind, object: str) -> Approval:
    """The newest approval of a kind asked for an object.

    Raises: NotFound.
    """
    row = await sql.fetchrow(
        "SELECT * FROM approvals WHERE kind = $1 AND object = $2 ORDER BY approval_id DESC LIMIT 1", kind.name, object
    )
    if row is None:
        raise NotFound
    return Approval(**row)


async def approve(uow: UnitOfWork, kind: ApprovalKind, approval_id: UUID, because: str = "") -> Approval:
    """Do what was asked, in the second person's name.

    Raises: NotFound for whom it is none of; SecondPersonNeeded, AlreadyDecided, ChangedSinceAsked.
    """
    asked = await _seen(uow, kind, approval_id)
    if asked.asked_by == uow.actor.person:
        raise SecondPersonNeeded
    # The object is locked before its approval, as an act that ends it does.
    present = await kind.present(uow, asked) if kind.present is not None else None
    approval = await _lock(uow, approval_id)
    _require_waiting(uow, approval)
    if kind.present is not None and _plain(present) != _plain(approval.before):
        raise ChangedSinceAsked(before=approval.before, present=_plain(present))
    decided = await _end(uow, kind, approval, APPROVED, because)
    await kind.apply(uow, decided)
    return decided


async def refuse(uow: UnitOfWork, kind: ApprovalKind, approval_id: UUID, because: str) -> Approval:
    """Say no, in the second person's name.

    Raises: NotFound for whom it is none of; SecondPersonNeeded, AlreadyDecided.
    """
    asked = await _seen(uow, kind, approval_id)
    if asked.asked_by == uow.actor.person:
        raise SecondPersonNeeded
    approval = _require_waiting(uow, await _lock(uow, approval_id))
    return await _not_done(uow, kind, await _end(uow, kind, approval, REFUSED, because))


async def withdraw(uow: UnitOfWork, kind: ApprovalKind, approval_id: UUID, because: str = "") -> Approval:
    """Take back what the caller asked for themselves.

    Raises: NotFound for anybody else; AlreadyDecided.
    """
    asked = await _seen(uow, kind, approval_id)
    if asked.asked_by != uow.actor.person:
        raise NotFound
    approval = _require_waiting(uow, await _lock(uow, approval_id))
    return await _not_done(uow, kind, await _end(uow, kind, approval, WITHDRAWN, because))


async def decide(uow: UnitOfWork, kind: ApprovalKind, object: str, *, agree: bool, because: str = "") -> Approval:
    """Approve or refuse the newest asked for an object: what older paths of a service, which name the object, do.

    Raises: as `approve`.
    """
    asked = await newest(uow.sql, kind, object)
    return await (approve if agree else refuse)(uow, kind, asked.approval_id, because)


async def withdraw_all(uow: UnitOfWork, kinds: Sequence[ApprovalKind], object: str, because: str) -> int:
    """Withdraw, in the name of whoever ended it, what still waits for an object that is over. How many."""
    of_name = {kind.name: kind for kind in kinds}
    waiting = await uow.sql.fetch(
        f"SELECT approval_id, kind FROM approvals WHERE object = $1 AND state = '{WAITING}' AND kind = ANY($2::text[])",
        object,
        list(of_name),
    )
    ended = 0
    for approval_id, name in waiting:
        approval = await _lock(uow, approval_id)
        if approval.state == WAITING:
            await _not_done(uow, of_name[name], await _end(uow, of_name[name], approval, WITHDRAWN, because))
            ended += 1
    return ended


def expirer(kinds: Sequence[ApprovalKind]) -> Callable[[Sequence[Due], UnitOfWork], Awaitable[None]]:
    """The deadline handler of a service's approvals: what still waits has run out."""
    of_name = {kind.name: kind for kind in kinds}

    async def expire(due: Sequence[Due], uow: UnitOfWork) -> None:
        rows = await uow.sql.fetch(
            f"""UPDATE approvals a SET state = '{EXPIRED}', decided_at = d.at
                FROM unnest($1::uuid[], $2::timestamptz[]) AS d(approval_id, at)
                WHERE a.approval_id = d.approval_id AND a.state = '{WAITING}' RETURNING a.*""",
            [UUID(one.object.partition("/")[2]) for one in due],
            [one.at for one in due],
        )
        for row in sorted(rows, key=lambda row: row["approval_id"]):
            approval = Approval(**row)
            _audit(uow, approval, EXPIRED)
            await _not_done(uow, of_name[approval.kind], approval)

    return expire


def may_see(kinds: Mapping[str, ApprovalKind], actor: Actor, approval: Approval) -> bool:
    """Who asked and who could decide see it; whom it is about does not."""
    if actor.person in approval.concerned:
        return False
    kind = kinds.get(approval.kind)
    if approval.asked_by == actor.person:
        return True
    if kind is None or (approval.restricted and actor.role is not Role.COMPLIANCE):
        return False
    return kind.decides.include(actor, approval.branch_id)


async def shown(
    sql: asyncpg.Connection, kinds: Mapping[str, ApprovalKind], actor: Actor, approval_id: UUID
) -> Approval:
    """One approval.

    Raises: NotFound, also for whom it is none of.
    """
    row = await sql.fetchrow("SELECT * FROM approvals WHERE approval_id = $1", approval_id)
    if row is None or not may_see(kinds, actor, approval := Approval(**row)):
        raise NotFound
    return approval


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which approvals to list: those the caller can decide now, those they asked for, or every one they may see."""

    show: str = "to_decide"
    kind: str | None = None
    object: str | None = None
    state: str | None = None
    after: UUID | None = None
    limit: int = 50


async def listed(
    sql: asyncpg.Connection, kinds: Mapping[str, ApprovalKind], actor: Actor, wanted: Wanted
) -> list[Approval]:
    """Up to `limit` approvals in the order they were asked."""
    everywhere: list[str] = []
    places: list[tuple[str, str]] = []
    for kind in kinds.values():
        units = kind.decides.units(actor)
        if units is EVERYWHERE:
            everywhere.append(kind.name)
        else:
            places += [(kind.name, unit) for unit in units]
    state = WAITING if wanted.show == "to_decide" else wanted.state
    rows = await sql.fetch(
        f"""SELECT a.* FROM approvals a
            WHERE (($1 AND a.asked_by = $3)
                   OR ($2 AND a.asked_by <> $3 AND (a.kind = ANY($4::text[]) OR (a.kind, a.branch_id) IN (
                       SELECT * FROM unnest($5::text[], $6::text[])))
                       AND (NOT a.restricted OR $11)))
              AND NOT $3 = ANY(a.concerned)
              AND ($7::text IS NULL OR a.kind = $7) AND ($8::text IS NULL OR a.object = $8)
              AND ($9::uuid IS NULL OR a.approval_id > $9) AND {_IN_STATE[state]}
            ORDER BY a.approval_id LIMIT $10""",
        wanted.show != "to_decide", wanted.show != "asked", actor.person, everywhere, [kind for kind, _ in places],
        [unit for _, unit in places], wanted.kind, wanted.object, wanted.after, wanted.limit,
        actor.role is Role.COMPLIANCE,
    )  # fmt: skip
    return [Approval(**row) for row in rows]


async def _seen(uow: UnitOfWork, kind: ApprovalKind, approval_id: UUID) -> Approval:
    """The approval, if the caller may see it; whom the object is about by now may not.

    Raises: NotFound, AlreadyDecided.
    """
    approval = await shown(uow.sql, {kind.name: kind}, uow.actor, approval_id)
    if approval.kind != kind.name:
        raise NotFound
    if kind.concerned is not None and uow.actor.person in await kind.concerned(uow.sql, approval):
        raise NotFound
    return _require_waiting(uow, approval)


async def _lock(uow: UnitOfWork, approval_id: UUID) -> Approval:
    """The approval, locked behind its deadline: in the order of a deadline that fires, so that neither waits in turn."""
    await cancel(uow, [(DEADLINE, f"approval/{approval_id}")])
    row = await uow.sql.fetchrow("SELECT * FROM approvals WHERE approval_id = $1 FOR UPDATE", approval_id)
    assert row is not None
    return Approval(**row)


def _require_waiting(uow: UnitOfWork, approval: Approval) -> Approval:
    if (state := approval.state_at(uow.now)) != WAITING:
        raise AlreadyDecided(state=state, decided_by=approval.decided_by, decided_at=approval.decided_at)
    return approval


async def _end(uow: UnitOfWork, kind: ApprovalKind, approval: Approval, state: str, because: str) -> Approval:
    said = await kind.seals(uow, approval, because) if kind.seals is not None and because else because
    row = await uow.sql.fetchrow(
        """UPDATE approvals SET state = $2, decided_by = $3, decided_at = $4, because = $5
           WHERE approval_id = $1 RETURNING *""",
        approval.approval_id,
        state,
        uow.actor.person,
        uow.now,
        said or None,
    )
    assert row is not None
    decided = Approval(**row)
    _audit(uow, decided if kind.seals is None else replace(decided, because=None), state)
    return decided


async def _not_done(uow: UnitOfWork, kind: ApprovalKind, approval: Approval) -> Approval:
    if kind.ended is not None:
        await kind.ended(uow, approval)
    return approval


def _audit(uow: UnitOfWork, approval: Approval, what: str) -> None:
    inputs: dict[str, Any] = {
        "approval": str(approval.approval_id),
        "asked_by": approval.asked_by,
        "why": approval.why,
        "before": approval.before,
        "after": approval.after,
    }
    if approval.because:
        inputs["because"] = approval.because
    uow.audit(f"{approval.kind}.{what}", approval.object, key=_key(approval), **inputs)


def _timed(approval: Approval) -> str:
    return f"approval/{approval.approval_id}"


def _key(approval: Approval) -> str:
    return approval.client_id or approval.object


def _plain(value: Any) -> Any:
    """A value as JSON gives it back."""
    return msgspec.json.decode(msgspec.json.encode(value, enc_hook=encode_custom))
