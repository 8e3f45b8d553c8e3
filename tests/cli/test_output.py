"""What commands print, and to whom: versions, the state at a glance, readers that go, terminals that are narrow or none."""

import os
import re
import subprocess
import sys
from datetime import date
from io import StringIO

import pytest
import rich.console
import typer

from careline import cli
from careline.lag import Lag
from careline.replay import progress
from chassis.version import version
from contracts import broker
from tests.cli.conftest import Careline
from tests.faults.test_replay_survives import as_environment
from tests.world import World


async def test_the_version(careline: Careline) -> None:
    said = await careline("--version")
    assert (said.code, said.out) == (0, f"careline {version()}\n")


async def test_the_state_at_a_glance(world: World, on_world: Careline) -> None:
    said = await on_world("status")
    assert said.code == 0
    lines = said.out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [service.name for service in world.platform.services]
    assert all("not running" in line for line in lines[1:])
    await world.publish(broker.ClientOpened(client_id="c-1", branch_id="B1", opened_on=date(2020, 5, 2)))
    said = await on_world("status")
    assert said.code == 1
    assert re.search(r"^points +not running +[1-9]", said.out, re.M)


@pytest.mark.parametrize(
    "words",
    [
        ["--help"], ["status"], ["lag"], ["doctor"], ["export", "clients"], ["coverage", "--as-of", "2020-07-02"],
        ["dead-letters", "list"], ["positions", "show"], ["token", "--role", "hq"], ["migrate"],
    ],
)  # fmt: skip
async def test_a_reader_that_goes_is_no_error(world: World, words: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)  # `| true`
    given = os.environ | as_environment(world.settings)
    command = [sys.executable, "-m", "careline", *words]
    done = subprocess.run(command, env=given, stdout=write, stderr=subprocess.PIPE, check=False)  # noqa: ASYNC221
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_connection_that_breaks_is_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = typer.Typer()

    @app.command()
    def fails() -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sys, "argv", ["careline"])
    monkeypatch.setattr(cli, "_reader_gone", lambda: False)
    with pytest.raises(SystemExit) as end:
        cli.main(app)
    assert (end.value.code, "does not answer" in capsys.readouterr().err) == (1, True)


LAGS = [Lag("points", {"a": 7}, 0, date(2020, 7, 5), date(2020, 7, 6)), Lag("gateway", {}, 0, date(2020, 7, 3), None)]


def test_progress_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = StringIO()
    console = rich.console.Console(file=shown, force_terminal=True, width=80, stderr=True)
    monkeypatch.setattr(rich.console, "Console", lambda **_: console)
    with progress.Progress() as bar:
        bar.begin(1_234_567)
        bar.said(0)
        bar.said(345_678)
        bar.applied(LAGS)
    last = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.getvalue()).splitlines()[-2:]
    assert "345678/1234567" in last[0]
    assert "7/?" in last[1]
    assert "closed 2020-07-03" in last[1]
    assert max(map(len, last)) <= 80


def test_progress_without_a_terminal_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    with progress.Progress() as bar:
        bar.begin(5)
        bar.said(2)
        for at in (1, 9, 10, 11, 19.9, 20):
            now[0] = at
            bar.applied(LAGS)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["careline replay: 2 of 5 published, 7 not yet applied, closed 2020-07-03"] * 2
