"""Things die in the middle of a replay: the end is the same."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import pytest

from careline.platform import Platform
from chassis.servers.kafka import PrivateKafka
from chassis.servers.postgres import PrivatePostgres
from chassis.settings import Settings
from tests.faults.running import BANK, Command, until_said
from tests.replay.outcome import assert_outcome
from tests.world import World

UNTIL = date(2020, 7, 31)
REPLAY = ("replay", str(BANK), "--until", str(UNTIL))


def as_environment(settings: Settings) -> dict[str, str]:
    """A world's settings as another process takes them."""
    given = {"CARELINE_HOME": str(settings.home), "CARELINE_DATABASE_URL": settings.database_url or ""}
    for name in ("internal", "field", "seal"):
        given[f"CARELINE_{name.upper()}_KEY"] = getattr(settings, f"{name}_key").get_secret_value()
    if settings.bus_url:
        given["CARELINE_BUS_URL"] = settings.bus_url
    return given


@asynccontextmanager
async def looking(settings: Settings) -> AsyncIterator[Platform]:
    platform = Platform(settings)
    platform.connect()
    try:
        yield platform
    finally:
        await platform.disconnect()


async def test_killed_again_and_again_it_ends_the_same(world: World) -> None:
    given, said = as_environment(world.settings) | {"CARELINE_BATCH_RECORDS": "10"}, 0  # facts for many batches
    for _ in range(2):
        running = await Command.start(*REPLAY, **given)
        said = await until_said(world.settings.database_url or "", said)
        await running.kill(signal.SIGKILL)
    code, out, err = await (await Command.start(*REPLAY, **given)).ended()
    assert (code, err) == (0, "")
    assert "totals" in out
    await assert_outcome(world.platform, UNTIL)


async def test_terminated_it_stops_cleanly(world: World) -> None:
    running = await Command.start(*REPLAY, **as_environment(world.settings))
    await until_said(world.settings.database_url or "", 0)
    running.process.send_signal(signal.SIGTERM)
    code, _, err = await running.ended()
    assert code == 128 + signal.SIGTERM
    assert "Traceback" not in err


async def test_its_database_is_killed_and_comes_back(tmp_path: Path) -> None:
    server = PrivatePostgres(tmp_path)
    running = await Command.start(*REPLAY, CARELINE_HOME=str(tmp_path))
    try:
        await until_said(server.url, 0)
        pid = server.status().pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        code, _, err = await running.ended()
        assert code == 0, err
        url = server.start()
        async with looking(Settings(home=tmp_path, database_url=url)) as platform:
            await assert_outcome(platform, UNTIL)
    finally:
        await running.kill()
        server.stop(even_if_used=True)


@pytest.mark.own_kafka
async def test_its_broker_is_killed_and_comes_back(database_url: str, tmp_path: Path) -> None:
    broker = PrivateKafka(tmp_path / "kafka", short_lived=True)
    address = broker.start()
    try:
        settings = Settings(home=tmp_path / "home", database_url=database_url, bus_url=f"kafka://{address}/faults")
        given = {"CARELINE_HOME": str(settings.home), "CARELINE_DATABASE_URL": database_url}
        running = await Command.start(*REPLAY, **given, CARELINE_BUS_URL=settings.bus_url or "")
        try:
            await until_said(database_url, 0)
            pid = broker.status().pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            assert broker.start() == address
            code, _, err = await running.ended()
            assert code == 0, err
        finally:
            await running.kill()
        async with looking(settings) as platform:
            await assert_outcome(platform, UNTIL)
    finally:
        broker.stop()
