"""Clients: whose they are, when their accounts opened and closed; a client's row is the lock of all that is theirs."""

from collections.abc import Sequence
from datetime import date

import asyncpg

from chassis import rows
from chassis.actor import Actor
from chassis.errors import NotFound
from chassis.http import require_sight
from chassis.rows import Row
from chassis.uow import UnitOfWork
from services.products.tables import CLIENTS


class ClientRow(Row, frozen=True):
    """A client."""

    client_id: str
    branch_id: str | None
    opened_on: date | None
    closed_on: date | None

    def open_on(self, day: date) -> bool:
        """Whether the account is open on a day: the day it closes it is not."""
        return self.closed_on is None or day < self.closed_on


async def lock(uow: UnitOfWork, client_ids: Sequence[str]) -> dict[str, ClientRow]:
    """Lock the rows of clients, in order; made where there are none."""
    ordered = sorted(set(client_ids))
    await CLIENTS.make(uow, ordered)
    found = await rows.fetch(
        uow.sql,
        ClientRow,
        f"SELECT {rows.columns(ClientRow)} FROM clients WHERE client_id = ANY($1::text[]) ORDER BY client_id FOR UPDATE",
        ordered,
    )
    return {row.client_id: row for row in found}


async def seen(actor: Actor, sql: asyncpg.Connection, client_id: str) -> ClientRow:
    """A client the caller may see.

    Raises: NotFound.
    """
    found = await rows.fetch(
        sql, ClientRow, f"SELECT {rows.columns(ClientRow)} FROM clients WHERE client_id = $1", client_id
    )
    if not found:
        raise NotFound
    require_sight(actor, client_id, found[0].branch_id)
    return found[0]


async def branches_of(sql: asyncpg.Connection, client_ids: Sequence[str]) -> dict[str, str | None]:
    """The branches of clients that are known."""
    return {  # noqa: C416 - rows are records, not pairs
        client_id: branch_id
        for client_id, branch_id in await sql.fetch(
            "SELECT client_id, branch_id FROM clients WHERE client_id = ANY($1::text[])", list(client_ids)
        )
    }
