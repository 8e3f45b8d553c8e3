"""Histories this service tells: each client's stretches as they are now, and every change of them as it was told.

    RATES = Told(metadata, "fee_rates", RateStretch)

    for change in await RATES.put(uow, {client_id: stretches}):
        uow.emit(FeeRateChanged(**change.fields, apply_from=...))

What is given is how it is by all that is known; what differs from what was told before is told from the first day on
which it does. Changes are kept with the instant they were recorded, so that a history is read as of then too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Generic, Protocol, TypeVar

import asyncpg
import msgspec
from sqlalchemy import BigInteger, Column, Date, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from chassis.tables import Instant
from chassis.uow import UnitOfWork
from contracts.fields import decode_custom, encode_custom


class Stretch(Protocol):
    """Something from a day on, until another (exclusive)."""

    @property
    def since(self) -> date: ...
    @property
    def until(self) -> date | None: ...


S = TypeVar("S", bound=Any)
Parts = tuple[date, date | None, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Told(Generic[S]):
    """What has changed of a client's history: from `changed_from` on it is `stretches`."""

    client_id: str
    revision: int
    changed_from: date
    stretches: list[S]

    @property
    def fields(self) -> dict[str, Any]:
        """As an event says it."""
        return {
            "client_id": self.client_id, "revision": self.revision, "changed_from": self.changed_from,
            "stretches": self.stretches,
        }  # fmt: skip


class Telling(Generic[S]):
    """The tables NAME (a row a client) and NAME_changes of one history."""

    def __init__(self, metadata: MetaData, name: str, stretch: type[S]) -> None:
        self.name = name
        # What we wrote ourselves needs no check of its fields again.
        self._read = msgspec.json.Decoder(list[stretch], dec_hook=decode_custom).decode  # type: ignore[valid-type]
        self.table = Table(
            name,
            metadata,
            Column("client_id", Text, primary_key=True),
            Column("revision", BigInteger, nullable=False),
            Column("stretches", JSONB, nullable=False),
        )
        Table(
            f"{name}_changes",
            metadata,
            Column("client_id", Text, primary_key=True),
            Column("revision", BigInteger, primary_key=True),
            Column("changed_from", Date, nullable=False),
            Column("stretches", JSONB, nullable=False),
            Column("recorded_at", Instant, nullable=False),
        )

    async def now(self, sql: asyncpg.Connection, clients: Sequence[str]) -> dict[str, tuple[int, list[S]]]:
        """Revision and stretches of clients who have any."""
        return {
            client_id: (revision, self._read(stretches))
            for client_id, revision, stretches in await sql.fetch(
                f"SELECT client_id, revision, stretches::text FROM {self.name} WHERE client_id = ANY($1::text[])",
                list(clients),
            )
        }

    async def of(self, sql: asyncpg.Connection, client_id: str, known_at: datetime | None = None) -> list[S]:
        """A client's stretches, as they were known at an instant where one is given."""
        if known_at is None:
            return (await self.now(sql, [client_id])).get(client_id, (0, []))[1]
        held: list[S] = []
        for changed_from, stretches in await sql.fetch(
            f"""SELECT changed_from, stretches::text FROM {self.name}_changes
                WHERE client_id = $1 AND recorded_at <= $2 ORDER BY revision""",
            client_id,
            known_at,
        ):
            held = [*before(held, changed_from), *self._read(stretches)]
        return held

    async def put(self, uow: UnitOfWork, wanted: Mapping[str, Sequence[S]]) -> list[Told[S]]:
        """Keep how the histories of clients are now; their rows of `clients` are locked. Returns what differs."""
        known = await self.now(uow.sql, list(wanted))
        changes = []
        for client_id, stretches in wanted.items():
            revision, told = known.get(client_id, (0, []))
            day = first_difference(told, stretches)
            if day is not None:
                changes.append(Told(client_id, revision + 1, day, after(stretches, day)))
        if changes:
            await self._write(uow, changes, wanted)
        return changes

    async def again(self, uow: UnitOfWork, clients: Sequence[str]) -> list[Told[S]]:
        """Tell the whole histories of clients once more, under their next revisions, for who heard nothing of them; their rows of
        `clients` are locked."""
        known = {client_id: held for client_id, held in (await self.now(uow.sql, clients)).items() if held[1]}
        changes = [
            Told(client_id, revision + 1, min(one.since for one in stretches), stretches)
            for client_id, (revision, stretches) in known.items()
        ]
        if changes:
            await self._write(uow, changes, {one.client_id: one.stretches for one in changes})
        return changes

    async def _write(self, uow: UnitOfWork, changes: Sequence[Told[S]], wanted: Mapping[str, Sequence[S]]) -> None:
        clients, revisions = [one.client_id for one in changes], [one.revision for one in changes]
        await uow.sql.execute(
            f"""INSERT INTO {self.name} AS t (client_id, revision, stretches)
                SELECT c, r, s::jsonb FROM unnest($1::text[], $2::bigint[], $3::text[]) AS n(c, r, s)
                ON CONFLICT (client_id) DO UPDATE SET revision = excluded.revision, stretches = excluded.stretches""",
            clients,
            revisions,
            [_text(wanted[client_id]) for client_id in clients],
        )
        await uow.sql.execute(
            f"""INSERT INTO {self.name}_changes (client_id, revision, changed_from, stretches, recorded_at)
                SELECT c, r, d, s::jsonb, $5 FROM unnest($1::text[], $2::bigint[], $3::date[], $4::text[]) AS n(c, r, d, s)""",
            clients,
            revisions,
            [one.changed_from for one in changes],
            [_text(one.stretches) for one in changes],
            uow.now,
        )


def _text(stretches: Iterable[Any]) -> str:
    return msgspec.json.encode(list(stretches), enc_hook=encode_custom).decode()


def before(stretches: Iterable[S], day: date) -> list[S]:
    """What stretches say of the days before one."""
    cut = [one for one in stretches if one.since < day]
    return [one if one.until and one.until <= day else msgspec.structs.replace(one, until=day) for one in cut]


def after(stretches: Iterable[S], day: date) -> list[S]:
    """What stretches say of a day and those that follow."""
    left = [one for one in stretches if one.until is None or one.until > day]
    return [one if one.since >= day else msgspec.structs.replace(one, since=day) for one in left]


def on(stretches: Iterable[S], day: date) -> list[S]:
    """The stretches of a day."""
    return [one for one in stretches if one.since <= day and (one.until is None or day < one.until)]


def first_difference(told: Sequence[S], wanted: Sequence[S]) -> date | None:
    """The first day of which two histories say something else."""
    was, now = _apart(told, wanted)
    days: list[date] = sorted({day for since, until, _ in (*was, *now) for day in (since, until) if day is not None})
    for day in days:
        told_then, told_now = (
            {said for since, until, said in side if since <= day and (until is None or day < until)}
            for side in (was, now)
        )
        if told_then != told_now:
            return day
    return None


def _apart(told: Sequence[Any], wanted: Sequence[Any]) -> tuple[set[Parts], set[Parts]]:
    """What each side alone says: what both say of the same days makes no difference."""
    try:
        both = {*told} & {*wanted}
    except TypeError:  # of those that hold lists
        was, now = {_parts(one) for one in told}, {_parts(one) for one in wanted}
        return was - now, now - was
    return {_parts(one) for one in told if one not in both}, {_parts(one) for one in wanted if one not in both}


def _parts(one: Any) -> Parts:
    """The days of a stretch, and what it says of them."""
    said = (getattr(one, name) for name in one.__struct_fields__ if name not in ("since", "until"))
    return one.since, one.until, tuple(tuple(value) if isinstance(value, list) else value for value in said)
