"""kill -9 of whoever started the private PostgreSQL, of the server, of both: it is found, or starts again whole."""

import asyncio
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import asyncpg

from chassis.servers import process
from chassis.servers.postgres import PrivatePostgres
from chassis.servers.process import Process

Start = Callable[..., PrivatePostgres]
Spawn = Callable[..., "subprocess.Popen[str]"]

HOLD = """
import sys
from pathlib import Path
from chassis.servers.postgres import PrivatePostgres
server = PrivatePostgres(Path(sys.argv[1]))
server.start()
print(server.status().pid, flush=True)
sys.stdin.readline()
"""


def first_process(server: PrivatePostgres) -> Process:
    found = process.find(server.folder / "server.pid")
    assert found is not None
    return found


def kill(server: PrivatePostgres) -> None:
    """kill -9 of the server's first process, and wait until it is gone."""
    assert first_process(server).stop((signal.SIGKILL, 10))


async def run(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def keep_a_backend_busy(url: str) -> "asyncio.Task[None]":
    """A backend that computes and so does not see its server die."""

    async def compute() -> None:
        connection = await asyncpg.connect(url)
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await connection.execute("SELECT sum(n) FROM generate_series(1, 1e12::bigint) n")
        connection.terminate()

    task = asyncio.create_task(compute())
    others = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%1e12%' AND pid <> pg_backend_pid()"
    while await run(url, others) != 1:
        continue
    return task


async def test_a_killed_parent_leaves_a_server_that_is_found_again(
    tmp_path: Path, private: Start, spawn: Spawn
) -> None:
    parent = spawn(HOLD, tmp_path)
    pid = int(parent.stdout.readline())  # type: ignore[union-attr]
    parent.kill()
    parent.wait()
    server = private(tmp_path)
    assert await run(server.start(), "SELECT 1") == 1
    assert server.status().pid == pid
    assert server.stop()  # the killed one no longer counts as a user
    assert not server.status().running


async def test_a_killed_server_starts_again_with_all_that_was_committed(
    tmp_path: Path, binaries: Path, private: Start
) -> None:
    server = private(tmp_path, bin_dir=binaries)
    url = server.start()
    await run(url, "CREATE TABLE kept AS SELECT 7 AS n")
    busy = await keep_a_backend_busy(url)
    kill(server)
    assert server.start() == url
    await busy
    assert await run(url, "SELECT n FROM kept") == 7


async def test_parent_and_server_killed(tmp_path: Path, private: Start, spawn: Spawn) -> None:
    parent = spawn(HOLD, tmp_path)
    pid = int(parent.stdout.readline())  # type: ignore[union-attr]
    server = private(tmp_path)
    busy = await keep_a_backend_busy(server.url)
    kill(server)
    parent.kill()
    parent.wait()
    assert await run(server.start(), "SELECT 1") == 1
    assert server.status().pid != pid
    await busy


async def test_a_dead_server_that_nobody_took_from_the_process_table(
    tmp_path: Path, private: Start, spawn: Spawn
) -> None:
    parent = spawn(HOLD, tmp_path)
    pid = int(parent.stdout.readline())  # type: ignore[union-attr]
    parent.send_signal(signal.SIGSTOP)
    await asyncio.to_thread(
        os.waitpid, parent.pid, os.WUNTRACED
    )  # until it has stopped: else it may still take the dead server
    server = private(tmp_path)
    kill(server)
    os.kill(pid, 0)  # the number is still taken
    assert await run(server.start(), "SELECT 1") == 1


async def test_another_program_has_got_the_number_of_the_dead_server(tmp_path: Path, private: Start) -> None:
    server = private(tmp_path)
    server.start()
    kill(server)
    pidfile = server.folder / "data/postmaster.pid"
    lines = pidfile.read_text().splitlines()
    pidfile.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert await run(server.start(), "SELECT 1") == 1


def test_killed_in_the_middle_of_the_first_start(tmp_path: Path, private: Start, spawn: Spawn) -> None:
    parent = spawn(HOLD, tmp_path)
    while not list((tmp_path / "pg").glob("data.new-*/base/1/*")):
        time.sleep(0.002)
    parent.kill()
    parent.wait()
    server = private(tmp_path)
    server.start()
    assert sorted(path.name for path in server.folder.glob("data*")) == ["data"]


async def test_a_killed_server_is_kept_running(tmp_path: Path, private: Start) -> None:
    server, restarted = private(tmp_path), threading.Event()
    url = server.start()
    server.keep_running(restarted.set)
    for _ in range(2):
        restarted.clear()
        kill(server)
        assert restarted.wait(30)
        assert await run(url, "SELECT 1") == 1
    assert server.stop()
    assert not server.status().running


def test_two_that_start_at_once_start_one_server(tmp_path: Path, spawn: Spawn) -> None:
    parents = [spawn(HOLD, tmp_path) for _ in range(3)]
    assert len({parent.stdout.readline() for parent in parents}) == 1  # type: ignore[union-attr]
    PrivatePostgres(tmp_path).stop(even_if_used=True)
