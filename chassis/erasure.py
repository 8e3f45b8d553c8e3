"""Erasing a client: each service says what still keeps them, and reads nothing of theirs meanwhile.

    listens={ErasureRequested: answering(ErasureAnswered, kept.judge)}

The gateway asks (`platform.erasure.requested`), and destroys the keys once every service has answered that its
retention is over and no hold stands against it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import LargeBinary, MetaData

from chassis.uow import UnitOfWork
from contracts.platform import ErasureAnswered, ErasureRequested


@dataclass(frozen=True, slots=True)
class Judgement:
    """What keeps a client here: `reason` (empty: nothing), until when; `owners` are the keys that go with theirs."""

    reason: str = ""
    kept_until: date | None = None
    owners: Sequence[str] = ()


Judge = Callable[[UnitOfWork, Sequence[str]], Awaitable[Mapping[str, Judgement]]]
"""Judges clients; those left out are kept by nothing."""


async def nothing_keeps(_: UnitOfWork, __: Sequence[str]) -> Mapping[str, Judgement]:
    """For a service that keeps nothing that names or reaches a person, and whose records stay under the bare id."""
    return {}


@dataclass(frozen=True, slots=True)
class answering:
    """The handler of `platform.erasure.requested` of one service; its judge is asked before anything is decided as well."""

    answered: type[ErasureAnswered]
    judge: Judge = nothing_keeps

    async def __call__(self, events: Sequence[ErasureRequested], uow: UnitOfWork) -> None:
        """Answer what keeps each client."""
        clients = [event.client_id for event in events]
        uow.database.keyring.forget(clients)
        found = await self.judge(uow, clients)
        for event in events:
            one = found.get(event.client_id, Judgement())
            uow.emit(
                self.answered(
                    erasure_id=event.erasure_id,
                    client_id=event.client_id,
                    round=event.round,
                    over=not one.reason,
                    reason=one.reason,
                    kept_until=one.kept_until,
                    owners=list(one.owners),
                    answered_at=uow.now,
                ),
                at=uow.now,
            )


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What an erasure of a client would meet in a service: what keeps them, which sealed values could be read no more (by
    `table.column`), and how many rows stay under the bare id (by table)."""

    judgement: Judgement
    removes: Mapping[str, int]
    keeps: Mapping[str, int]


async def foreseen(uow: UnitOfWork, tables: MetaData, judge: Judge, client: str) -> Foreseen:
    """Look, without beginning anything."""
    removes: dict[str, int] = {}
    keeps: dict[str, int] = {}
    for table in sorted(tables.tables.values(), key=lambda one: one.name):
        if "client_id" not in table.columns:
            continue
        sealed = [
            one.name
            for one in table.columns
            if isinstance(one.type, LargeBinary) and one.comment and "encrypted" in one.comment
        ]
        counts = ", ".join(["count(*) AS rows", *(f'count("{name}") AS "{name}"' for name in sealed)])
        row = await uow.sql.fetchrow(f"SELECT {counts} FROM {table.name} WHERE client_id = $1", client)
        assert row is not None
        if row["rows"]:
            keeps[table.name] = row["rows"]
        removes |= {f"{table.name}.{name}": row[name] for name in sealed if row[name]}
    async with uow.undone():
        found = await judge(uow, [client])
    return Foreseen(found.get(client, Judgement()), removes, keeps)
