"""Real servers in folders of their own, stopped whatever a test did to them."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from chassis.servers.postgres import PrivatePostgres, wheel_binaries

PROJECT = Path(__file__).parents[3]
DEBIAN = Path("/usr/lib/postgresql/15/bin")

Start = Callable[..., PrivatePostgres]
Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(
    params=[wheel_binaries(), *([DEBIAN] if DEBIAN.is_dir() else [])],
    ids=lambda binaries: "installed-15" if binaries == DEBIAN else "wheel",
)
def binaries(request: pytest.FixtureRequest) -> Path:
    """The programs of each PostgreSQL on this machine: the wheel's always, Debian's where it is installed."""
    found: Path = request.param
    return found


@pytest.fixture
def private() -> Iterator[Start]:
    """Makes private servers that are stopped at the end."""
    made: list[PrivatePostgres] = []

    def make(home: Path, **arguments: object) -> PrivatePostgres:
        made.append(PrivatePostgres(home, **arguments))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for server in made:
        server.stop(even_if_used=True)


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Starts other processes of ours from a few lines of Python; `before` is a command they run under."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object, before: Sequence[str] = ()) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*before, sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT,
            env=os.environ | {"PYTHONPATH": str(PROJECT)},
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
