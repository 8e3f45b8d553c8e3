"""Which errors pass by themselves, and which are our own faults: asked by everything that tries again."""

import asyncpg

OUTAGES = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    TimeoutError,
)
"""Errors that pass: wait and try again. (A full disk is among `InsufficientResourcesError`.)"""

FAULTS_OF_OURS = (asyncpg.SyntaxOrAccessError,)
"""No record and no deadline is to blame for these: nothing is put aside, whoever meets one stops and says why."""


def is_outage(error: BaseException) -> bool:
    """Whether an error passes by itself: wait and try again."""
    return isinstance(error, OUTAGES) and not isinstance(error, asyncpg.DataError)
