"""Log lines: what went wrong is said with its traceback, in one form, whoever says it."""

import ast
import json
import logging
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog

from careline.logs import log_at
from chassis.errors import NotFound

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
