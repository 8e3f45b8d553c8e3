"""The private PostgreSQL: who can reach it, where it works, who shares it."""

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine

from chassis.servers.postgres import PrivatePostgres
from chassis.servers.process import ServerNotReady
from chassis.servers.sockets import make_private, socket_folder

Start = Callable[..., PrivatePostgres]
Spawn = Callable[..., "subprocess.Popen[str]"]

USE = """
import asyncio, sys, asyncpg
from pathlib import Path
from chassis.servers.postgres import PrivatePostgres
server = PrivatePostgres(Path(sys.argv[1]))
url = server.start()
async def ask():
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval("SELECT current_database()")
    finally:
        await connection.close()
print(asyncio.run(ask()), flush=True)
sys.stdin.readline()
print(server.stop(), flush=True)
"""


async def value_of(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_its_url_works_for_the_driver_and_for_sqlalchemy(tmp_path: Path, binaries: Path, private: Start) -> None:
    url = private(tmp_path, bin_dir=binaries).start()
    assert await value_of(url, "SELECT current_database()") == "careline"
    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.connect() as connection:
        assert await connection.scalar(sqlalchemy.text("SHOW timezone")) == "UTC"
    await engine.dispose()


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
async def test_it_is_durable(tmp_path: Path, private: Start, setting: str) -> None:
    assert await value_of(private(tmp_path).start(), f"SHOW {setting}") == "on"


async def test_text_sorts_by_code_point_and_may_be_chinese(tmp_path: Path, binaries: Path, private: Start) -> None:
    url = private(tmp_path, bin_dir=binaries).start()
    assert (
        await value_of(url, "SELECT string_agg(t, '' ORDER BY t) FROM unnest('{a,B,客,户,Z}'::text[]) t") == "BZa客户"
    )


async def test_what_was_committed_is_there_after_a_stop(tmp_path: Path, binaries: Path, private: Start) -> None:
    server = private(tmp_path, bin_dir=binaries)
    await value_of(server.start(), "CREATE TABLE kept AS SELECT 7 AS n")
    assert server.stop()
    assert not server.status().running
    assert await value_of(server.start(), "SELECT n FROM kept") == 7


async def test_only_its_owner_can_reach_it(tmp_path: Path, private: Start) -> None:
    server = private(tmp_path / "var")
    url = server.start()
    assert mode(server.folder) == mode(socket_folder(server.folder)) == mode(server.folder / "data") == 0o700
    assert mode(socket_folder(server.folder) / ".s.PGSQL.5432") == 0o700
    assert mode(server.log) == 0o600
    assert await value_of(url, "SHOW listen_addresses") == ""


def test_no_folder_that_careline_did_not_make_changes_its_mode(tmp_path: Path, private: Start) -> None:
    folders = [tmp_path / "home", tmp_path / "home/work", tmp_path / "home/work/var"]
    modes = [0o700, 0o711, 0o750]
    for folder, wanted in zip(folders, modes, strict=True):
        folder.mkdir()
        folder.chmod(wanted)
    private(folders[-1]).start()
    assert [mode(folder) for folder in folders] == modes


@pytest.mark.parametrize("name", ["d" * 120, "客户, 服务: a b", "it's"])
async def test_it_works_in_deep_and_oddly_named_folders(
    tmp_path: Path, private: Start, spawn: Spawn, name: str
) -> None:
    server = private(tmp_path / name)
    assert await value_of(server.start(), "SELECT 1") == 1
    assert mode(socket_folder(server.folder)) == 0o700
    other, _ = spawn(USE, tmp_path / name).communicate("\n")
    assert other.split() == ["careline", "False"]
    server.stop()
    assert not socket_folder(server.folder).exists()


@pytest.mark.parametrize("make", [lambda p: p.mkdir(), lambda p: p.symlink_to("/var"), lambda p: p.touch()])
def test_a_socket_folder_that_others_could_enter_is_not_used(tmp_path: Path, make: object) -> None:
    place = tmp_path / "careline-0-squatted"
    make(place)  # type: ignore[operator]
    with pytest.raises(ServerNotReady, match="only you can enter"):
        make_private(place)


def test_it_works_for_an_ordinary_user(tmp_path: Path, spawn: Spawn) -> None:
    """As root, the number of an ordinary user is put on for the test: all that PostgreSQL and Careline look at."""
    ordinary = ["unshare", "--user", "--map-user=65534", "--map-group=65534"] if os.geteuid() == 0 else []
    (tmp_path / "home").mkdir(0o700)
    out, err = spawn(USE, tmp_path / "home/var", before=ordinary).communicate("\n")
    assert (out.split(), err) == (["careline", "True"], "")
    assert mode(tmp_path / "home") == 0o700


def test_root_without_user_namespaces_is_told_what_to_do(tmp_path: Path, spawn: Spawn) -> None:
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    before = ["unshare", "--user", "--map-root-user", "/bin/sh", "-c", forbid, "sh"]
    _, err = spawn(USE, tmp_path, before=before).communicate("\n")
    assert "CARELINE_DATABASE_URL" in err.splitlines()[-1]


def test_the_last_one_out_stops_it(tmp_path: Path, private: Start, spawn: Spawn) -> None:
    first, second = spawn(USE, tmp_path), spawn(USE, tmp_path)
    assert first.stdout.readline() == second.stdout.readline() == "careline\n"  # type: ignore[union-attr]
    assert first.communicate("\n")[0] == "False\n"
    assert private(tmp_path).status().running
    assert second.communicate("\n")[0] == "True\n"
    assert not private(tmp_path).status().running


def test_another_version_s_data_is_refused_and_untouched(tmp_path: Path, private: Start) -> None:
    server = private(tmp_path)
    server.start()
    server.stop()
    (server.folder / "data/PG_VERSION").write_text("14\n")
    with pytest.raises(ServerNotReady, match="written by PostgreSQL 14"):
        server.start()


def test_a_full_disk_is_named(tmp_path: Path, spawn: Spawn) -> None:
    """A file system of 8 MB, in a mount namespace of the test's own, cannot hold a database."""
    small = 'mount -t tmpfs -o size=8m none "$0" && exec "$@"'
    before = ["unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-c", small, str(tmp_path)]
    _, err = spawn(USE, tmp_path / "var", before=before).communicate("\n")
    assert "ServerNotReady" in err
    assert "No space left on device" in err
