"""A packed release of an earlier commit works while this one's migrations run beside it, leaves the work to this one, and loses nothing."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from careline.schema import make_schemas
from careline.services import named
from chassis.settings import Settings
from tests.conftest import KEYS
from tests.operations.earlier import CLIENTS
from tests.operations.packed import DRIVER, unpacked
from tests.world import World, running

SECONDS = 120
LOCK_LIMIT_SECONDS = 8
"""So long a publisher waits for a lock before it gives up."""


class Release:
    """The earlier release in its process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def do(self, task: str) -> Any:
        """Its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{task}\n".encode())
        async with asyncio.timeout(SECONDS):
            return json.loads(await self.process.stdout.readline())


@asynccontextmanager
async def earlier_release(settings: Settings, folder: Path) -> AsyncIterator[Release]:
    given = {name: value for name, value in os.environ.items() if not name.startswith(("CARELINE_", "PYTHON"))}
    given |= {f"CARELINE_{name.upper()}": value for name, value in KEYS.items()}
    given |= {"CARELINE_HOME": str(settings.home), "CARELINE_DATABASE_URL": settings.database_url or ""}
    given["PYTHONPATH"] = str(unpacked(folder))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(DRIVER),
        cwd=folder,
        env=given,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Release(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def test_an_earlier_release_works_on_while_this_one_migrates_and_leaves_the_work_to_it(
    database_url: str, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path / "home", database_url=database_url, **KEYS)  # type: ignore[arg-type]
    services = named("gateway", "classification", "points")
    async with earlier_release(settings, tmp_path / "earlier") as release:
        await release.do("make")
        await release.do("work")
        before = await release.do("look")
        assert set(before.values()) == {200}, before
        await make_schemas(settings, services)  # while it publishes, consumes and answers
        async with asyncio.timeout(SECONDS):
            while not all(  # noqa: ASYNC110 - another process looks
                "older than its database" in loops["fit"] for loops in (await release.do("states")).values()
            ):
                await asyncio.sleep(0.1)
        assert await release.do("look") == before, "its routes answer as before"
        said = await release.do("end")
    assert said["failed"] == []
    assert said["longest"] < LOCK_LIMIT_SECONDS
    async with running(World(settings, "log", services)) as world:
        await world.settle()
        for table, service in (("entries", "points"), ("trade_days", "classification")):
            counted = "sum(trades)" if table == "trade_days" else "count(*)"
            assert await world.value(service, f"SELECT {counted}::int FROM {table}") == said["published"]
        assert await world.value("points", "SELECT count(*)::int FROM balances") == CLIENTS
        assert await world.value("points", "SELECT sum(available)::bigint FROM balances") == await world.value(
            "points", "SELECT sum(points)::bigint FROM entries"
        )
        for service in services:
            assert await world.value(service.name, "SELECT count(*)::int FROM dead_letters") == 0
        await world.seal()
        assert await world.findings() == []
