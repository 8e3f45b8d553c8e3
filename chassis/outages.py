"""What a failure is: a record's own fault, an outage that passes, or a fault of ours.

Only what breaks on the data itself blames a record. Everything else leaves the data alone: the work stands still, visibly, and
is tried again until it passes or somebody mends it.
"""

import asyncpg
import msgspec
from sqlalchemy import exc

from chassis.errors import Refusal

OUTAGES = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    TimeoutError,
)
"""Errors that pass by themselves. (A full disk is among `InsufficientResourcesError`, a lock not got in time among
`ObjectNotInPrerequisiteStateError`.)"""

DATA_CLASSES = ("22", "23")
"""SQLSTATE classes of the data: a value that cannot be, a constraint that is broken."""
OWN_TABLES = frozenset({"log", "heads", "relay_cursors", "low_water", "consumer_offsets", "sealed_heads", "audit"})
"""The platform's own books: what breaks there is no record's fault."""


def driver_error(error: BaseException) -> BaseException:
    """The driver's error inside SQLAlchemy's."""
    if isinstance(error, exc.DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error


def is_outage(error: BaseException) -> bool:
    """Whether an error passes by itself: wait and try again."""
    return isinstance(error, OUTAGES) or is_missing_log_part(error)


def is_missing_log_part(error: BaseException) -> bool:
    """No part of a partitioned table takes the row. PostgreSQL calls it a check violation, but there is no such check."""
    return isinstance(error, asyncpg.CheckViolationError) and not error.constraint_name


def blames_record(error: BaseException) -> bool:
    """Whether a record that fails alone with this error is itself to blame: it cannot be decoded or computed with, it
    breaks a constraint of the service's own tables, or the service declares that it refuses it."""
    error = driver_error(error)
    if isinstance(error, asyncpg.PostgresError):
        ours = error.table_name in OWN_TABLES or (error.table_name or "").startswith("log_2")
        return str(error.sqlstate)[:2] in DATA_CLASSES and not ours and not is_missing_log_part(error)
    # Some of the driver's and the operating system's errors are ValueErrors as well.
    if isinstance(error, OUTAGES):
        return False
    return isinstance(error, (msgspec.MsgspecError, Refusal, ValueError, ArithmeticError))
