"""Only what breaks on the data itself blames a record; anything else leaves the data alone."""

import asyncpg
import msgspec
import pytest
from sqlalchemy import exc

from chassis.errors import Conflict
from chassis.outages import blames_record, is_outage

BY_SQLSTATE = {
    str(kind.sqlstate): kind
    for kind in vars(asyncpg.exceptions).values()
    if isinstance(kind, type) and issubclass(kind, asyncpg.PostgresError) and getattr(kind, "sqlstate", None)
}


@pytest.mark.parametrize("sqlstate", sorted(BY_SQLSTATE))
def test_of_the_databases_errors_only_those_of_the_data_blame_a_record(sqlstate: str) -> None:
    error = BY_SQLSTATE[sqlstate]("x")
    error.constraint_name = "some_check"  # type: ignore[attr-defined]
    assert blames_record(error) == (sqlstate[:2] in {"22", "23"})
    wrapped = exc.DBAPIError("SELECT", None, _caused_by(error))
    assert blames_record(wrapped) == blames_record(error)
    assert not (blames_record(error) and is_outage(error))


def _caused_by(error: Exception) -> Exception:
    outer = RuntimeError("adapted")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize("table", ["log_20260101", "log", "heads", "consumer_offsets", "sealed_heads", "low_water"])
def test_a_broken_constraint_of_the_platforms_own_books_blames_nobody(table: str) -> None:
    error = asyncpg.UniqueViolationError("duplicate key")
    error.table_name, error.constraint_name = table, "pk"  # type: ignore[attr-defined]
    assert not blames_record(error)


def test_a_log_without_a_part_for_today_is_an_outage() -> None:
    error = asyncpg.CheckViolationError('no partition of relation "log" found for row')
    assert is_outage(error)
    assert not blames_record(error)


@pytest.mark.parametrize(
    ("error", "blamed"),
    [
        (msgspec.ValidationError("x"), True),
        (Conflict("the service refuses it"), True),
        (OverflowError("date value out of range"), True),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), True),
        (KeyError("a fault of ours"), False),
        (AttributeError("a fault of ours"), False),
        (ConnectionResetError(), False),
        (TimeoutError(), False),
        (asyncpg.InterfaceError("connection is closed"), False),
        (OSError(28, "No space left on device"), False),
        (MemoryError(), False),
    ],
)
def test_of_other_errors(error: Exception, blamed: bool) -> None:
    assert blames_record(error) == blamed
