"""`careline stack`: two settings printed, two servers that stay, and none of the command's output held by them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chassis.servers import stack

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home whose stack is stopped at the end."""
    yield tmp_path / "var"
    stack.down(tmp_path / "var")


def command(home: Path, word: str) -> subprocess.CompletedProcess[str]:
    """Runs to the end of its output: a server that held it would keep this waiting."""
    return subprocess.run(
        [sys.executable, "-c", "from careline.stack import app; app()", word],
        capture_output=True, text=True, cwd=PROJECT, timeout=100, check=False,
        env=os.environ | {"CARELINE_HOME": str(home)},
    )  # fmt: skip


def test_up_status_down(home: Path) -> None:
    up = command(home, "up")
    assert (up.returncode, up.stderr) == (0, "")
    database, bus = up.stdout.splitlines()
    assert database == f"CARELINE_DATABASE_URL={stack.servers(home)[0].owner_url}"
    assert bus.startswith("CARELINE_BUS_URL=kafka://127.0.0.1:")
    assert bus.endswith("/careline")
    assert command(home, "status").returncode == 0
    assert command(home, "up").stdout == up.stdout
    assert command(home, "down").returncode == 0
    status = command(home, "status")
    assert (status.returncode, status.stdout) == (1, "postgres: not running\nkafka: not running\n")


def test_a_home_that_cannot_be_made_is_an_error_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    failed = command(tmp_path / "file", "up")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.count("\n") == 1
    assert "Not a directory" in failed.stderr or "File exists" in failed.stderr
