"""Waiting out what passes by itself: a database or a broker that is away for a while."""

import asyncio
from collections.abc import Awaitable, Callable

from chassis.outages import is_outage

LONGEST_WAIT_SECONDS = 2.0


def is_transient(error: BaseException) -> bool:
    """Whether an error is an outage of the database or of Kafka."""
    return is_outage(error) or any(kind.__module__ == "aiokafka.errors" for kind in type(error).__mro__)


async def retry_through_outages(work: Callable[[], Awaitable[None]], say: Callable[[str], None]) -> None:
    """Do some work, again and again while an outage stops it; `say` hears of each, and an empty text when it is over."""
    wait = 0.1
    while True:
        try:
            await work()
        except Exception as error:
            if not is_transient(error):
                raise
            say(f"waiting: {error!r:.200}")
        else:
            say("")
            return
        await asyncio.sleep(wait)
        wait = min(wait * 2, LONGEST_WAIT_SECONDS)
