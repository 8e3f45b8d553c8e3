"""The page on gaming names a test for each way, each of them exists, and none of the suites is left out."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "gaming.md"
SUITES = ("tests/complaints/test_gaming.py", "tests/callbacks/test_gaming.py")
WAYS = (
    "freeze", "date an act back", "promise away", "sit out", "close without contact", "in the past",
    "exhaust a task in a minute", "take a case over and reject", "as an enquiry", "delete early by a date",
)  # fmt: skip


def names_in(path: str) -> set[str]:
    found = ast.walk(ast.parse((ROOT / path).read_text("utf-8")))
    return {
        one.name for one in found if isinstance(one, ast.AsyncFunctionDef | ast.FunctionDef) and one.name[:5] == "test_"
    }


def test_every_way_has_its_test_and_every_test_its_way() -> None:
    page = PAGE.read_text("utf-8")
    rows = [row for row in page.splitlines() if row.startswith("| ") and not row.startswith("| who would")]
    named = set()
    for row in rows:
        [found] = re.findall(r"`(tests/[a-z_/]+\.py)::(test_[a-z0-9_]+)`", row)
        assert found[1] in names_in(found[0]), row
        named.add(found)
    assert len(rows) == len(named)
    for suite in SUITES:
        assert names_in(suite) == {test for path, test in named if path == suite}
    assert [way for way in WAYS if way not in page] == []
