"""Who sends slowly, or not at all, holds nothing that others need."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from careline import server
from careline.asgi import apps_of, platform_app
from chassis.http import edge as edge_module
from chassis.http import new_app, routes_of
from chassis.http.probes import database_check
from chassis.worker import CLOCK_REFUSES_SECONDS, Unfit
from tests.world import World


async def unsent(app: FastAPI, method: str, path: str) -> list[dict[str, Any]]:
    """Ask for a route with a body that begins and never goes on; what was answered."""
    answers: list[dict[str, Any]] = []
    first = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> dict[str, Any]:
        if first:
            return first.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        answers.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "client": ("127.0.0.1", 1), "server": ("x", 80),
        "headers": [(b"content-length", b"100"), (b"content-type", b"application/json"), (b"host", b"x")],
    }  # fmt: skip
    await app(scope, receive, send)
    return answers


async def test_no_route_takes_a_connection_before_the_body_is_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge_module, "BODY_SECONDS", 0.0)
    monkeypatch.setattr(edge_module, "SLOWEST_BODY_BYTES_A_SECOND", 10**12)
    taken: list[str] = []
    real = type(world.database("gateway")).unit_of_work

    def noted(self: Any, *given: Any, **named: Any) -> Any:
        taken.append(self.service)
        return real(self, *given, **named)

    monkeypatch.setattr(type(world.database("gateway")), "unit_of_work", noted)
    apps = {**apps_of(world.platform), "gateway": platform_app(world.platform)}
    asked = 0
    for app in apps.values():
        for route in routes_of(app):
            for method in sorted(getattr(route, "methods", None) or ()):
                if method in {"POST", "PUT", "PATCH", "DELETE"}:
                    path = "/".join("1" if part.startswith("{") else part for part in str(route.path).split("/"))
                    answers = await unsent(app, method, path)
                    assert answers[0]["status"] == 408, (method, path, answers)
                    asked += 1
    assert asked > 50
    assert taken == []


@pytest.fixture
async def serving(world: World) -> AsyncIterator[tuple[FastAPI, str]]:
    """A small app on a socket, as `careline serve` serves it."""
    app = new_app("slow", "Slow", [], {"database": database_check(world.database("points"))}, world.settings)
    listening = socket.create_server(("127.0.0.1", 0))
    started = asyncio.Event()
    task = asyncio.create_task(
        server.serve(app, listening, started.set, trusted_proxies="", drain_seconds=0.2, of_one_address=5)
    )
    await started.wait()
    yield app, f"http://127.0.0.1:{listening.getsockname()[1]}"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_head_that_does_not_come_ends_the_connection(serving: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.05)
    port = int(serving[1].rsplit(":", 1)[1])
    for begun in (b"", b"GET /livez HT"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begun)
        async with asyncio.timeout(30):
            try:
                left = await reader.read()
            except ConnectionResetError:
                left = b""
        assert left == b""
        writer.close()


async def asked(port: int) -> bytes:
    """What a connection of its own is answered; nothing when it is not let in."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        try:
            return await reader.read()
        finally:
            writer.close()
    except ConnectionError:
        return b""


async def test_one_address_has_so_many_connections_and_no_more(serving: Any) -> None:
    port = int(serving[1].rsplit(":", 1)[1])
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
    assert await asked(port) == b""
    for _, writer in held:
        writer.close()
        await writer.wait_closed()
    async with asyncio.timeout(30):
        while not (answer := await asked(port)):  # the server has not seen the others go yet
            continue
    assert answer.startswith(b"HTTP/1.1 200")


async def test_a_full_pool_says_not_now_and_probes_are_answered(world: World) -> None:
    database = world.database("points")
    app = apps_of(world.platform)["points"]
    async with AsyncExitStack() as held:
        for _ in range(world.settings.pool_size):
            await held.enter_async_context(database.reading())
        async with world.client("points") as http:
            full = await http.get("/v1/points/operations/dead-letters")
        assert (full.status_code, full.headers["retry-after"]) == (503, "1")
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "pass"})


async def test_told_to_stop_it_is_first_not_ready(world: World) -> None:
    app = apps_of(world.platform)["points"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        assert (await http.get("/readyz")).status_code == 200
        app.state.draining = True
        assert (await http.get("/readyz")).status_code == 503
        assert (await http.get("/livez")).status_code == 200


class _Ahead:
    """A connection whose database's clock is behind ours."""

    def __init__(self, sql: asyncpg.Connection, seconds: float) -> None:
        self.sql, self.seconds = sql, seconds

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        if "clock_timestamp" in query:
            query = query.replace("clock_timestamp()", f"clock_timestamp() - interval '{self.seconds} seconds'")
        return await self.sql.fetchval(query, *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sql, name)


@pytest.mark.parametrize(("seconds", "status", "works"), [(0, "pass", True), (5, "warn", True), (3600, "warn", False)])
async def test_a_clock_that_is_off_is_said_and_work_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, seconds: float, status: str, works: bool
) -> None:
    from contextlib import asynccontextmanager

    database, worker = world.database("points"), world.platform.workers["points"]

    def shifted(block: Any) -> Any:
        @asynccontextmanager
        async def of() -> AsyncIterator[Any]:
            async with block() as sql:
                yield _Ahead(sql, seconds)

        return of

    monkeypatch.setattr(database, "probing", shifted(partial(type(database).probing, database)))
    monkeypatch.setattr(database, "reading", shifted(partial(type(database).reading, database)))
    assert (await database_check(database)())["status"] == status
    if works:
        await worker._check_fit()
    else:
        assert seconds > CLOCK_REFUSES_SECONDS
        with pytest.raises(Unfit, match="clock"):
            await worker._check_fit()
    assert worker.fit.is_set() == works


async def test_a_worker_older_than_its_database_leaves_the_work(world: World) -> None:
    async with world.database("points").unit_of_work() as uow:
        await uow.sql.execute("SET LOCAL ROLE NONE")
        await uow.sql.execute("UPDATE version SET version_num = '9999'")
    worker = world.platform.workers["points"]
    with pytest.raises(Unfit, match="older than its database"):
        await worker._check_fit()
