"""Log lines: what went wrong is said with its traceback, in one form, whoever says it."""

import ast
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog

from careline.logs import LogFile, log_as, log_at
from chassis.errors import NotFound
from chassis.settings import Settings

ROOT = Path(__file__).parents[2]
CALLS = {"debug", "info", "warning", "error", "critical", "exception", "say"}


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    kept = structlog.get_config(), logging.root.handlers[:], logging.root.level
    log_at("DEBUG")
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    structlog.configure(**kept[0])
    logging.root.handlers[:] = kept[1]
    logging.root.setLevel(kept[2])


@pytest.mark.parametrize(
    ("error", "level", "traced"),
    [
        (KeyError("x"), "warning", True), (KeyError("x"), "error", True), (KeyError("x"), "info", False),
        (ConnectionResetError(), "error", False), (asyncpg.AdminShutdownError("x"), "warning", False), (NotFound(), "error", False),
    ],
)  # fmt: skip
def test_an_error_brings_its_traceback(lines: Any, error: Exception, level: str, traced: bool) -> None:
    getattr(structlog.get_logger(), level)("went wrong", error=raised(error))
    [line] = lines()
    assert line["error"] == repr(error)
    assert ("Traceback" in line.get("exception", "")) is traced


def test_what_libraries_say_keeps_its_traceback(lines: Any) -> None:
    try:
        raise KeyError("of a library")
    except KeyError:
        logging.getLogger("a.library").exception("went %s", "wrong")
    logging.getLogger("a.library").warning("only said")
    failed, said = lines()
    assert (failed["event"], failed["logger"]) == ("went wrong", "a.library")
    assert "KeyError: 'of a library'" in failed["exception"]
    assert "exception" not in said


def written(log: LogFile, count: int) -> None:
    for number in range(count):
        log.write(f"line {number} of some length\n")


def test_a_full_log_file_begins_anew_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "log" / "points.log"
    log = LogFile(path, full=1000, kept=2, days=30)
    written(log, 200)
    log.close()
    assert sorted(one.name for one in path.parent.iterdir()) == ["points.log", "points.log.1", "points.log.2"]
    assert all(one.stat().st_size <= 1000 and one.stat().st_mode & 0o077 == 0 for one in path.parent.iterdir())
    assert path.read_text().splitlines()[-1] == "line 199 of some length"


def test_a_log_file_of_another_day_begins_anew_and_what_is_too_old_goes(tmp_path: Path) -> None:
    path = tmp_path / "points.log"
    yesterday, long_ago = time.time() - 86_400, time.time() - 40 * 86_400
    for name, at in (("points.log", yesterday), ("points.log.1", long_ago)):
        (tmp_path / name).write_text("of before\n")
        os.utime(tmp_path / name, (at, at))
    log = LogFile(path, full=1000, kept=5, days=30)
    written(log, 1)
    log.close()
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {
        "points.log": "line 0 of some length\n",
        "points.log.1": "of before\n",
    }


def test_lines_go_to_the_file_that_is_set(lines: Any, tmp_path: Path) -> None:
    file = log_as(Settings(log_file=tmp_path / "points.log"))
    assert file is not None
    structlog.get_logger().info("said", service="points")
    logging.getLogger("a.library").warning("of a library")
    file.close()
    assert [json.loads(line)["event"] for line in (tmp_path / "points.log").read_text().splitlines()] == [
        "said",
        "of a library",
    ]
    assert lines() == []


def test_every_line_gives_the_error_itself() -> None:
    """Not its words: they have no traceback."""
    found = 0
    for top in ("careline", "chassis", "gateway", "services"):
        for path in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                name = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
                if isinstance(node, ast.Call) and (name in CALLS or getattr(node.func, "id", "") in CALLS):
                    for keyword in node.keywords:
                        if keyword.arg == "error":
                            found += 1
                            assert isinstance(keyword.value, ast.Name), (path, node.lineno)
    assert found > 10
