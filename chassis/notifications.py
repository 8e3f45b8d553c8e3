"""Waking up sleeping loops: by PostgreSQL's NOTIFY from other processes, directly inside one."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

import asyncpg
import structlog

from chassis.bus.log import CHANNEL
from chassis.database import connect
from chassis.outages import OUTAGES

log = structlog.get_logger()


class Notifications:
    """A counter that goes up when something was written somewhere. Waiting never misses a rise.

    A notice names what it is about (topics; `deadlines:SERVICE`): `of` is a counter for some of that alone, so that
    what one service writes does not make every loop of every other look.
    """

    def __init__(self) -> None:
        self.count = 0
        self._risen = asyncio.Event()
        self._parts: list[tuple[frozenset[str], Notifications]] = []

    def of(self, subjects: Iterable[str]) -> "Notifications":
        """A counter that goes up with notices about one of these, and with those that name nothing."""
        part = Notifications()
        self._parts.append((frozenset(subjects), part))
        return part

    def forget(self, part: "Notifications") -> None:
        """Nobody waits for a counter made by `of` any more."""
        self._parts = [(subjects, one) for subjects, one in self._parts if one is not part]

    def set(self) -> None:
        """Something was written, whatever it was."""
        self.notice("")

    def notice(self, payload: str) -> None:
        """Something was written about the subjects named, or about anything."""
        about = frozenset(payload.split())
        self.count += 1
        self._risen.set()
        self._risen = asyncio.Event()
        for subjects, part in self._parts:
            if not about or about & subjects:
                part.notice(payload)

    async def wait(self, seen: int, seconds: float) -> None:
        """Until the counter has passed `seen`, or some seconds are over (a notice can be lost with a connection)."""
        if self.count != seen:
            return
        # Not wait_for: before Python 3.12 it swallows a cancellation that comes together with the rise.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._risen.wait()

    async def listen(self, url: str) -> None:
        """Rise with every notice from a database, for ever; a lost connection is made again."""
        while True:
            try:
                await self._listen_once(url)
            except OUTAGES as error:
                log.info("listening again", error=error)
                await asyncio.sleep(1)

    async def _listen_once(self, url: str) -> None:
        connection = await connect(url)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            await connection.add_listener(
                CHANNEL, lambda _connection, _process, _channel, payload: self.notice(str(payload))
            )
            self.set()
            await lost.wait()
            raise asyncpg.InterfaceError("the listening connection was lost")
        finally:
            if not connection.is_closed():
                await connection.close(timeout=2)
