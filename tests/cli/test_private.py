"""What commands make is for its owner alone: every folder, every file."""

import ast
import os
import stat
from datetime import date
from pathlib import Path

from contracts import broker
from tests.cli.conftest import Careline
from tests.world import World

ROOT = Path(__file__).parents[2]


async def test_every_folder_and_file_is_its_owners_alone(world: World, on_world: Careline, tmp_path: Path) -> None:
    await world.publish(broker.ClientOpened(client_id="c-1", branch_id="B1", opened_on=date(2019, 5, 2)))
    await world.settle()
    home, elsewhere = tmp_path / "home", tmp_path / "made" / "deep"
    before = os.umask(0o022)
    try:
        for words in (
            ["token", "--role", "hq"],
            ["migrate"],
            ["verify"],
            ["coverage", "--as-of", "2020-07-02", "--folder", str(elsewhere)],
        ):
            await on_world(*words)
        assert os.umask(0o022) == 0o022, "a command leaves its caller's mask as it was"
    finally:
        os.umask(before)
    found = [Path(place) / name for place, folders, files in os.walk(tmp_path) for name in (*folders, *files)]
    assert {home, elsewhere} <= set(found)
    assert len([path for path in found if path.is_file()]) > 4
    assert [path for path in found if stat.S_IMODE(path.lstat().st_mode) & 0o077] == []


def test_folders_are_made_in_one_place() -> None:
    """Or with a mode, by whoever has no parents to make; a cache and the generator's folders are no secret."""
    for top in ("careline", "chassis", "gateway", "services"):
        for path in (ROOT / top).rglob("*.py"):
            if path.name in {"folders.py", "jars.py", "generated.py"}:
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {"mkdir", "makedirs"}:
                    assert any(keyword.arg == "mode" for keyword in node.keywords) or len(node.args) == 2, path


async def test_doctor_sees_a_home_that_is_open(on_world: Careline, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o755, exist_ok=True)
    (tmp_path / "home").chmod(0o755)
    said = await on_world("doctor")
    assert f"home {tmp_path / 'home'} is open to other users" in said.out
    assert f"chmod -R go= {tmp_path / 'home'}" in said.out
