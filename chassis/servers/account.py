"""Under which account PostgreSQL's programs run. PostgreSQL refuses root.

Root therefore enters a user namespace in which it carries the number of an ordinary account: the files stay root's, no
folder's mode changes, and nothing has to be readable for anybody else.
"""

import os
import pwd
from functools import cache
from pathlib import Path

from chassis.servers.process import ServerNotReady, run

INSTEAD = (
    "start Careline as an ordinary user, or set CARELINE_DATABASE_URL to a PostgreSQL server (15 to 18) of your own"
)


def environment() -> dict[str, str]:
    """Ours without the variables that would steer PostgreSQL's programs elsewhere; messages in English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


@cache
def command_prefix() -> tuple[str, ...]:
    """What to put before a command of PostgreSQL: nothing for an ordinary user, `unshare ...` for root."""
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return ()
    ordinary = sorted((e.pw_uid for e in pwd.getpwall() if e.pw_uid not in (0, os.geteuid())), reverse=True)
    if not ordinary:
        raise ServerNotReady(f"no account but root is known here, and PostgreSQL refuses root: {INSTEAD}")
    return ("unshare", "--user", f"--map-user={ordinary[0]}", f"--map-group={ordinary[0]}")


def check(postgres: Path, folder: Path) -> int:
    """Try the account: can it run these binaries and write this folder? Gives the server's major version.

    Errors: ServerNotReady with what was tried and what to do instead.
    """
    script = 'test -w "$1" && test -x "$1" || { echo "cannot write $1" >&2; exit 1; }; exec "$0" --version'
    command = [*command_prefix(), "/bin/sh", "-c", script, str(postgres), str(folder)]
    try:
        tried = run(command, environment=environment())
    except FileNotFoundError as missing:
        raise ServerNotReady(f"{missing.filename} is not installed, and PostgreSQL refuses root: {INSTEAD}") from None
    if tried.returncode != 0:
        who = "root (in a user namespace)" if command_prefix() else f"user {os.geteuid()}"
        raise ServerNotReady(f"the private PostgreSQL cannot run here as {who}: {tried.stderr.strip()}; {INSTEAD}")
    return int(tried.stdout.split()[2].partition(".")[0].partition("beta")[0].partition("rc")[0].partition("devel")[0])


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True
