"""Publishing a policy: proposed by one person, published or rejected by another, withdrawn before its day."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import asyncpg

from chassis.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, Text
from chassis.policy import PolicyTable
from chassis.timeline import today
from chassis.uow import UnitOfWork


class PolicyDecided(Conflict):
    """The version is not in the state this needs; `state` says which it is in."""

    title = Text("The version was decided already", "该版本已处理")


class SecondPersonNeeded(Forbidden):
    """Whoever made a version cannot publish it."""

    title = Text("A second person has to publish", "须由另一人发布")


class DayTaken(Conflict):
    """Another version of the table takes effect on that day."""

    title = Text("Another version takes effect on that day", "该日已有其他版本生效")


async def propose(
    uow: UnitOfWork, table: PolicyTable[Any], scope: str, effective_on: date, body: dict[str, Any], reason: str
) -> int:
    """Keep a draft; its number. `scope` is empty for the firm, else the branch whose override it is [a.3].

    Raises: PolicyInvalid when the body does not hold together, Invalid when it would take effect in the past, DayTaken.
    """
    table.parse(dict(body))
    if scope and not table.branches:
        raise Invalid(
            Text("this table has no overrides of branches", "该政策不设营业部例外"),
            errors=(FieldError("/branch", "not for this table"),),
        )
    await _require_ahead(uow, effective_on)
    await _require_free_day(uow, table, scope, effective_on)
    version: int = await uow.sql.fetchval(
        """INSERT INTO policy_versions (name, scope, version, effective_on, body, reason, state, made_by, made_at)
           SELECT $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5, 'draft', $6, $7 FROM policy_versions
           WHERE name = $1 AND scope = $2 RETURNING version""",
        table.name,
        scope,
        effective_on,
        body,
        reason,
        uow.actor.person,
        uow.now,
    )
    uow.audit(
        "policy.proposed", _subject(table.name, scope, version), body=body, effective_on=effective_on, reason=reason
    )
    return version


async def _require_ahead(uow: UnitOfWork, effective_on: date) -> None:
    if effective_on <= await today(uow.sql):
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
    row = await uow.sql.fetchrow(
        "SELECT * FROM policy_versions WHERE name = $1 AND scope = $2 AND version = $3 FOR UPDATE",
        table.name,
        scope,
        version,
    )
    if row is None:
        raise NotFound
    if row["state"] != state:
        raise PolicyDecided(state=row["state"])
    return row


async def decide(uow: UnitOfWork, table: PolicyTable[Any], scope: str, version: int, *, publish: bool) -> None:
    """Publish or reject another person's draft.

    Raises: NotFound, PolicyDecided, SecondPersonNeeded, DayTaken, Invalid when its day has come meanwhile.
    """
    row = await _locked(uow, table, scope, version, "draft")
    if row["made_by"] == uow.actor.person:
        raise SecondPersonNeeded
    if publish:
        table.parse(row["body"])
        await _require_ahead(uow, row["effective_on"])
        await _require_free_day(uow, table, scope, row["effective_on"])
    await _set(uow, row, "published" if publish else "rejected")


async def withdraw(uow: UnitOfWork, table: PolicyTable[Any], scope: str, version: int, reason: str) -> None:
    """Take back a published version before its day: then it never counts.

    Raises: NotFound, PolicyDecided, Invalid when it has taken effect.
    """
    row = await _locked(uow, table, scope, version, "published")
    if row["effective_on"] <= await today(uow.sql):
        raise Invalid(Text("it is in force: publish another version", "该版本已生效：请发布新版本"))
    await _set(uow, row, "withdrawn", reason=reason)


async def _set(uow: UnitOfWork, row: asyncpg.Record, state: str, **inputs: Any) -> None:
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
    subject = _subject(row["name"], row["scope"], row["version"])
    uow.audit(f"policy.{state}", subject, effective_on=row["effective_on"], **inputs)


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


def day_before(day: date) -> date:
    """The day before; of the first day there is, that day."""
    return day - timedelta(days=1) if day > date.min else day


async def kept(sql: asyncpg.Connection, names: Sequence[str]) -> list[asyncpg.Record]:
    """Every version kept in the database of some tables, newest first."""
    return await sql.fetch(
        "SELECT * FROM policy_versions WHERE name = ANY($1::text[]) ORDER BY made_at DESC, name, scope, version",
        list(names),
    )


def _subject(name: str, scope: str, version: int) -> str:
    return "policy/" + "/".join(filter(None, (name, scope, str(version))))
