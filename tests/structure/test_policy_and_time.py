"""Nothing but the policy book gives policy, nothing but the timeline gives a business date, and rules that stand run."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = [path for part in ("services", "gateway", "careline") for path in sorted((ROOT / part).rglob("*.py"))]
OTHER_WAYS = re.compile(r"\.shipped\b|\.refresh\(|policy_on\(|tomllib\.loads\(.*policy", re.ASCII)
WALL_CLOCK = re.compile(
    r"business_date\(\s*(?:uow\.now|utc_now\(\)|await)|current_date|date\.today\(|utc_now\(\)\.date|datetime\.now\("
)
READS = [
    path for path in PRODUCT if "api" in path.relative_to(ROOT).as_posix() or path.parts[-2] in ("gateway", "console")
]
NOW = re.compile(r"\butc_now\(")
WALL_CLOCK_IS_MEANT = {"gateway/access.py"}
"""Sessions and leavers are judged by the wall clock in a replayed home too: they are about those who sign in today."""
SIGNS_REQUESTS = {"services/callbacks/evidence_s3.py"}
"""A request to an object store is signed with the instant of the signature."""


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_policy_and_business_dates_have_one_source(path: Path) -> None:
    words = path.read_text("utf-8")
    assert not OTHER_WAYS.findall(words)
    if str(path.relative_to(ROOT)) not in SIGNS_REQUESTS:
        assert not WALL_CLOCK.findall(words)


@pytest.mark.parametrize("path", READS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_shown_is_as_of_the_homes_now(path: Path) -> None:
    """Routes and the console ask the timeline for the instant they show, not the wall clock."""
    if str(path.relative_to(ROOT)) not in WALL_CLOCK_IS_MEANT:
        assert not NOW.findall(path.read_text("utf-8"))


def test_every_rule_runs() -> None:
    """A rule that only a test calls belongs to the tests' reference."""
    words = {path: path.read_text("utf-8") for path in PRODUCT}
    unused = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in PRODUCT
        if path.name.endswith("rules.py")
        for node in ast.parse(words[path]).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        if sum(len(re.findall(rf"\b{node.name}\b", text)) for text in words.values()) < 2
    ]
    assert unused == []
