"""Every scenario of the faults suite with some seeds; `make faults SEEDS=500` plays it long."""

import uuid
from collections.abc import AsyncIterator

import pytest

from chassis.settings import Settings
from tests.conftest import IN_CI, Cluster
from tests.faults.scenarios import KAFKA, LOG
from tests.faults.suite import Line, prepared, run, written

SEEDS = 10 if IN_CI else 3


@pytest.fixture
async def platform(settings: Settings, postgres: Cluster) -> AsyncIterator[Settings]:
    """The gateway and the counting service on a fresh database."""
    name = f"f_{uuid.uuid4().hex[:12]}"
    yield await prepared(settings.model_copy(update={"database_url": await postgres.make(name)}))
    await postgres.drop(name)


@pytest.mark.parametrize("name", LOG)
async def test_on_the_log_nothing_is_lost_and_nothing_doubled(platform: Settings, name: str) -> None:
    assert await run(platform, name, SEEDS) == Line(name, SEEDS, 0, 0, 0)


@pytest.mark.only_kafka
@pytest.mark.parametrize("name", KAFKA)
async def test_on_kafka_nothing_is_lost_and_nothing_doubled(platform: Settings, name: str) -> None:
    assert await run(platform, name, SEEDS) == Line(name, SEEDS, 0, 0, 0)


def test_the_table_is_written_between_its_marks(tmp_path) -> None:  # type: ignore[no-untyped-def]
    document = tmp_path / "page.md"
    document.write_text("before\n<!-- made by make faults: begin -->\nold\n<!-- made by make faults: end -->\nafter\n")
    written([Line("one", 3, 0, 1)], document)
    assert document.read_text().count("| one | 3 | 0 | 1 |") == 1
    assert "old" not in document.read_text()
    assert document.read_text().endswith("end -->\nafter\n")
