"""What a killed PostgreSQL leaves behind: backends that still work, and a pid file that blocks the next start."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from chassis.servers.process import Process, ServerNotReady, start_time


def clear_the_way(data: Path) -> None:
    """End what is left of a dead server on this data folder, so that a new one may start.

    Call it during one's turn, when the first process is known to be gone. Backends of a dead server are told to quit:
    nothing they have not committed can be kept any more. Errors: ServerNotReady when one is still there after 30 s.
    """
    until = time.monotonic() + 30
    owner = _number_in(data / "postmaster.pid")
    for orphan in _backends_in(data):
        if orphan.pid == owner:
            raise ServerNotReady(f"a PostgreSQL that Careline did not start (process {owner}) works in {data}: stop it")
        if not orphan.stop((signal.SIGQUIT, 5), (signal.SIGKILL, max(0.0, until - time.monotonic()))):
            raise ServerNotReady(f"process {orphan.pid} of an earlier server does not end")
    # PostgreSQL refuses to start while the number in this file belongs to any process of ours: a zombie that nobody has
    # taken from the table, or another program that got the number. No server lives here, so the file says nothing.
    with suppress(FileNotFoundError):
        (data / "postmaster.pid").unlink()


def _number_in(pidfile: Path) -> int | None:
    with suppress(FileNotFoundError, IndexError, ValueError):
        return int(pidfile.read_text().splitlines()[0])
    return None


def _backends_in(data: Path) -> list[Process]:
    """Processes of PostgreSQL that work in this folder. None without /proc: the lock is waited for then."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # ended meanwhile, or somebody else's
            if os.path.basename(os.readlink(entry / "exe")).startswith("postgres") and data.samefile(entry / "cwd"):
                pid = int(entry.name)
                if started := start_time(pid):
                    found.append(Process(pid, started))
    return found
