"""What a service keeps of clients: the fields it declares, each with the word of the highest (ce_time, ce_id).

    CLIENTS = Clients(metadata, Fact("branch_id", dated=True), Fact("opened_on", Date), columns=[Column("closed_on", Date)])

    listens={**CLIENTS.listens, ...}              # where keeping them is all there is to do
    changed = await CLIENTS.keep(uow, ClientUpdated, events)

The `clients` table holds the latest value of each field. A dated field is also known as of any day: a word counts from
the business date of its ce_time on (an opening's from the opening date, if that is earlier), and of the words that count
on a day the highest (ce_time, ce_id) is in force. So what a day finds does not depend on the order in which words came.
"""

from bisect import insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from types import MappingProxyType
from typing import Any

import asyncpg
from sqlalchemy import Column, Date, MetaData, Table, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from chassis.bus.record import Record
from chassis.clock import business_date
from chassis.service import Handler
from chassis.uow import UnitOfWork
from contracts.base import Event
from contracts.broker import ClientOpened, ClientUpdated, Profile
from contracts.relationships import ProfileChanged

Word = tuple[str, str, str, Any]
"""ce_time (UTC, ISO 8601), ce_id, the day it counts from (ISO 8601), the value."""
Words = Profile | ProfileChanged
"""Who tells of clients: the broker, and relationships of contact data that was entered."""
Intervals = list[tuple[date, dict[str, Any]]]
"""From which day on the dated fields have which values; the first speaks for all days before the next."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A field kept. `of` reads it from an event, None when the event does not say it; `dated`: a text known as of any day.

    `stored` makes of a client's new value what the column holds (an encrypted one).
    """

    name: str
    type: type[TypeEngine[Any]] = Text
    of: Callable[[Any], Any] | None = None
    dated: bool = False
    stored: Callable[[UnitOfWork, str, Any], Any] | None = None
    comment: str | None = None

    def said_by(self, event: Words) -> Any:
        """The value an event gives, None for none."""
        return self.of(event) if self.of else getattr(event, self.name, None)


def sealed(name: str) -> Callable[[Words], bytes | None]:
    """Reads a personal member as the event has it: encrypted."""
    return lambda event: event.sealed.get(name, "").encode() or None


def sealed_text(name: str) -> Callable[[Words], str | None]:
    """The same for a dated field, as a text."""
    return lambda event: event.sealed.get(name)


@dataclass(slots=True)
class _Client:
    """A client while a batch's words are merged in."""

    row: dict[str, Any]
    new: bool
    branch: str | None
    before: Intervals = field(default_factory=list)


class Clients:
    """The tables `clients` and, with dated fields, `client_intervals` of one service, and how events move them."""

    def __init__(
        self,
        metadata: MetaData,
        *facts: Fact,
        columns: Sequence[SchemaItem] = (),
        made_with: Mapping[str, Callable[[UnitOfWork, str], Any]] = MappingProxyType({}),
        follow: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`made_with`: columns given once, when a client is first heard of. `follow`: tables whose rows `t` with such a condition
        go with their client to another branch: the work that is open, so that who may do it is who has the client.
        """
        self.made_with = made_with
        self.follow = follow
        self.facts = {fact.name: fact for fact in facts}
        self.dated = tuple(fact.name for fact in facts if fact.dated)
        self.table = Table(
            "clients",
            metadata,
            Column("client_id", Text, primary_key=True),
            *(Column(fact.name, fact.type, comment=fact.comment) for fact in facts),
            *columns,
            Column("stamps", JSONB, nullable=False, server_default="{}", comment="[ce_time, ce_id, day] of each field"),
        )
        if self.dated:
            self.table.append_column(
                Column(
                    "earlier", JSONB, nullable=False, server_default="{}", comment="words of dated fields not in force"
                )
            )
            self.intervals = Table(
                "client_intervals",
                metadata,
                Column("client_id", Text, primary_key=True),
                Column("since", Date, primary_key=True, comment="-infinity for the first"),
                Column("until", Date, nullable=False, comment="exclusive; infinity for the last"),
                *(Column(name, Text) for name in self.dated),
                comment="of clients whose dated fields have changed; of all others `clients` speaks for every day",
            )
        self._columns = (*self.facts, "stamps", *(["earlier"] if self.dated else []))

    @property
    def listens(self) -> Mapping[type[Event], Handler]:
        """Handlers of openings and updates for a service that only keeps them."""

        def handler(kind: type[Profile]) -> Handler:
            async def keep(events: Sequence[Profile], uow: UnitOfWork) -> None:
                await self.keep(uow, kind, events)

            return keep

        return {ClientOpened: handler(ClientOpened), ClientUpdated: handler(ClientUpdated)}

    def join(self, day: str, client: str = "c", alias: str = "i") -> str:
        """SQL: the join that makes `on` good for a day, an expression, of the rows of `clients` named `client`."""
        return (
            f"LEFT JOIN client_intervals {alias} ON {alias}.client_id = {client}.client_id "
            f"AND {alias}.since <= {day} AND {alias}.until > {day}"
        )

    def on(self, name: str, client: str = "c", alias: str = "i") -> str:
        """SQL: a dated field as of the joined day."""
        if name not in self.dated:
            raise LookupError(f"{name} is not dated")
        return f"CASE WHEN {alias}.client_id IS NULL THEN {client}.{name} ELSE {alias}.{name} END"

    async def keep(self, uow: UnitOfWork, kind: type[Words], events: Sequence[Words]) -> dict[str, date]:
        """Merge a batch's events of one class.

        Returns for each client known before whose dated fields differ now, from which day on they do.
        """
        offered: dict[str, dict[str, list[Word]]] = {}
        for event, record in zip(events, uow.records(kind), strict=True):
            time, day = record.time.astimezone(UTC).isoformat(), day_of(event, record).isoformat()
            own = offered.setdefault(event.client_id, {})
            for name, fact in self.facts.items():
                if (value := fact.said_by(event)) is not None:
                    own.setdefault(name, []).append((time, record.id, day, value))
        clients = await self._locked(uow, sorted(offered))
        for client_id, client in clients.items():
            for name, words in offered[client_id].items():
                self.merge(uow, client.row, name, words)
        await self._write(uow, clients)
        await take_along(
            uow, self.follow, [name for name, one in clients.items() if one.row.get("branch_id") != one.branch]
        )
        return await self._rebuild(uow, clients) if self.dated else {}

    async def make(self, uow: UnitOfWork, client_ids: Sequence[str]) -> set[str]:
        """Make rows of clients not heard of before; returns them."""
        names = ("client_id", *self.made_with)
        rows = await uow.sql.fetch(
            f"""INSERT INTO clients ({", ".join(names)}) SELECT * FROM unnest({self._arrays(names)})
                ON CONFLICT DO NOTHING RETURNING client_id""",
            client_ids,
            *([value(uow, client_id) for client_id in client_ids] for value in self.made_with.values()),
        )
        return {row["client_id"] for row in rows}

    async def branches(self, sql: asyncpg.Connection, client_ids: Iterable[str]) -> dict[str, str | None]:
        """The branches in which clients are now, for rows that follow them: until this transaction ends nobody moves them."""
        rows = await sql.fetch(
            """SELECT client_id, branch_id FROM clients WHERE client_id = ANY($1::text[])
               ORDER BY client_id FOR SHARE""",
            sorted(set(client_ids)),
        )
        return {row["client_id"]: row["branch_id"] for row in rows}

    def _arrays(self, names: Sequence[str]) -> str:
        """`$1::text[], $2::date[], ...`: a parameter for each column."""
        types = [self.table.c[name].type.compile(postgresql.dialect()) for name in names]  # type: ignore[no-untyped-call]
        return ", ".join(f"${n}::{of}[]" for n, of in enumerate(types, 1))

    async def _locked(self, uow: UnitOfWork, client_ids: Sequence[str]) -> dict[str, _Client]:
        fresh = await self.make(uow, client_ids)
        rows = await uow.sql.fetch(
            f"""SELECT client_id, {", ".join(self._columns)} FROM clients
                WHERE client_id = ANY($1::text[]) ORDER BY client_id FOR UPDATE""",
            client_ids,
        )
        found = {row["client_id"]: _Client(dict(row), row["client_id"] in fresh, row.get("branch_id")) for row in rows}
        for client in found.values():
            client.before = self.intervals_of(client.row)
        return found

    def merge(self, uow: UnitOfWork, row: dict[str, Any], name: str, words: Sequence[Word]) -> None:
        """Put words in their places: the highest in force, of dated fields the others among the earlier."""
        fact, known = self.facts[name], self._words(row, name)
        for word in words:
            if not any(word[:2] == one[:2] for one in known):
                insort(known, word, key=lambda one: one[:2])
        *earlier, (time, event_id, day, value) = known
        if row["stamps"].get(name, ())[:2] != [time, event_id]:
            row["stamps"] = {**row["stamps"], name: [time, event_id, day]}
            row[name] = fact.stored(uow, row["client_id"], value) if fact.stored else value
        if fact.dated and earlier:
            row["earlier"] = {**row["earlier"], name: [list(one) for one in earlier]}

    def _words(self, row: Mapping[str, Any], name: str) -> list[Word]:
        """The words known of a field, lowest first; of a field without dates only the one in force."""
        if name not in row["stamps"]:
            return []
        time, event_id, *day = row["stamps"][name]
        earlier = row["earlier"].get(name, ()) if self.facts[name].dated else ()
        return [*(tuple(one) for one in earlier), (time, event_id, day[0] if day else time[:10], row[name])]

    def intervals_of(self, row: Mapping[str, Any]) -> Intervals:
        """The dated fields of a row of `clients` over time."""
        words = {name: self._words(row, name) for name in self.dated}
        found: Intervals = []
        for day in sorted({word[2] for own in words.values() for word in own}):
            values = {name: _in_force(own, day) for name, own in words.items()}
            if not found or found[-1][1] != values:
                found.append((date.fromisoformat(day) if found else date.min, values))
        return found

    async def _write(self, uow: UnitOfWork, clients: Mapping[str, _Client]) -> None:
        names = ("client_id", *self._columns)
        await uow.sql.execute(
            f"""UPDATE clients c SET {", ".join(f"{name} = n.{name}" for name in self._columns)}
                FROM unnest({self._arrays(names)}) AS n({", ".join(names)}) WHERE c.client_id = n.client_id""",
            list(clients),
            *([one.row[name] for one in clients.values()] for name in self._columns),
        )

    async def _rebuild(self, uow: UnitOfWork, clients: Mapping[str, _Client]) -> dict[str, date]:
        after = {client_id: self.intervals_of(client.row) for client_id, client in clients.items()}
        differing = [client_id for client_id, client in clients.items() if after[client_id] != client.before]
        moved = [client_id for client_id in differing if max(len(clients[client_id].before), len(after[client_id])) > 1]
        if moved:
            await uow.sql.execute("DELETE FROM client_intervals WHERE client_id = ANY($1::text[])", moved)
            await uow.sql.copy_records_to_table(
                "client_intervals",
                records=[row for client_id in moved for row in _rows(client_id, after[client_id])],
                columns=("client_id", "since", "until", *self.dated),
            )
        return {
            client_id: differs_from(clients[client_id].before, after[client_id])
            for client_id in differing
            if not clients[client_id].new
        }


async def take_along(uow: UnitOfWork, follow: Mapping[str, str], clients: Sequence[str]) -> None:
    """Put what follows clients, rows `t` of tables by their conditions, where the clients are now."""
    for table, condition in follow.items() if clients else ():
        await uow.sql.execute(
            f"""UPDATE {table} t SET branch_id = c.branch_id FROM clients c
                WHERE c.client_id = ANY($1::text[]) AND t.client_id = c.client_id AND {condition}
                  AND t.branch_id IS DISTINCT FROM c.branch_id""",
            clients,
        )


def day_of(event: Words, record: Record) -> date:
    """The day from which an event's words count."""
    day = business_date(record.time)
    return min(day, event.opened_on) if isinstance(event, ClientOpened) else day


def _in_force(words: Sequence[Word], day: str) -> Any:
    """The value in force on a day, of words lowest first; before all of them what their first day says."""
    if not words:
        return None
    known = max(day, min(word[2] for word in words))
    return next(word[3] for word in reversed(words) if word[2] <= known)


def _rows(client_id: str, intervals: Intervals) -> list[tuple[Any, ...]]:
    """The rows of `client_intervals`; none of a client who has always been as now."""
    if len(intervals) == 1:
        return []
    ends = [*(since for since, _ in intervals[1:]), date.max]
    return [(client_id, since, end, *values.values()) for (since, values), end in zip(intervals, ends, strict=True)]


def differs_from(before: Intervals, after: Intervals) -> date:
    """The first day on which two histories differ that are not the same."""
    days = sorted({day for day, _ in (*before, *after)})
    return next(day for day in days if values_on(before, day) != values_on(after, day))


def values_on(intervals: Intervals, day: date) -> dict[str, Any] | None:
    """The values in force on a day."""
    return next((values for since, values in reversed(intervals) if since <= day), None)
