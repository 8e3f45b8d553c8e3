"""Reads are answered as the framework would answer them, and nearly all of them without it."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY

import chassis.database
from careline.services import SERVICES
from chassis.actor import Role
from chassis.database import Database, DatabaseAway
from chassis.http import service_app
from chassis.http.direct import Direct, plans_of
from chassis.settings import Settings
from tests.chassis.http.conftest import SAMPLE
from tests.conftest import KEYS, Cluster

OF_REQUEST = ("x-request-id", "date")


@pytest.fixture
async def framework(here: Settings, database: Database) -> FastAPI:
    """The same app without its innermost layer."""
    app = service_app(SAMPLE, database, here)
    app.user_middleware = [one for one in app.user_middleware if one.cls is not Direct]  # type: ignore[comparison-overlap]
    return app


@pytest.mark.parametrize(
    "path",
    [
        "/v1/sample/notes",
        "/v1/sample/notes?limit=1",
        "/v1/sample/notes?limit=x",
        "/v1/sample/notes?limit=201",
        "/v1/sample/notes?cursor=abc",
        "/v1/sample/notes?other=1",
        "/v1/sample/clients/c-1",
        "/v1/sample/clients/%00",
        "/v1/sample/clients/nobody",
        "/v1/sample/clients/",
        "/v1/sample/odd/outage",
        "/v1/sample/odd/error",
        "/v1/sample/nothing",
    ],
)
async def test_an_answer_is_the_frameworks(
    app: FastAPI, framework: FastAPI, database: Database, as_, path: str
) -> None:  # type: ignore[no-untyped-def]
    async with database.unit_of_work() as uow:
        await uow.sql.execute("INSERT INTO notes VALUES (1, 'c-1', 'B1', 'a'), (2, 'c-2', 'B2', 'b')")
        uow.audit("note", "note/1")
    own = as_(Role.CLIENT, client_id="c-1")
    for headers in (as_(Role.AGENT, branch_id="B1", purpose="test"), as_(Role.AGENT, branch_id="B1"), own, {}):
        found = []
        for one in (app, framework):
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(one, raise_app_exceptions=False), base_url="http://sample"
            ) as http:
                answer = await http.get(path, headers=headers | {"accept-language": "zh-CN", "x-request-id": "r-1"})
            kept = {name: value for name, value in answer.headers.items() if name not in OF_REQUEST}
            found.append((answer.status_code, kept, answer.content))
        assert found[0] == found[1]
    async with database.reading() as sql:
        rows = await sql.fetch("SELECT object, count(*) AS n FROM audit WHERE action = 'read' GROUP BY object")
    assert all(row["n"] % 2 == 0 for row in rows), "each of the two left the same rows"


async def test_a_pool_keeps_what_a_rush_opened_and_replaces_what_the_server_has_ended(
    database: Database, postgres: Cluster
) -> None:
    """Also where the pool is full and its server has ended all of them: each is made again when it is asked for."""

    async def rush() -> dict[int, asyncpg.Connection]:
        async with AsyncExitStack() as reading:
            lent = [await reading.enter_async_context(database.reading()) for _ in range(database.settings.pool_size)]
            assert await lent[0].fetchval("SHOW idle_session_timeout") == "1min"
            return {one.get_server_pid(): one for one in lent}

    first = await rush()
    assert (await rush()).keys() == first.keys()
    ended: asyncio.Queue[object] = asyncio.Queue()
    for one in first.values():
        one.add_termination_listener(ended.put_nowait)
    await postgres.admin(f"SELECT pg_terminate_backend(pid) FROM unnest(ARRAY{sorted(first)}) AS pid")
    async with asyncio.timeout(60):
        for _ in first:
            await ended.get()
    assert (await rush()).keys().isdisjoint(first.keys())


async def test_a_pool_lends_nothing_that_the_server_may_have_ended_unheard(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was busy or stopped for longer than the server keeps what is unused: the next request is answered."""
    async with database.reading() as sql:
        first = sql.get_server_pid()
    async with database.reading() as sql:
        assert sql.get_server_pid() == first
    monkeypatch.setattr(chassis.database, "monotonic", lambda: monotonic() + chassis.database.POOL_IDLE_SECONDS)
    async with database.reading() as sql:
        assert sql.get_server_pid() != first
        second = sql.get_server_pid()
    async with database.reading() as sql:
        assert sql.get_server_pid() == second


async def test_what_reads_keep_for_the_next_one_is_there_for_whoever_needs_it(database: Database) -> None:
    """All connections were lent to reads and none is with the pool: work gets one, and so do as many reads as before."""
    size = database.settings.pool_size
    async with AsyncExitStack() as reading:
        for _ in range(size):
            await reading.enter_async_context(database.reading())
    async with AsyncExitStack() as working:
        kept = {(await working.enter_async_context(database.unit_of_work())).sql for _ in range(size - 1)}
        async with database.reading() as sql:
            assert sql not in kept
        waiting = asyncio.create_task(_asked(database))
        async with database.reading() as sql:
            assert not waiting.done()
        assert await waiting == 1, "a read that ends gives its connection to who waits"


async def _asked(database: Database) -> int:
    async with database.unit_of_work() as uow:
        return int(await uow.sql.fetchval("SELECT 1"))


async def test_a_connection_that_cannot_be_had_is_an_outage_for_reads_and_writes_alike(
    database: Database, postgres: Cluster
) -> None:
    """A server that starts up or takes nobody in: what waits for it is told so, and no record is blamed."""
    name = urlsplit(database.url).path[1:]
    await database.close()
    await postgres.admin(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    for way in (database.reading, database.unit_of_work):
        with pytest.raises(DatabaseAway):
            async with way():
                raise AssertionError("no connection can be had")
    await postgres.admin(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    async with database.reading() as sql:
        assert await sql.fetchval("SELECT 1") == 1


async def test_what_it_counts_is_under_the_routes_name(app: FastAPI, http: httpx.AsyncClient, as_) -> None:  # type: ignore[no-untyped-def]
    labels = {"service": "sample", "method": "GET", "route": "/v1/sample/notes", "status": "200"}

    def counted() -> float:
        return REGISTRY.get_sample_value("careline_http_seconds_count", labels) or 0.0

    before = counted()
    assert (await http.get("/v1/sample/notes?limit=2", headers=as_(Role.HQ))).status_code == 200
    assert counted() == before + 1


def test_nearly_every_read_of_every_service_goes_this_way(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url="postgresql://nobody@127.0.0.1:1/none", **KEYS)
    plain, others = 0, list[str]()
    for service in SERVICES:
        app = service_app(service, Database(settings, service.name), settings)
        paths = {route.path_regex: route.path for route in app.router.routes if hasattr(route, "path_regex")}  # type: ignore[attr-defined]
        for regex, plan in {one for same_length in plans_of(app).values() for one in same_length}:
            plain += plan is not None
            if plan is None and paths[regex].startswith(f"/v1/{service.name}/"):
                others.append(paths[regex])
    assert plain > 200
    assert sorted(others) == ["/v1/callbacks/tasks", "/v1/callbacks/tasks/counts"]
