"""Commands run in this process, as a person would type them."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from careline.cli import main
from tests.faults.running import without_progress
from tests.world import World


@dataclass(frozen=True)
class Said:
    """What a command ended with."""

    code: int
    out: str
    err: str


Careline = Callable[..., Awaitable[Said]]


@pytest.fixture
def careline(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Careline:
    """`await careline("export", "clients")`, in a home of the test's own."""
    monkeypatch.setenv("CARELINE_HOME", str(tmp_path / "home"))

    def run(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["careline", *words])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
        out, err = capsys.readouterr()
        return Said(code, out, without_progress(err))

    async def typed(*words: str) -> Said:
        return await asyncio.to_thread(run, *words)  # commands bring a loop of their own

    return typed


@pytest.fixture
def on_world(world: World, careline: Careline, monkeypatch: pytest.MonkeyPatch) -> Careline:
    """The same, on the world's database and bus."""
    monkeypatch.setenv("CARELINE_DATABASE_URL", world.settings.database_url or "")
    if world.settings.bus_url:
        monkeypatch.setenv("CARELINE_BUS_URL", world.settings.bus_url)
    for name in ("internal", "field", "seal"):
        key = getattr(world.settings, f"{name}_key")
        monkeypatch.setenv(f"CARELINE_{name.upper()}_KEY", key.get_secret_value())
    return careline
