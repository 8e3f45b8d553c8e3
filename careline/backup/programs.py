"""`pg_dump`, `pg_restore` and `psql`: those of the wheel, which know every server from 15 to 18, else those of this system.

The wheel's speak no TLS: to a server whose URL asks for it (`sslmode`) this system's are used.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from chassis.errors import Text, Unavailable
from chassis.servers.postgres import wheel_binaries
from chassis.servers.process import ServerNotReady

WITH_TLS = re.compile(r"[?&]sslmode=(require|verify-ca|verify-full)\b")
UNKNOWN_BEFORE_17 = b"SET transaction_timeout = 0;\n"
"""Written for every server, and refused by older ones; it is the default."""


class ProgramFailed(Unavailable):
    """A program of PostgreSQL ended with an error."""

    title = Text("PostgreSQL's program failed", "PostgreSQL 程序失败")


class NoProgram(Unavailable):
    """A program of PostgreSQL is not installed."""

    title = Text("a program of PostgreSQL is missing", "缺少 PostgreSQL 程序")


def program(name: str, url: str = "") -> str:
    """Where a program of PostgreSQL is that reaches a server.

    Raises: NoProgram.
    """
    found, why = shutil.which(name), "is not on the PATH"
    if WITH_TLS.search(url):
        why += ", and that of the wheel speaks no TLS"
    else:
        try:
            return str(wheel_binaries() / name)
        except ServerNotReady:
            why += ", and there is no wheel with it"
    if found is None:
        raise NoProgram(
            Text(
                f"{name} {why}: install PostgreSQL's client programs, not older than the server",
                f"找不到 {name}：请安装 PostgreSQL 客户端程序，版本不低于服务器",
            )
        )
    return found


def reached(url: str) -> tuple[str, dict[str, str]]:
    """A URL as an argument, without its password, and the environment that has it: arguments can be seen by everybody."""
    scheme, _, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    user, colon, password = login.partition(":")
    environment = os.environ | {"LC_ALL": "C"} | ({"PGPASSWORD": unquote(password)} if colon else {})
    return f"{scheme}://{user}{at}{place}", environment


def dump(url: str, archive: Path, snapshot: str, role: str, *options: str) -> None:
    """Write what one snapshot shows, as one role, to an archive.

    Raises: ProgramFailed, NoProgram.
    """
    place, environment = reached(url)
    words = ["pg_dump", "--format=custom", f"--file={archive}", f"--snapshot={snapshot}", f"--role={role}", *options]
    done = subprocess.run(
        [program(words[0], url), *words[1:], f"--dbname={place}"],
        env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise _failed("pg_dump", done.stderr)


def load(url: str, archive: Path) -> None:
    """Bring an archive into a database, in one transaction: all of it or nothing.

    Raises: ProgramFailed, NoProgram.
    """
    place, environment = reached(url)
    to_sql = [program("pg_restore", url), "--file=-", str(archive)]
    run = [program("psql", url), "--no-psqlrc", "--quiet", "--single-transaction"]
    run += ["--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    with (
        subprocess.Popen(to_sql, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as reading,
        subprocess.Popen(
            [*run, f"--dbname={place}", "--file=-"],
            env=environment | {"PGOPTIONS": "-c client_min_messages=warning"}, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as writing,
    ):  # fmt: skip
        assert reading.stdout
        assert writing.stdin
        try:
            _copy(reading.stdout, writing.stdin)
            writing.stdin.close()
        except BrokenPipeError:
            reading.kill()
        told = [one.stderr.read() if one.stderr else b"" for one in (writing, reading)]
    if writing.returncode:
        raise _failed("psql", told[0])
    if reading.returncode:
        raise _failed("pg_restore", told[1])


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    for line in source:  # settings come first; data are copied in large pieces
        if line != UNKNOWN_BEFORE_17:
            target.write(line)
        else:
            break
    shutil.copyfileobj(source, target, 1 << 20)


def _failed(name: str, said: bytes) -> ProgramFailed:
    words = " ".join(said.decode("utf-8", "replace").split())[-2000:]
    return ProgramFailed(Text(f"{name}: {words}", f"{name}：{words}"))
