"""A small service of its own behind HTTP: notes about clients."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.database import Database
from chassis.errors import Conflict, NotFound
from chassis.http import (
    IfMatch,
    Listing,
    Once,
    Page,
    Reading,
    Work,
    mint,
    object_scope,
    permits,
    require_sight,
    router,
    service_app,
)
from chassis.http.persons import PersonId
from chassis.migrate import migrate
from chassis.personal.keys import ClientKey, Keyring
from chassis.service import Service
from chassis.settings import Settings
from chassis.tables import new_metadata
from chassis.uow import UnitOfWork
from contracts.broker import ClientClosed, ClientOpened

routes = router("/v1/sample", "sample")
STAFF = (Role.AGENT, Role.BRANCH_MANAGER, Role.HQ, Role.SYSTEM)


class Taken(Conflict):
    """A note of this number exists."""


class NewNote(BaseModel, extra="forbid"):
    id: int = Field(ge=1)
    client_id: str
    tags: list[int] = []
    text: str = Field(min_length=1, max_length=20)


@routes.post("/notes", status_code=201)
async def write(
    actor: Annotated[Actor, permits("notes:write", *STAFF)], uow: Work, once: Once, note: NewNote
) -> dict[str, Any]:
    if await uow.sql.fetchval("SELECT true FROM notes WHERE id = $1", note.id):
        raise Taken("this number is taken", number=note.id)
    if note.text == "wait":
        await GATE.wait()
    await uow.sql.execute("INSERT INTO notes VALUES ($1, $2, 'B1', $3)", note.id, note.client_id, note.text)
    uow.audit("note", f"note/{note.id}")
    return {"id": note.id, "count": await uow.sql.fetchval("SELECT count(*) FROM notes")}


@routes.get("/notes")
async def notes(
    actor: Annotated[Actor, permits("notes:list", Role.CLIENT, *STAFF)], sql: Reading, page: Page
) -> Listing[dict[str, Any]]:
    condition, arguments = object_scope(actor, 3)
    after = page.after[0] if page.after else 0
    rows = await sql.fetch(
        f"SELECT * FROM notes WHERE id > $1 AND {condition} ORDER BY id LIMIT $2", after, page.limit + 1, *arguments
    )
    return page.result([dict(row) for row in rows], lambda row: (row["id"],))  # type: ignore[return-value]


@routes.get("/clients/{client_id}")
async def client(
    client_id: str, actor: Annotated[Actor, permits("notes:read", Role.CLIENT, *STAFF)], sql: Reading
) -> dict[str, Any]:
    row = await sql.fetchrow("SELECT * FROM notes WHERE client_id = $1 LIMIT 1", client_id)
    if row is None:
        raise NotFound
    require_sight(actor, client_id, row["branch_id"])
    return dict(row)


@routes.put("/notes/{number}")
async def rewrite(number: int, actor: Annotated[Actor, permits("notes:write", *STAFF)], match: IfMatch) -> None:
    match.check(7)


class Colleagues(BaseModel, extra="forbid"):
    first: PersonId
    others: list[PersonId | None] = []
    inner: "Colleagues | None" = None


@routes.post("/clients/{client_id}/colleagues")
async def name_colleagues(
    client_id: str, actor: Annotated[Actor, permits("notes:write", *STAFF)], uow: Work, body: Colleagues
) -> Colleagues:
    if body.first != "unchanged":
        await uow.sql.execute("INSERT INTO notes VALUES (50, $1, 'B1', 'named')", client_id)
    return body


@routes.get("/odd/{how}")
async def odd(how: str, actor: Annotated[Actor, permits("notes:list", *STAFF)], uow: Work) -> None:
    if how == "slow":
        await asyncio.Event().wait()
    if how == "outage":
        raise ConnectionResetError("10.1.2.3 went away")
    if how == "commit":
        await uow.sql.execute("INSERT INTO notes VALUES (99, 'c', 'B1', 'kept?')")
        uow.audit("x", "y", secret=object())
    raise RuntimeError("a secret of the inside")


GATE = asyncio.Event()


async def hear_opened(events: Sequence[ClientOpened], uow: UnitOfWork) -> None:
    for event in events:
        await uow.sql.execute(
            "INSERT INTO notes VALUES ($1, $2, $3, 'opened')",
            int(event.referrer_id or 0),
            event.client_id,
            event.branch_id,
        )


async def put_in_place(events: Sequence[ClientOpened], uow: UnitOfWork) -> None:
    for event in events:
        await uow.sql.execute("UPDATE notes SET branch_id = $2 WHERE client_id = $1", event.client_id, event.branch_id)


SAMPLE = Service(
    name="sample",
    tables=new_metadata(),
    migrations=Path(__file__).parent / "sample",
    routes=routes,
    listens={ClientOpened: hear_opened},
    publishes=[ClientOpened, ClientClosed],
    accepts={ClientOpened: put_in_place},
)


@pytest.fixture
async def here(settings: Settings, database_url: str) -> Settings:
    """Settings of a platform that has the sample service only."""
    here = settings.model_copy(update={"database_url": database_url})
    await migrate(here, [SAMPLE])
    return here


class KeysOfTheTest:
    """In place of the gateway's store, which is none of the chassis' own: a key for whoever is asked for."""

    async def fetch(self, owners: Sequence[str], *, make: bool) -> Sequence[ClientKey]:
        return [ClientKey(owner, 1, owner.encode().ljust(32)[:32]) for owner in owners]


@pytest.fixture
async def database(here: Settings) -> AsyncIterator[Database]:
    database = Database(here, "sample")
    database.keyring = Keyring(KeysOfTheTest())
    yield database
    await database.close()


@pytest.fixture
def app(here: Settings, database: Database) -> FastAPI:
    return service_app(SAMPLE, database, here)


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sample") as client:
        yield client


@pytest.fixture
def as_(here: Settings):  # type: ignore[no-untyped-def]
    """`as_(Role.AGENT, branch_id="B1")`: the headers of such a caller."""

    def headers(role: Role, subject: str = "someone", **rest: str) -> dict[str, str]:
        return {"careline-identity": mint(Actor(subject, role, **rest), here)}

    return headers
