"""Finding cases, newest first: by state, owner, client, and by words of two characters, which may be in every case.

A page of a frequent word is full after a few of the newest cases, long before the index of words would have been read
and sorted: those are looked at first. When they do not fill it (the word is rare, was frequent long ago, or a filter
leaves few) the index is read after all, which for a rare word is quick.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from chassis.actor import Actor, Role
from chassis.errors import FieldError, Invalid
from chassis.http import object_scope
from services.complaints.seats import judges_conduct
from services.complaints.words import wanted

LOOKED_AT, CHECKED = 4_000, 600
"""How many of the newest cases are looked at, and in how many of them, that pass the filters, the words are looked for."""
FIRST_CUT = 1_000
"""How many of the newest cases of a word are taken from the index before all of them are."""

_PLACEHOLDER = re.compile(r"\$(\d+)")
_TEXT = "lower(concat_ws(' ', words, category, product, attributes::text))"
_NEWEST = "received_at DESC, case_id DESC"
# An expression, so that no index in that order is walked through everything that does not have the word.
_NEWEST_OF_ALL = "(received_at AT TIME ZONE 'UTC') DESC, case_id DESC"


class _Bound:
    """Arguments in the order of their placeholders."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def __call__(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


def place_of(after: Sequence[Any]) -> tuple[datetime, UUID]:
    """The place in the list that a cursor names.

    Raises: Invalid.
    """
    try:
        at, case_id = after
        found = datetime.fromisoformat(at), UUID(case_id)
    except (ValueError, TypeError, AttributeError):
        found = None
    if found is None or found[0].tzinfo is None:
        raise Invalid(errors=(FieldError("query#/cursor", "this text is not a cursor of this list"),))
    return found


class Search:
    """One question: which cases, of those the caller may see, behind a place in the list."""

    def __init__(
        self, actor: Actor, *, q: str | None, client: str | None, after: Sequence[Any] | None, conditions: Mapping[str, Any],
    ) -> None:  # fmt: skip
        self.bound = _Bound()
        scope, values = object_scope(actor, 1, centre=True)
        self.bound.values += values
        # What an index of cases leads to, and what each case is then asked.
        self.within = [scope]
        self.filters = [self._restricted(actor)]
        self.scoped = not (actor.sees_all_branches or actor.is_centre)
        self.narrow = client is not None or actor.role is Role.CLIENT
        if client is not None:
            self.within.append(f"client_id = {self.bound(client)}")
        self.behind = "true"
        if after is not None:
            at, case_id = place_of(after)
            self.behind = f"(received_at, case_id) < ({self.bound(at)}, {self.bound(case_id)})"
            self.within.append(self.behind)
        # `conditions`: one on a case's columns with a place for its value, and the value; None: not asked for.
        self.filters += [asked.format(self.bound(value)) for asked, value in conditions.items() if value is not None]
        self.has_words, self.grams = "true", ""
        if q:
            grams, runs = wanted(q)
            self.grams = self.bound(grams)
            for run in runs:
                self.filters.append(f"strpos({_TEXT}, {self.bound(run)}) > 0")
            self.has_words = f"""EXISTS (SELECT FROM case_words w WHERE w.case_id = c.case_id
                                         AND w.grams @> {self.grams}::int[])"""

    def _restricted(self, actor: Actor) -> str:
        if judges_conduct(actor):
            return f"NOT (restricted AND {self.bound(actor.person)} = ANY(concerned))"
        return "NOT restricted"

    async def page(self, sql: asyncpg.Connection, limit: int) -> list[asyncpg.Record]:
        """Up to so many cases, newest first."""
        if not self.grams or self.narrow:
            return await self._ask(
                sql, f"{self._cases(None)} c WHERE {self.has_words} ORDER BY {_NEWEST} LIMIT {limit}"
            )
        newest = f"{self._cases(LOOKED_AT)} c WHERE {self.has_words} ORDER BY {_NEWEST} LIMIT {limit}"
        found = await self._ask(sql, newest)
        if len(found) == limit or (self.scoped and await self._were_all(sql)):
            return found
        found = await self._from_index(sql, FIRST_CUT, limit)
        return found if len(found) == limit else await self._from_index(sql, None, limit)

    def _cases(self, looked_at: int | None) -> str:
        """Cases that pass the filters, newest first; of the newest `looked_at` only, and `CHECKED` of them."""
        filters = " AND ".join(self.filters)
        if looked_at is None:
            return f"SELECT * FROM (SELECT * FROM cases WHERE {' AND '.join(self.within)} AND {filters})"
        return f"""SELECT * FROM (SELECT * FROM ({self._newest(looked_at)}) n WHERE {filters}
                                  ORDER BY {_NEWEST} LIMIT {CHECKED})"""

    def _newest(self, count: int) -> str:
        return f"SELECT * FROM cases WHERE {' AND '.join(self.within)} ORDER BY {_NEWEST} LIMIT {count}"

    async def _were_all(self, sql: asyncpg.Connection) -> bool:
        """Whether the newest cases that were looked at are all there are."""
        (row,) = await self._ask(
            sql,
            f"""SELECT count(*) AS looked_at, count(*) FILTER (WHERE {" AND ".join(self.filters)}) AS checked
                FROM ({self._newest(LOOKED_AT)}) n""",
        )
        return bool(row["looked_at"] < LOOKED_AT and row["checked"] <= CHECKED)

    async def _from_index(self, sql: asyncpg.Connection, cut: int | None, limit: int) -> list[asyncpg.Record]:
        return await self._ask(
            sql,
            f"""WITH found AS MATERIALIZED (
                    SELECT case_id, received_at FROM case_words WHERE grams @> {self.grams}::int[] AND {self.behind}
                    ORDER BY {_NEWEST_OF_ALL} {f"LIMIT {cut}" if cut else ""})
                SELECT c.* FROM found f CROSS JOIN LATERAL (
                    SELECT * FROM cases s WHERE s.case_id = f.case_id AND {" AND ".join(self.within)}
                      AND {" AND ".join(self.filters)} OFFSET 0) c
                LIMIT {limit}""",
        )

    async def _ask(self, sql: asyncpg.Connection, query: str) -> list[asyncpg.Record]:
        """The rows of a question, given those of the values that it names."""
        named = sorted({int(number) for number in _PLACEHOLDER.findall(query)})
        places = {number: place for place, number in enumerate(named, 1)}
        renumbered = _PLACEHOLDER.sub(lambda found: f"${places[int(found[1])]}", query)
        return await sql.fetch(renumbered, *(self.bound.values[number - 1] for number in named))
