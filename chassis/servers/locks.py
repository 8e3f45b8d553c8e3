"""File locks between processes. The kernel gives them up when their holder dies, however it dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def try_lock(descriptor: int, *, shared: bool = False) -> bool:
    """Take the lock of an open file now, or say False because somebody holds it."""
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        return True
    return False


def lock_within(descriptor: int, seconds: float) -> bool:
    """Take the lock alone within `seconds`, or say False.

    Tries again and again, because a waiting flock has no time limit that is safe outside the main thread.
    """
    until = time.monotonic() + seconds
    while not try_lock(descriptor):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def turn(path: Path) -> Iterator[None]:
    """One process (or thread) at a time decides about a server; the others wait here."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Share:
    """One holder's part in a server that several use: the last one out stops it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this holder has its part at the moment."""
        return self._descriptor is not None

    def take(self) -> None:
        """Count as a user until `release`, or until this process ends; again is a repeat."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def release(self) -> None:
        """Stop counting as a user."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def others(self) -> bool:
        """Whether anybody else counts as a user. Ask during one's turn only, so that nobody comes in meanwhile."""
        descriptor = (
            os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600) if self._descriptor is None else self._descriptor
        )
        alone = try_lock(descriptor)
        if descriptor == self._descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_SH)  # asking gave the shared lock up
        else:
            os.close(descriptor)
        return not alone
