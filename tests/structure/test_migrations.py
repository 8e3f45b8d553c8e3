"""The revisions of every folder are numbered from 0001 on, each once, each after the one before."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in ROOT.glob("[!.]*/**/versions/0001_*.py"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_revisions_are_in_one_line(folder: Path) -> None:
    files = sorted(folder.glob("[0-9]*.py"))
    names = [path.name[:4] for path in files]
    assert names == [f"{n:04}" for n in range(1, len(files) + 1)]
    for path, before in zip(files, [None, *names], strict=False):
        said = dict(re.findall(r"^(revision|down_revision) = (.+)$", path.read_text("utf-8"), re.M))
        assert said["revision"] == f'"{path.name[:4]}"'
        assert said["down_revision"] == (f'"{before}"' if before else "None")


PLAIN_UNTIL = {
    "chassis/bus/migrations": 2, "chassis/migrations": 9, "gateway/migrations": 4, "services/callbacks/migrations": 22,
    "services/classification/migrations": 6, "services/complaints/migrations": 13, "services/messaging/migrations": 14,
    "services/points/migrations": 13, "services/products/migrations": 9, "services/relationships/migrations": 10,
    "services/suitability/migrations": 19,
}  # fmt: skip
"""Revisions from before the rule."""
_INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX (?:IF NOT EXISTS )?(?!CONCURRENTLY)\S+ ON (?:ONLY )?(\w+)", re.I)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_an_index_on_a_table_in_use_is_made_while_everybody_works_on(folder: Path) -> None:
    """A plain one keeps writers out for as long as it is built: `CONCURRENTLY`, by `run_beside_work`."""
    after = PLAIN_UNTIL.get(str(folder.parent.relative_to(ROOT)), 0)
    for path in sorted(folder.glob("[0-9]*.sql")):
        if int(path.name[:4]) > after:
            text = path.read_text("utf-8")
            made = set(re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", text, re.I))
            assert [table for table in _INDEX.findall(text) if table not in made] == [], path.name
