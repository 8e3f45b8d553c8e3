"""Who works for a service: every working process holds a shared lock in the service's database for as long as it lives.

A lock goes with its connection, however the process ends, so nothing stale can be left behind.
"""

import asyncio

import asyncpg
import structlog

from chassis.database import connect
from chassis.outages import OUTAGES

log = structlog.get_logger()
LOCK = "hashtext('careline works'), hashtext($1)"


async def hold_worker_lock(url: str, service: str) -> None:
    """Hold the service's lock, for ever; a lost connection is made again."""
    while True:
        try:
            await _hold(url, service)
        except OUTAGES as error:
            log.info("saying again that we work", service=service, error=error)
            await asyncio.sleep(1)


async def _hold(url: str, service: str) -> None:
    connection = await connect(url)
    lost = asyncio.Event()
    connection.add_termination_listener(lambda _: lost.set())
    try:
        await connection.execute(f"SELECT pg_advisory_lock_shared({LOCK})", service)
        await lost.wait()
        raise asyncpg.InterfaceError("the connection was lost")
    finally:
        if not connection.is_closed():
            await connection.close(timeout=2)


async def wait_for_worker_lock(url: str, service: str) -> None:
    """Return as soon as no process works for the service: at once, or when the last of them has gone."""
    connection = await connect(url)
    try:
        await connection.execute(f"SELECT pg_advisory_lock({LOCK})", service, timeout=None)
    finally:
        if not connection.is_closed():
            await connection.close(timeout=2)


async def is_worker_lock_held(url: str, service: str) -> bool:
    """Whether a process works for the service now."""
    connection = await connect(url)
    try:
        return not await connection.fetchval(f"SELECT pg_try_advisory_lock({LOCK})", service)
    finally:
        await connection.close()
