"""Dated policy: the numbers and tables the business changes, each version with the day it takes effect.

The versions a service ships stand in its `policy.toml`; later ones, and a branch's overrides, are published over REST
by two persons and stand in the table `policy_versions`. What a body may say is the service's own type: parsing it
is the check, and refuses with a reason.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Generic, TypeVar

import asyncpg

from chassis.errors import Invalid, Text

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

    def on(self, day: date, scope: str = "") -> Version[Body]:
        """The version in force on a day: a branch's override, else the firm's newest that has taken effect.

        A day before the first shipped version is served by the first: history has to begin somewhere.
        """
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
