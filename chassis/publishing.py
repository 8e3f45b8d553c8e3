"""Publishing a policy: proposed by one person, published or rejected by another, withdrawn before its day.

The second person is an approval like any other (`chassis.approvals`): a proposed version waits in `/v1/approvals`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import asyncpg

from chassis import approvals
from chassis.actor import Role
from chassis.approvals import Approval, ApprovalKind, by
from chassis.errors import AlreadyDecided, Conflict, FieldError, Forbidden, Invalid, NotFound, Text
from chassis.policy import PolicyBook, PolicyTable
from chassis.timeline import today
from chassis.uow import UnitOfWork


class DayTaken(Conflict):
    """Another version of the table takes effect on that day."""

    title = Text("Another version takes effect on that day", "该日已有其他版本生效")


_KINDS: dict[type[PolicyBook], ApprovalKind] = {}
_PROOFS: dict[type[PolicyBook], Mapping[str, "Proof"]] = {}
"""Kept beside the kinds: whichever is asked for first, with its proofs or without, they hold."""

Proof = Callable[[UnitOfWork, date], Awaitable[Mapping[str, Any]]]
"""Looks at everybody with the version of a day as it is about to be published, and refuses it (`PolicyInvalid`) with who it would
treat against the rules; what it found otherwise goes into the record."""


def approval_of(book: type[PolicyBook], proofs: Mapping[str, Proof] | None = None) -> ApprovalKind:
    """The approval that publishes a version of a service's tables, each after its proof where it has one; one that is refused or
    runs out rejects it."""
    if proofs:
        _PROOFS[book] = proofs
    if book in _KINDS:
        return _KINDS[book]

    async def publish(uow: UnitOfWork, approval: Approval) -> None:
        table, scope, version = book.tables[approval.body["name"]], approval.body["scope"], approval.body["version"]
        _require_compliance(uow, table)
        row = await _locked(uow, table, scope, version, "draft")
        table.parse(row["body"])
        await _require_in_time(uow, table, row["effective_on"])
        await _require_free_day(uow, table, scope, row["effective_on"])
        await _set(uow, row, "published")
        if proof := _PROOFS.get(book, {}).get(table.name):
            found = await proof(uow, row["effective_on"])
            uow.audit(
                "policy.proved", subject_of(table.name, scope, version), effective_on=row["effective_on"], **found
            )

    async def end(uow: UnitOfWork, approval: Approval) -> None:
        table, scope, version = book.tables[approval.body["name"]], approval.body["scope"], approval.body["version"]
        state = "rejected" if approval.state == approvals.REFUSED else "withdrawn"
        await _set(uow, await _locked(uow, table, scope, version, "draft"), state)

    title = Text("New version of a policy", "政策新版本")
    kind = ApprovalKind("policy", title, decides=by(Role.HQ, Role.COMPLIANCE), apply=publish, ended=end)
    return _KINDS.setdefault(book, kind)


async def propose(
    uow: UnitOfWork, book: type[PolicyBook], name: str, scope: str, effective_on: date, body: dict[str, Any], reason: str
) -> int:  # fmt: skip
    """Keep a draft and ask for the second person; its number. `scope` is empty for the firm, else a branch [a.3].

    Raises: PolicyInvalid when the body does not hold together, Invalid when it would take effect in the past, DayTaken.
    """
    table = book.tables[name]
    table.parse(dict(body))
    if scope and not table.branches:
        raise Invalid(
            Text("this table has no overrides of branches", "该政策不设营业部例外"),
            errors=(FieldError("/branch", "not for this table"),),
        )
    await _require_in_time(uow, table, effective_on)
    await _require_free_day(uow, table, scope, effective_on)
    in_force = (await uow.policies(book)).versions[name].on(effective_on, scope)
    version: int = await uow.sql.fetchval(
        """INSERT INTO policy_versions (name, scope, version, effective_on, body, reason, state, made_by, made_at)
           SELECT $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5, 'draft', $6, $7 FROM policy_versions
           WHERE name = $1 AND scope = $2 RETURNING version""",
        name,
        scope,
        effective_on,
        body,
        reason,
        uow.actor.person,
        uow.now,
    )
    await approvals.ask(
        uow,
        approval_of(book),
        subject_of(name, scope, version),
        body={"name": name, "scope": scope, "version": version, "effective_on": effective_on.isoformat()},
        why=reason,
        before={"version": in_force.name, "body": in_force.written},
        after={"version": version, "effective_on": effective_on.isoformat(), "body": body},
    )
    return version


async def _require_in_time(uow: UnitOfWork, table: PolicyTable[Any], effective_on: date) -> None:
    """Tomorrow at the earliest; a new year's version of some tables also in the first days of that year [a.6]."""
    day = await today(uow.sql)
    new_year = date(day.year, 1, 1)
    if effective_on > day or (effective_on == new_year and (day - new_year).days < table.new_year_days):
        return
    raise Invalid(
        Text("a policy takes effect tomorrow at the earliest", "政策最早次日生效"),
        errors=(FieldError("/effective_on", "must be after today"),),
    )


async def _require_free_day(uow: UnitOfWork, table: PolicyTable[Any], scope: str, effective_on: date) -> None:
    taken = await uow.sql.fetchval(
        """SELECT version FROM policy_versions
           WHERE name = $1 AND scope = $2 AND effective_on = $3 AND state = 'published'""",
        table.name,
        scope,
        effective_on,
    )
    if taken is not None:
        raise DayTaken(version=taken)


async def _locked(uow: UnitOfWork, table: PolicyTable[Any], scope: str, version: int, state: str) -> asyncpg.Record:
    # One after the other for a table: of two drafts for one day only one is published.
    await uow.sql.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 11))", f"policy/{table.name}/{scope}")
    row = await uow.sql.fetchrow(
        "SELECT * FROM policy_versions WHERE name = $1 AND scope = $2 AND version = $3 FOR UPDATE",
        table.name,
        scope,
        version,
    )
    if row is None:
        raise NotFound
    if row["state"] != state:
        raise AlreadyDecided(state=row["state"])
    return row


async def decide(
    uow: UnitOfWork, book: type[PolicyBook], name: str, scope: str, version: int, *, publish: bool
) -> None:
    """Publish or reject another person's draft.

    Raises: NotFound, AlreadyDecided, SecondPersonNeeded, DayTaken, Invalid when its day has come meanwhile.
    """
    kind = approval_of(book)
    asked = await approvals.newest(uow.sql, kind, subject_of(name, scope, version))
    if publish:
        await approvals.approve(uow, kind, asked.approval_id)
    else:
        await approvals.refuse(uow, kind, asked.approval_id, "rejected")


async def withdraw(uow: UnitOfWork, table: PolicyTable[Any], scope: str, version: int, reason: str) -> None:
    """Take back a published version before its day: then it never counts.

    Raises: NotFound, AlreadyDecided, Forbidden, Invalid when it has taken effect.
    """
    _require_compliance(uow, table)
    row = await _locked(uow, table, scope, version, "published")
    if row["effective_on"] <= await today(uow.sql):
        raise Invalid(Text("it is in force: publish another version", "该版本已生效：请发布新版本"))
    await _set(uow, row, "withdrawn")
    subject = subject_of(table.name, scope, version)
    uow.audit("policy.withdrawn", subject, effective_on=row["effective_on"], reason=reason)


def _require_compliance(uow: UnitOfWork, table: PolicyTable[Any]) -> None:
    if table.by_compliance and uow.actor.role is not Role.COMPLIANCE:
        raise Forbidden(Text("compliance publishes this table", "该政策由合规人员发布"))


async def _set(uow: UnitOfWork, row: asyncpg.Record, state: str) -> None:
    await uow.sql.execute(
        """UPDATE policy_versions SET state = $4, checked_by = $5, checked_at = $6
           WHERE name = $1 AND scope = $2 AND version = $3""",
        row["name"],
        row["scope"],
        row["version"],
        state,
        uow.actor.person,
        uow.now,
    )


async def find(sql: asyncpg.Connection, table: PolicyTable[Any], scope: str, version: int) -> asyncpg.Record:
    """A version kept in the database.

    Raises: NotFound.
    """
    row = await sql.fetchrow(
        "SELECT * FROM policy_versions WHERE name = $1 AND scope = $2 AND version = $3", table.name, scope, version
    )
    if row is None:
        raise NotFound
    return row


async def kept(sql: asyncpg.Connection, names: Sequence[str]) -> list[asyncpg.Record]:
    """Every version kept in the database of some tables, newest first."""
    return await sql.fetch(
        "SELECT * FROM policy_versions WHERE name = ANY($1::text[]) ORDER BY made_at DESC, name, scope, version",
        list(names),
    )


def day_before(day: date) -> date:
    """The day before; of the first day there is, that day."""
    return day - timedelta(days=1) if day > date.min else day


def subject_of(name: str, scope: str, version: int) -> str:
    """What audit rows and approvals call a version."""
    return "policy/" + "/".join(filter(None, (name, scope, str(version))))
