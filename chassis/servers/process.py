"""A server process that outlives whoever started it, and can be found again.

The server inherits a lock on its pidfile and keeps it until its last process is gone. So "does it run?" is a question
to the kernel, never to a number in a file that another program may have been given since; the number only says whom
to signal.
"""

import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from chassis.errors import Text, Unavailable
from chassis.folders import private_folder
from chassis.servers.locks import lock_within, try_lock

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
LOG_BYTES = 16 << 20
# The child writes who it is before it becomes the server: nothing is lost when its parent is killed meanwhile. `exec`
# keeps the process id and the start time.
_INTRODUCE = """
{
    echo $$
    if read -r stat 2>/dev/null < /proc/$$/stat; then echo "$stat"; else LC_ALL=C TZ=UTC /bin/ps -o lstart= -p $$; fi
    if read -r boot 2>/dev/null < /proc/sys/kernel/random/boot_id; then echo "$boot"; fi
} > "$0"
exec "$@"
"""


class ServerNotReady(Unavailable):
    """A server that Careline starts itself did not start, or does not answer."""

    title = Text("The server did not start", "服务器未能启动")


class StillStarting(ServerNotReady):
    """The server runs and recovers, longer than one waits here; it is left to it, and the next start finds it."""


@dataclass(frozen=True)
class Process:
    """A process by number and start time; a number alone may come back as another program."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Whether it runs: not ended, not a zombie, not another program with its number."""
        return start_time(self.pid) == self.started

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when it is gone."""
        with suppress(ProcessLookupError):
            if self.alive:
                os.kill(self.pid, number)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended, for ever without `seconds`; False when it still runs."""
        until = None if seconds is None else time.monotonic() + seconds
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        except (AttributeError, OSError):  # no pidfd on this system
            return self._wait_by_asking(until)
        try:
            if not self.alive:
                return True
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            return bool(poll.poll(None if until is None else max(0.0, until - time.monotonic()) * 1000))
        finally:
            os.close(descriptor)

    def _wait_by_asking(self, until: float | None) -> bool:
        while self.alive:
            if until is not None and time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True

    def stop(self, *steps: tuple[signal.Signals, float]) -> bool:
        """Send each signal in turn and give it its seconds; True once the process has ended."""
        for number, seconds in steps:
            self.send(number)
            if self.wait(seconds):
                return True
        return False


def start_time(pid: int) -> str | None:
    """When a process started, as an opaque text; None when there is none, or only a zombie."""
    if BOOT_ID.exists():
        try:
            return _start_from_stat(Path(f"/proc/{pid}/stat").read_text(), BOOT_ID.read_text())
        except (FileNotFoundError, ProcessLookupError):
            return None
    shown = run(["/bin/ps", "-o", "state=,lstart=", "-p", str(pid)], environment={"LC_ALL": "C", "TZ": "UTC"})
    state, _, started = shown.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def _start_from_stat(stat: str, boot: str) -> str | None:
    # The command's name stands in parentheses and may hold anything: read on from the last one.
    fields = stat.rpartition(")")[2].split()
    return None if not fields or fields[0] in "ZX" else f"{boot.strip()} {fields[19]}"


def find(pidfile: Path) -> Process | None:
    """The server that holds this pidfile; None when no process of it lives.

    A server whose first process was killed while others of it still work is found too, and is not `alive`.
    """
    if not pidfile.exists():
        return None
    descriptor = os.open(pidfile, os.O_RDWR)
    try:
        until = time.monotonic() + 5
        while not try_lock(descriptor, shared=True):
            if known := _read(pidfile):
                return known
            if time.monotonic() > until:  # a child that stopped before it could say who it is
                raise ServerNotReady(f"something holds {pidfile} and does not say who it is")
            time.sleep(0.002)
        return None
    finally:
        os.close(descriptor)


def _read(pidfile: Path) -> Process | None:
    lines = pidfile.read_text().splitlines()
    if not lines or not lines[-1].strip() or len(lines) < (3 if BOOT_ID.exists() else 2):
        return None
    started = _start_from_stat(lines[1], lines[2]) if len(lines) > 2 else lines[1].strip()
    return Process(int(lines[0]), started or "")


def launch(
    command: Sequence[str], *, pidfile: Path, folder: Path, output: Path, environment: Mapping[str, str]
) -> Process:
    """Start a server in a session of its own: Ctrl-C does not reach it, and it holds no file of ours but the lock.

    Errors: ServerNotReady when processes of an earlier one still live after 30 s.
    """
    descriptor = os.open(pidfile, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not lock_within(descriptor, 30):
            raise ServerNotReady(f"processes of an earlier server still hold {pidfile}")
        os.ftruncate(descriptor, 0)
        with open_log(output) as written:
            child = subprocess.Popen(
                ["/bin/sh", "-c", _INTRODUCE, str(pidfile.absolute()), *command],
                stdin=subprocess.DEVNULL, stdout=written, stderr=written, cwd=folder, env=dict(environment),
                start_new_session=True, pass_fds=[descriptor],
            )  # fmt: skip
    finally:
        os.close(descriptor)
    process = Process(child.pid, start_time(child.pid) or "ended")
    # Whoever started it must take it from the process table, or its number stays taken and blocks the next start.
    threading.Thread(target=child.wait, name=f"reap {child.pid}", daemon=True).start()
    return process


def run(
    command: Sequence[str], *, environment: Mapping[str, str] | None = None, folder: Path = Path("/")
) -> subprocess.CompletedProcess[str]:
    """Run a short command of ours to its end, with nothing to read; gives its exit code and what it printed."""
    return subprocess.run(
        command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def open_log(path: Path) -> BinaryIO:
    """Open a server's log to append to, private to its owner; a large old one is put aside first."""
    private_folder(path.parent)
    with suppress(FileNotFoundError):
        if path.stat().st_size > LOG_BYTES:
            path.replace(path.with_name(path.name + ".1"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def last_lines(path: Path, count: int = 12) -> str:
    """The end of a log, for an error that explains itself."""
    with suppress(FileNotFoundError), path.open("rb") as written:
        written.seek(max(0, path.stat().st_size - 8192))
        return "\n".join(written.read().decode(errors="replace").splitlines()[-count:])
    return ""
