"""Tiers granted [T5]: by hand, proposed by one person and approved by another, with a reason and an end; or for points."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import asyncpg
from uuid_utils import uuid7

from chassis import approvals
from chassis.actor import Role
from chassis.approvals import Approval, ApprovalKind, by
from chassis.errors import AlreadyDecided, Conflict, Invalid, NotFound, Text
from chassis.rows import columns, fetch
from chassis.timeline import today
from chassis.uow import UnitOfWork
from contracts.classification import TIERS
from contracts.points import UpgradeApproved
from services.classification import history
from services.classification.tables import Grant

LONGEST_DAYS = 366 * 2


class GrantOver(Conflict):
    """The days it was asked for have passed: propose it anew."""

    title = Text("The days of this grant are over", "授予期间已过")


async def propose(
    uow: UnitOfWork, client_id: str, branch_id: str | None, tier: int, since: date, until: date, reason: str
) -> Grant:
    """Propose a grant from a day until another (exclusive).

    Raises: Invalid when the days make no sense.
    """
    if not await today(uow.sql) <= since < until or (until - since).days > LONGEST_DAYS:
        raise Invalid(
            Text(
                f"a grant begins today or later, ends after it begins and lasts at most {LONGEST_DAYS} days",
                f"授予须自今日或以后起，结束晚于开始，且不超过 {LONGEST_DAYS} 天",
            )
        )
    [grant] = await fetch(
        uow.sql,
        Grant,
        f"""INSERT INTO grants (grant_id, client_id, tier, since, until, reason, state, made_by, made_at)
            VALUES ($1, $2, $3, $4, $5, $6, 'proposed', $7, $8) RETURNING {columns(Grant)}""",
        str(uuid7()),
        client_id,
        tier,
        since,
        until,
        reason,
        uow.actor.person,
        uow.now,
    )
    await approvals.ask(
        uow, GRANT, _named(grant.grant_id), why=reason, after=_inputs(grant), client_id=client_id, branch_id=branch_id
    )
    return grant


async def locked(uow: UnitOfWork, grant_id: str) -> Grant:
    """The grant, locked.

    Raises: NotFound.
    """
    found = await fetch(uow.sql, Grant, f"SELECT {columns(Grant)} FROM grants WHERE grant_id = $1 FOR UPDATE", grant_id)
    if not found:
        raise NotFound
    return found[0]


async def of_client(sql: asyncpg.Connection, client_id: str) -> list[Grant]:
    """A client's grants, newest first."""
    return await fetch(
        sql,
        Grant,
        f"SELECT {columns(Grant)} FROM grants WHERE client_id = $1 ORDER BY made_at DESC, grant_id",
        client_id,
    )


async def decide(uow: UnitOfWork, grant: Grant, *, approved: bool) -> Grant:
    """Approve or reject somebody else's proposal; an approved one counts from its first day on, or from today when that is
    over: nothing is granted for days that have passed.

    Raises: SecondPersonNeeded, AlreadyDecided, GrantOver.
    """
    await approvals.decide(uow, GRANT, _named(grant.grant_id), agree=approved)
    return await locked(uow, grant.grant_id)


async def _approve(uow: UnitOfWork, approval: Approval) -> None:
    grant = await locked(uow, approval.object.removeprefix("grant/"))
    day = await today(uow.sql)
    if grant.until <= day:
        raise GrantOver
    since = max(grant.since, day)
    await _change(uow, grant, "approved", since=since, checked_by=approval.decided_by, checked_at=approval.decided_at)


async def _reject(uow: UnitOfWork, approval: Approval) -> None:
    grant = await locked(uow, approval.object.removeprefix("grant/"))
    await _change(uow, grant, "rejected", checked_by=approval.decided_by, checked_at=approval.decided_at)


GRANT = ApprovalKind(
    "grant",
    Text("Tier granted by hand", "手工授予等级"),
    decides=by(Role.BRANCH_MANAGER, Role.HQ),
    apply=_approve,
    ended=_reject,
)


async def grant_for_points(approved: Sequence[UpgradeApproved], uow: UnitOfWork) -> None:
    """Grant the tiers that applications with points were approved for, once each; the grant names its application [T5].

    Counted from its first day on, also when that is closed: an approval is a fact.
    """
    wanted = {str(one.application_id): one for one in approved}
    granted = await uow.sql.fetch(
        """INSERT INTO grants (grant_id, client_id, tier, since, until, reason, state, made_by, made_at, checked_at)
           SELECT g, c, t, s, u, 'points application ' || g, 'approved', 'points', $6, $6
           FROM unnest($1::text[], $2::text[], $3::smallint[], $4::date[], $5::date[]) AS n(g, c, t, s, u)
           ON CONFLICT DO NOTHING RETURNING client_id""",
        list(wanted),
        [one.client_id for one in wanted.values()],
        [TIERS.index(one.tier) for one in wanted.values()],
        [one.since for one in wanted.values()],
        [one.until for one in wanted.values()],
        uow.now,
    )
    clients = sorted({client_id for (client_id,) in granted})
    await uow.sql.execute(
        """UPDATE clients SET revision = revision + 1 WHERE client_id IN (
               SELECT client_id FROM clients WHERE client_id = ANY($1::text[]) ORDER BY client_id FOR UPDATE)""",
        clients,
    )
    await history.rewrite_effective_tiers(uow, set(clients))


def _named(grant_id: str) -> str:
    return f"grant/{grant_id}"


async def revoke(uow: UnitOfWork, grant: Grant, reason: str) -> Grant:
    """End an approved grant with the coming day; days it has counted for stay as they were.

    Raises: AlreadyDecided.
    """
    if grant.state != "approved":
        raise AlreadyDecided(state=grant.state)
    tomorrow = max(grant.since, date.fromordinal((await today(uow.sql)).toordinal() + 1))
    return await _change(uow, grant, "revoked", revoked_at=uow.now, revoked_from=tomorrow, because=reason)


async def _change(uow: UnitOfWork, grant: Grant, state: str, because: str = "", **values: Any) -> Grant:
    assignments = ", ".join(f"{name} = ${index}" for index, name in enumerate(values, 3))
    [changed] = await fetch(
        uow.sql,
        Grant,
        f"UPDATE grants SET state = $2, version = version + 1, {assignments} WHERE grant_id = $1 RETURNING {columns(Grant)}",
        grant.grant_id,
        state,
        *values.values(),
    )
    if state == "revoked":  # the approval behind any other change says it
        subject, inputs = f"client/{grant.client_id}", _inputs(changed) | {"reason": because}
        uow.audit("grant.revoked", subject, key=grant.client_id, **inputs)
    if state in ("approved", "revoked"):
        await uow.sql.execute("UPDATE clients SET revision = revision + 1 WHERE client_id = $1", grant.client_id)
        await history.rewrite_effective_tiers(uow, {grant.client_id})
    return changed


def _inputs(grant: Grant) -> dict[str, Any]:
    return {
        "grant_id": grant.grant_id,
        "tier": grant.tier,
        "since": grant.since.isoformat(),
        "until": grant.until.isoformat(),
        "reason": grant.reason,
    }
