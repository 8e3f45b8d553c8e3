"""Dated policy: the numbers and tables the business changes, each version with the day it takes effect.

The versions a service ships stand in its `policy.toml`; later ones, and a branch's overrides, are published over REST
by two persons and stand in the table `policy_versions`. What a body may say is the service's own type: parsing it
is the check, and refuses with a reason.
"""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Generic, TypeVar

import asyncpg

from chassis.clock import business_date
from chassis.errors import AlreadyDecided, FieldError, Invalid, NotFound, SecondPersonNeeded, Text
from chassis.uow import UnitOfWork

Body = TypeVar("Body")


@dataclass(frozen=True, slots=True)
class Version(Generic[Body]):
    """One version: `name` is what decisions store (`tiers/2`, `classes/B3/1` for a branch's override)."""

    name: str
    scope: str
    effective_on: date
    body: Body


class Policies(Generic[Body]):
    """All versions of one policy, shipped and published. Reads the published ones when told to refresh."""

    def __init__(self, name: str, shipped: Path, parse: Callable[[dict[str, Any]], Body]) -> None:
        self.name = name
        self.parse = parse
        entries = tomllib.loads(shipped.read_text("utf-8"), parse_float=str)[name]
        self.shipped = [
            Version(f"{name}/shipped-{index}", "", entry.pop("effective_on"), parse(entry))
            for index, entry in enumerate(entries, 1)
        ]
        self.published: list[Version[Body]] = []
        self._newest: Any = None
        self._on: dict[tuple[date, str], Version[Body]] = {}

    async def refresh(self, sql: asyncpg.Connection) -> None:
        """Read published versions when there are new ones."""
        newest = await sql.fetchval(
            "SELECT (count(*), max(checked_at))::text FROM policy_versions WHERE name = $1 AND state = 'published'",
            self.name,
        )
        if newest == self._newest:
            return
        rows = await sql.fetch(
            """SELECT scope, version, effective_on, body FROM policy_versions
               WHERE name = $1 AND state = 'published' ORDER BY effective_on, version""",
            self.name,
        )
        self.published = [
            Version(
                "/".join(filter(None, (self.name, row["scope"], str(row["version"])))),
                row["scope"],
                row["effective_on"],
                self.parse(row["body"]),
            )
            for row in rows
        ]
        self._newest = newest
        self._on.clear()

    def on(self, day: date, scope: str = "") -> Version[Body]:
        """The version in force on a day: a branch's override, else the firm's newest that has taken effect.

        A day before the first shipped version is served by the first: history has to begin somewhere.
        """
        found = self._on.get((day, scope))
        if found is None:
            found = self._on[day, scope] = self._in_force(day, scope)
        return found

    def _in_force(self, day: date, scope: str) -> Version[Body]:
        for wanted in dict.fromkeys((scope, "")):
            versions = [v for v in (*self.shipped, *self.published) if v.scope == wanted and v.effective_on <= day]
            if versions:
                return max(enumerate(versions), key=lambda pair: (pair[1].effective_on, pair[0]))[1]
        return self.shipped[0]

    def overrides_on(self, day: date) -> dict[str, Version[Body]]:
        """The branches whose override is in force on a day."""
        scopes = {version.scope for version in self.published if version.scope}
        found = {scope: self.on(day, scope) for scope in sorted(scopes)}
        return {scope: version for scope, version in found.items() if version.scope}


class PolicyInvalid(Invalid):
    """The proposed policy does not hold together; `detail` gives a counter-example."""

    title = Text("The policy does not hold together", "政策不自洽")


async def propose(
    uow: UnitOfWork, policies: Policies[Any], scope: str, effective_on: date, body: dict[str, Any], reason: str
) -> int:
    """Keep a draft; its number. `scope` is empty for the firm, else the branch whose override it is [a.3].

    Raises: PolicyInvalid when the body does not hold together, Invalid when it would take effect in the past.
    """
    policies.parse(body)
    if effective_on <= business_date(uow.now):
        raise Invalid(
            Text("a policy takes effect tomorrow at the earliest", "政策最早次日生效"),
            errors=(FieldError("/effective_on", "must be after today"),),
        )
    version: int = await uow.sql.fetchval(
        """INSERT INTO policy_versions (name, scope, version, effective_on, body, reason, state, made_by, made_at)
           SELECT $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5, 'draft', $6, $7 FROM policy_versions
           WHERE name = $1 AND scope = $2 RETURNING version""",
        policies.name,
        scope,
        effective_on,
        body,
        reason,
        uow.actor.person,
        uow.now,
    )
    uow.audit(
        "policy.proposed", _subject(policies.name, scope, version), body=body, effective_on=effective_on, reason=reason
    )
    return version


async def decide(uow: UnitOfWork, policies: Policies[Any], scope: str, version: int, *, publish: bool) -> None:
    """Publish or reject another person's draft.

    Raises: NotFound, AlreadyDecided, SecondPersonNeeded, Invalid when its day has come meanwhile.
    """
    row = await uow.sql.fetchrow(
        "SELECT * FROM policy_versions WHERE name = $1 AND scope = $2 AND version = $3 FOR UPDATE",
        policies.name,
        scope,
        version,
    )
    if row is None:
        raise NotFound
    if row["state"] != "draft":
        raise AlreadyDecided(state=row["state"])
    if row["made_by"] == uow.actor.person:
        raise SecondPersonNeeded
    if publish:
        policies.parse(row["body"])
        if row["effective_on"] <= business_date(uow.now):
            raise Invalid(Text("its first day has come: propose it anew", "生效日已到，请重新提出"))
    state = "published" if publish else "rejected"
    await uow.sql.execute(
        """UPDATE policy_versions SET state = $4, checked_by = $5, checked_at = $6
           WHERE name = $1 AND scope = $2 AND version = $3""",
        policies.name,
        scope,
        version,
        state,
        uow.actor.person,
        uow.now,
    )
    uow.audit(f"policy.{state}", _subject(policies.name, scope, version), effective_on=row["effective_on"])


async def versions(sql: asyncpg.Connection, names: Sequence[str]) -> list[asyncpg.Record]:
    """Every version kept in the database of some policies, newest first."""
    return await sql.fetch(
        "SELECT * FROM policy_versions WHERE name = ANY($1::text[]) ORDER BY made_at DESC, name, scope, version",
        list(names),
    )


def _subject(name: str, scope: str, version: int) -> str:
    return "policy/" + "/".join(filter(None, (name, scope, str(version))))
