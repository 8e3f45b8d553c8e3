"""The service of `docs/new-service.md`, built from the page and run."""

import importlib
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import services
from careline.ddl import statements
from careline.deployment import containers
from careline.schema import make_schemas
from careline.services import named
from chassis.actor import Actor, Role
from chassis.clock import at
from chassis.settings import Settings
from contracts.broker import ClientUpdated
from tests.classification.facts import opened, trade
from tests.world import World, running

PAGE = Path(__file__).parents[2] / "docs" / "new-service.md"
BLOCK = re.compile(r"^`services/(\S+)`\n```python\n(.*?)^```$", re.M | re.S)
MONDAY, TUESDAY = date(2024, 1, 15), date(2024, 1, 16)


def blocks() -> dict[str, str]:
    return dict(BLOCK.findall(PAGE.read_text("utf-8")))


@pytest.fixture
def tally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The service, written to a folder of its own as the page says."""
    for name, text in blocks().items():
        path = tmp_path / "services" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    monkeypatch.setattr(services, "__path__", [*services.__path__, str(tmp_path / "services")])
    found = importlib.import_module("services.tally.app").service
    (found.migrations / "versions" / "0001_tally.sql").write_text(statements(found.tables), "utf-8")
    return found


async def test_the_service_of_the_page_works(tally: Any, settings: Settings, database_url: str, bus: str) -> None:
    here = settings.model_copy(update={"database_url": database_url})
    both = (*named("gateway"), tally)
    await make_schemas(here, both)
    async with running(World(here, bus, both)) as world:
        await world.publish(opened(), *(trade(f"t-{n}", MONDAY, "1") for n in range(3)), trade("t-3", TUESDAY, "1"))
        await world.close(MONDAY)
        await world.close(TUESDAY)
        assert await world.rows("tally", "SELECT day, trades, branch_id FROM busy_days") == [
            {"day": MONDAY, "trades": 3, "branch_id": "B1"}
        ]
        await world.publish(trade("t-4", TUESDAY, "1"), trade("t-5", TUESDAY, "1"))
        await world.publish(ClientUpdated(client_id="c-1", branch_id="B2"), at=at(TUESDAY, 9))
        await world.settle()
        async with world.client("tally", Actor("hq", Role.HQ, purpose="test")) as http:
            answer = await http.get("/v1/tally/clients/c-1")
            assert answer.json()["items"] == [{"day": "2024-01-15", "trades": 3}, {"day": "2024-01-16", "trades": 3}]
        async with world.client("tally", Actor("ann", Role.AGENT, branch_id="B1", purpose="test")) as http:
            assert (await http.get("/v1/tally/clients/c-1")).status_code == 404  # the client is B2's by now


def test_it_is_small_and_known_outside_by_one_list(tally: Any) -> None:
    own = blocks()
    assert len(own) + 1 <= 17 / 2, "with the .sql file that is printed"
    assert sum(len(text.splitlines()) for text in own.values()) < 871 / 2
    assert [line for line in containers([tally]) if not line.startswith(" ")] == ["serve-tally:", "work-tally:"]
