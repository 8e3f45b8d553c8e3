"""Nothing but an act writes a state: the sources hold no other statement that does."""

import re
from pathlib import Path
from typing import Any

import pytest

from careline.services import SERVICES
from chassis.acts import Acts
from tests.chassis.acts.service import DESK

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("services", "chassis", "gateway") for path in (ROOT / folder).rglob("*.py"))


def writes(table: str, column: str, source: str) -> bool:
    """Whether a source holds a statement that sets a column of a table."""
    statement = rf"UPDATE\s+{table}\b(?:(?!\bWHERE\b|UPDATE\s).)*?\b{column}\s*="
    return re.search(statement, source, re.S | re.I) is not None


@pytest.mark.parametrize("table", [acts for service in (*SERVICES, DESK) for acts in service.acts])
def test_only_acts_write_a_declared_state(table: Acts[Any]) -> None:
    aggregate = table.aggregate
    guilty = [path for path in SOURCES if writes(aggregate.table, aggregate.state, path.read_text("utf-8"))]
    assert guilty == []


@pytest.mark.parametrize(
    ("source", "guilty"),
    [
        ("UPDATE claims c SET revision = revision + 1,\n  state = $2 WHERE claim_id = $1", True),
        ("UPDATE claims SET owner = $2 WHERE claim_id = $1 AND state = $3", False),
        ("UPDATE claims_kept SET state = $2", False),
    ],
)
def test_what_writes_a_state_is_found(source: str, guilty: bool) -> None:
    assert writes("claims", "state", source) is guilty
