"""Notices of a database, listened to while somebody follows them: what server-sent events are made of."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress

from chassis.notifications import Notifications

STREAM_SECONDS = 20.0
"""A stream ends by itself, so that a process can stop; whoever follows asks for the next at once."""
CONNECTED_WITHIN_SECONDS = 2.0
HEADERS = {"x-accel-buffering": "no", "cache-control": "no-store"}
"""Of a stream: nobody on its way keeps any of it."""
MEDIA_TYPE = "text/event-stream"
STREAMED = "careline.stream"
"""Set in the scope of a request that is a stream: how long it took says nothing about how fast we are."""


class Live:
    """Notices about some subjects (`notices`), or about one's own (`about`), while at least one follower wants any."""

    def __init__(self, url: str, subjects: Iterable[str] = ()) -> None:
        self.url = url
        self._all = Notifications()
        self.notices = self._all.of(subjects)
        self._listener: asyncio.Task[None] | None = None
        self._followers = 0
        self._ended = asyncio.Event()

    def end_streams(self) -> None:
        """End the streams there are; whoever follows asks again."""
        self._ended.set()
        self._ended = asyncio.Event()
        self._all.set()

    @property
    def ended(self) -> asyncio.Event:
        """Set when the streams that are open now are to end."""
        return self._ended

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[Notifications]:
        """The notices, listened to until the last follower has gone."""
        self._followers += 1
        try:
            if self._listener is None:
                seen = self.notices.count
                self._listener = asyncio.create_task(self._all.listen(self.url), name="live")
                await self.notices.wait(
                    seen, CONNECTED_WITHIN_SECONDS
                )  # once it listens it says so, which is no change
            yield self.notices
        finally:
            self._followers -= 1
            if not self._followers and (listener := self._listener) is not None:
                self._listener = None
                listener.cancel()
                with suppress(asyncio.CancelledError):
                    await listener

    @asynccontextmanager
    async def about(self, subject: str) -> AsyncIterator[Notifications]:
        """The notices about one subject alone, for one follower."""
        part = self._all.of([subject])
        try:
            async with self.followed():
                yield part
        finally:
            self._all.forget(part)
