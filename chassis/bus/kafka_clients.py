"""Kafka clients: started wholly or not at all, and always closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import structlog
from aiokafka.admin import AIOKafkaAdminClient

log = structlog.get_logger()
STOP_SECONDS = 20.0

Client = TypeVar("Client", bound=Any)


async def started(client: Client) -> Client:
    """Connect a consumer, a producer or an admin client; one that cannot connect, or is cancelled at it, is closed."""
    try:
        await client.start()
    except BaseException:
        await stopped(client)
        raise
    return client


async def stopped(client: Any) -> None:
    """Close a client, started or not; one that does not end while its broker is in trouble is left to itself."""
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise  # it is this task that was cancelled, not one of the client's own
    except TimeoutError:
        log.warning("a Kafka client does not stop", client=type(client).__name__)


@asynccontextmanager
async def running(client: Client) -> AsyncIterator[Client]:
    """A client that is connected inside the block."""
    await started(client)
    try:
        yield client
    finally:
        await stopped(client)
