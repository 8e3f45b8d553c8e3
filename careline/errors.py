"""Errors that a user of the command line can do something about, as one line each. Others are ours, and show in full."""

import errno

import asyncpg
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from careline.settings import SettingsWrong, lines_of
from chassis.errors import Refusal
from chassis.outages import OUTAGES

REFUSALS = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ReadOnlySQLTransactionError,
)


def told(error: BaseException) -> str | None:
    """The line for an expected error; nothing for an unexpected one."""
    if isinstance(error, BaseExceptionGroup):
        lines = {told(one) for one in error.exceptions}
        return lines.pop() if len(lines) == 1 else None
    if isinstance(error, Refusal):
        return _refusal(error)
    if isinstance(error, ValidationError):
        return "; ".join(lines_of(error))
    if isinstance(error, SettingsWrong):
        return str(error)
    if isinstance(error, DBAPIError) and error.orig is not None:
        return told(error.orig.__cause__ or error.orig)
    return _of_server(error)


def _refusal(error: Refusal) -> str:
    fields = "; ".join(f"{field.pointer}: {field.detail}" for field in error.errors)
    return " - ".join(part for part in (error.detail.en or error.title.en, fields) if part)


def _of_server(error: BaseException) -> str | None:
    words = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"the disk is full: {words}"
    if isinstance(error, asyncpg.DiskFullError):
        return f"the database's disk is full: {words}"
    if isinstance(error, asyncpg.UndefinedTableError | asyncpg.InvalidSchemaNameError):
        return f"the database is not at this version ({words}): run `careline migrate`"
    if isinstance(error, asyncpg.PostgresError) and not isinstance(error, OUTAGES):
        return f"the database refuses: {words}" if isinstance(error, REFUSALS) else None
    if isinstance(error, PermissionError | FileNotFoundError | IsADirectoryError | NotADirectoryError):
        return words
    if any(kind.__module__ == "aiokafka.errors" for kind in type(error).__mro__):
        return f"Kafka does not answer: {words} (is it running, and is CARELINE_BUS_URL right?)"
    if isinstance(error, OUTAGES):
        return f"the database does not answer: {words} (is it running, and is CARELINE_DATABASE_URL right?)"
    return None
