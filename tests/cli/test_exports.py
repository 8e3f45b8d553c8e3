"""Every export: UTF-8 under any locale, and no cell that a spreadsheet would run."""

import csv
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from careline.export import EXPORTS
from contracts import broker
from tests.cli.conftest import Careline
from tests.faults.test_replay_survives import as_environment
from tests.world import World

BRANCH, CLIENT = "=1+1", "@王😀"


async def open_client(world: World) -> None:
    await world.publish(broker.ClientOpened(client_id=CLIENT, branch_id=BRANCH, opened_on=date(2020, 5, 2)))
    await world.settle()


async def test_every_export_and_the_ledger_are_harmless(world: World, on_world: Careline, tmp_path: Path) -> None:
    await open_client(world)
    texts = []
    for name in EXPORTS:
        said = await on_world("export", name)
        assert (said.code, said.err) == (0, ""), name
        texts.append(said.out)
    assert (await on_world("coverage", "--as-of", "2020-07-02", "--folder", str(tmp_path / "proof"))).code == 0
    texts += [path.read_text("utf-8") for path in (tmp_path / "proof").rglob("*.csv")]
    cells = [cell for text in texts for row in csv.reader(text.splitlines()) for cell in row]
    assert {f"'{BRANCH}", f"'{CLIENT}"} <= set(cells)
    assert not {BRANCH, CLIENT} & set(cells)


@pytest.mark.parametrize("encoding", ["gbk", "ascii", "utf-8"])
async def test_an_export_is_utf8_whatever_the_terminal_speaks(world: World, encoding: str) -> None:
    await open_client(world)
    given = os.environ | as_environment(world.settings) | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "careline", "export", "clients"]
    done = subprocess.run(command, env=given, capture_output=True, check=False)  # noqa: ASYNC221 - the world waits
    assert (done.returncode, done.stderr) == (0, b"")
    assert CLIENT in done.stdout.decode("utf-8")
