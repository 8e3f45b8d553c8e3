"""Copies of histories as their publisher tells them, where late facts rewrite what was told: tiers, groups, core.

    TIERS = History(metadata, "tiers", Column("since", Date, primary_key=True), Column("tier", Text), told=lambda change:
                    [(stretch.since, stretch.tier) for stretch in change.stretches])

    fresh = await TIERS.keep(uow, changes)

Each change carries a client, a revision, `changed_from`, and how it is from there on. The copy is the fold of all changes
by revision: what begins on `changed_from` or later is dropped, what is told is taken over. Changes are kept, so that one
which comes late (a redriven dead letter) fills its place and disturbs nothing told after it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from sqlalchemy import BigInteger, Column, Date, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import SchemaItem

from chassis.uow import UnitOfWork


class Change(Protocol):
    """What tells of a history."""

    @property
    def client_id(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def changed_from(self) -> date: ...


C = TypeVar("C", bound=Change)
Row = tuple[Any, ...]


class History(Generic[C]):
    """The tables NAME (an interval a row, `since` among the keys) and NAME_changes of one service.

    `told` gives the intervals of a change, their values in the order of the columns.
    """

    def __init__(self, metadata: MetaData, name: str, *columns: SchemaItem, told: Callable[[C], Iterable[Row]]) -> None:
        self.name, self.told = name, told
        self.table = Table(name, metadata, Column("client_id", Text, primary_key=True), *columns)
        self.columns = tuple(column for column in self.table.columns if column.name != "client_id")
        self._key = [n for n, column in enumerate(self.columns) if column.primary_key]
        self._since = next(n for n, column in enumerate(self.columns) if column.name == "since")
        self._dates = [n for n, column in enumerate(self.columns) if isinstance(column.type, Date)]
        Table(
            f"{name}_changes",
            metadata,
            Column("client_id", Text, primary_key=True),
            Column("revision", BigInteger, primary_key=True),
            Column("changed_from", Date, nullable=False),
            Column("told", JSONB, nullable=False),
            comment=f"what {name} is the fold of",
        )

    async def keep(self, uow: UnitOfWork, changes: Sequence[C]) -> list[bool]:
        """Take over changes; for each, whether it was not heard before (and so may differ from its day on)."""
        first: dict[tuple[str, int], C] = {}
        is_first = [first.setdefault((one.client_id, one.revision), one) is one for one in changes]
        ordered = sorted(first)
        rows = await uow.sql.fetch(
            f"""INSERT INTO {self.name}_changes (client_id, revision, changed_from, told)
                SELECT c, r, d, t::jsonb FROM unnest($1::text[], $2::bigint[], $3::date[], $4::text[]) AS n(c, r, d, t)
                ON CONFLICT DO NOTHING RETURNING client_id, revision""",
            [client_id for client_id, _ in ordered],
            [revision for _, revision in ordered],
            [first[name].changed_from for name in ordered],
            # As text: the driver takes lists in a list for an array of more dimensions.
            [msgspec.json.encode(list(self.told(first[name]))).decode() for name in ordered],
        )
        new = {(client_id, revision) for client_id, revision in rows}
        await self._rebuild(uow, sorted({client_id for client_id, _ in new}))
        return [fresh and (one.client_id, one.revision) in new for fresh, one in zip(is_first, changes, strict=True)]

    async def _rebuild(self, uow: UnitOfWork, clients: Sequence[str]) -> None:
        told: defaultdict[str, list[tuple[date, Sequence[Row]]]] = defaultdict(list)
        for client_id, changed_from, rows in await uow.sql.fetch(
            f"""SELECT client_id, changed_from, told FROM {self.name}_changes
                WHERE client_id = ANY($1::text[]) ORDER BY client_id, revision""",
            clients,
        ):
            told[client_id].append((changed_from, [self._read(row) for row in rows]))
        await uow.sql.execute(f"DELETE FROM {self.name} WHERE client_id = ANY($1::text[])", clients)
        await uow.sql.copy_records_to_table(
            self.name,
            records=[(client_id, *row) for client_id, changes in told.items() for row in self.folded(changes)],
            columns=("client_id", *(column.name for column in self.columns)),
        )

    def _read(self, row: Sequence[Any]) -> Row:
        values = list(row)
        for n in self._dates:
            values[n] = values[n] and date.fromisoformat(values[n])
        return tuple(values)

    def folded(self, changes: Iterable[tuple[date, Iterable[Row]]]) -> list[Row]:
        """The intervals that changes leave, given by (changed_from, what is told) in the order of their revisions."""
        held: Mapping[Row, Row] = {}
        for changed_from, told in changes:
            before = {key: row for key, row in held.items() if row[self._since] < changed_from}
            held = {**before, **{tuple(row[n] for n in self._key): row for row in told}}
        return [held[key] for key in sorted(held)]

    def on(self, column: str, client: str, day: str) -> str:
        """SQL: the value for a client on a day, of a history with one value a day; NULL where none is known."""
        until = "AND coalesce(h.until > {day}, true)" if "until" in self.table.columns else ""
        return f"""(SELECT h.{column} FROM {self.name} h WHERE h.client_id = {client} AND h.since <= {day}
                    {until.format(day=day)} ORDER BY h.since DESC LIMIT 1)"""
