"""Errors that a person can do something about are one line each; others are ours and show in full."""

import errno

import asyncpg
import pytest

from careline.errors import told
from chassis.errors import FieldError, Invalid


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "var/log"), "the disk is full"),
        (asyncpg.DiskFullError("could not extend file"), "the database's disk is full"),
        (asyncpg.UndefinedTableError("relation home does not exist"), "careline migrate"),
        (asyncpg.InvalidPasswordError("no"), "the database refuses"),
        (ConnectionRefusedError(111, "Connection refused"), "the database does not answer"),
        (Invalid("no", errors=(FieldError("/a", "must be b"),)), "no - /a: must be b"),
        (ExceptionGroup("both", [Invalid("no"), Invalid("no")]), "no"),
    ],
)
def test_expected_errors_are_one_line(error: Exception, expected: str) -> None:
    line = told(error)
    assert line is not None
    assert expected in line
    assert "\n" not in line


@pytest.mark.parametrize(
    "error", [KeyError("x"), asyncpg.PostgresSyntaxError("x"), ExceptionGroup("x", [KeyError("y")])]
)
def test_our_own_errors_are_not_hidden(error: Exception) -> None:
    assert told(error) is None
