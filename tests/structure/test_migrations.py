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
