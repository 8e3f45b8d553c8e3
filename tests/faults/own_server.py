"""A PostgreSQL of its own for what would take others' down with it: it is killed and started again, and its disk, a small one in
memory, is filled."""

import asyncio
import errno
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from chassis.servers import process
from chassis.servers.postgres import PrivatePostgres

DISK_MB = 192
FILE_MB = 16
# A process's end must not lose what was committed; a power cut is another matter, and syncing costs time.
DURABLE_ENOUGH = {
    "fsync": "off", "synchronous_commit": "on", "autovacuum": "off", "min_wal_size": "32MB", "max_wal_size": "64MB",
    "shared_buffers": "16MB", "restart_after_crash": "off",
}  # fmt: skip


class NoSmallDisk(Exception):
    """This machine mounts nothing for us: a full disk cannot be had."""


class OwnServer:
    """The server and its disk. Blocking; from a coroutine in a thread."""

    def __init__(self, disk: Path) -> None:
        self.disk = disk
        self.ballast = disk / "ballast"
        self.server = PrivatePostgres(disk / "postgres", settings=DURABLE_ENOUGH)
        self.url = ""

    def start(self) -> str:
        """Start it, or start it again."""
        self.url = self.server.start()
        return self.url

    def kill(self, number: signal.Signals) -> None:
        """End it by a signal: SIGINT ends sessions first, SIGQUIT does not; SIGKILL takes its first process alone away, and the
        others notice."""
        if found := process.find(self.server.folder / "server.pid"):
            found.stop((number, 60))

    def fill(self, left_kb: int) -> None:
        """Leave so little room on the disk."""
        there = os.statvfs(self.disk)
        wanted = there.f_bavail * there.f_frsize - left_kb * 1024
        with self.ballast.open("wb") as file:
            if wanted > 0:
                os.posix_fallocate(file.fileno(), 0, wanted)

    def free(self) -> None:
        """Room again."""
        self.ballast.unlink(missing_ok=True)


@asynccontextmanager
async def own_server(folder: Path) -> AsyncIterator[OwnServer]:
    """The server on a disk of its own.

    Raises: NoSmallDisk.
    """
    os.makedirs(folder)
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=0700", "tmpfs", str(folder)]
    try:
        done = await asyncio.to_thread(subprocess.run, mounting, capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        raise NoSmallDisk(str(missing)) from missing
    if done.returncode:
        raise NoSmallDisk(done.stderr.strip())
    own = OwnServer(folder)
    try:
        await asyncio.to_thread(own.start)
        yield own
    finally:
        own.free()
        with suppress(Exception):
            await asyncio.to_thread(own.server.stop, even_if_used=True)
        await asyncio.to_thread(subprocess.run, ["umount", "-l", str(folder)], check=False)


def disk_is_full(error: BaseException) -> bool:
    """Whether the operating system said so."""
    return isinstance(error, OSError) and error.errno == errno.ENOSPC
