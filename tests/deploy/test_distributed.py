"""The distributed form's script does what it says, from nothing, with nothing else."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.own_kafka
def test_the_script_starts_everything_sees_the_points_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", str(ROOT / "deploy" / "distributed.sh")],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("the trade's points are there", "every service is up", "verified", "stopped"):
        assert said in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_both_readmes_say_the_script() -> None:
    for name in ("README.md", "README.zh-CN.md"):
        assert "deploy/distributed.sh" in (ROOT / name).read_text("utf-8")
