"""Every scenario of the faults suite with some seeds; `make faults SEEDS=500` plays it long."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from careline.schema import make_schemas
from chassis.settings import Settings
from gateway.app import service as gateway
from tests.conftest import IN_CI, KEYS, Cluster
from tests.faults.counting.service import COUNTING
from tests.faults.own_server import NoSmallDisk, own_server
from tests.faults.scenarios import KAFKA, LOG, OWN
from tests.faults.suite import Line, prepared, run, written

SEEDS = 20 if IN_CI else 3
DEAR_SEEDS = 5 if IN_CI else 2
DEAR = {*OWN, *KAFKA, "rolling_upgrade", "suspended"}
"""Those whose seeds take seconds."""


def seeds_of(name: str) -> int:
    return DEAR_SEEDS if name in DEAR else SEEDS


@pytest.fixture
async def platform(settings: Settings, postgres: Cluster) -> AsyncIterator[Settings]:
    """The gateway and the counting service on a fresh database."""
    name, services = f"f_{uuid.uuid4().hex[:12]}", (gateway, COUNTING)
    url = await postgres.make(name, await postgres.template(settings, services))
    settings = settings.model_copy(update={"database_url": url})
    if settings.on_kafka:
        await make_schemas(settings, services)
    yield settings
    await postgres.drop(name)


@pytest.mark.parametrize("name", LOG)
async def test_on_the_log_nothing_is_lost_and_nothing_doubled(platform: Settings, name: str) -> None:
    assert await run(platform, name, seeds_of(name)) == Line(name, seeds_of(name), 0, 0, 0)


@pytest.mark.only_kafka
@pytest.mark.parametrize("name", KAFKA)
async def test_on_kafka_nothing_is_lost_and_nothing_doubled(platform: Settings, name: str) -> None:
    assert await run(platform, name, seeds_of(name)) == Line(name, seeds_of(name), 0, 0, 0)


async def test_on_a_server_that_ends_or_has_no_room_nothing_is_lost_and_nothing_doubled(
    server_folder: Path, tmp_path: Path
) -> None:
    try:
        async with own_server(server_folder / "own") as own:
            settings = await prepared(Settings(home=tmp_path / "home", database_url=own.url, **KEYS))
            for name in OWN:
                assert await run(settings, name, seeds_of(name), own=own) == Line(name, seeds_of(name), 0, 0, 0)
    except NoSmallDisk as missing:
        pytest.skip(f"no small disk can be mounted here: {missing}")


def test_the_table_is_written_between_its_marks(tmp_path) -> None:  # type: ignore[no-untyped-def]
    document = tmp_path / "page.md"
    document.write_text("before\n<!-- made by make faults: begin -->\nold\n<!-- made by make faults: end -->\nafter\n")
    written([Line("one", 3, 0, 1)], document)
    assert document.read_text().count("| one | 3 | 0 | 1 |") == 1
    assert "old" not in document.read_text()
    assert document.read_text().endswith("end -->\nafter\n")
