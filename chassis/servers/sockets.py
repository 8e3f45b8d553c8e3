"""Where a private server's socket lies: in a folder that only its owner may enter, with a path short enough."""

import hashlib
import os
import re
import stat
from pathlib import Path

from chassis.servers.process import ServerNotReady

# A socket's whole path may have 107 bytes (103 on macOS), and drivers trip over commas, colons and spaces.
FOLDER_BYTES = 103 - len("/.s.PGSQL.5432")
PLAIN = re.compile(r"[A-Za-z0-9/._-]+")
SHORT_ROOT = Path("/tmp")  # noqa: S108 not TMPDIR: every process of the user must come to the same folder


def socket_folder(folder: Path) -> Path:
    """The socket's folder for a server kept in `folder`: inside it, or a short one of our own named by its hash."""
    inside = folder.resolve() / "socket"
    if len(os.fsencode(inside)) <= FOLDER_BYTES and PLAIN.fullmatch(str(inside)):
        return inside
    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:20]
    return SHORT_ROOT / f"careline-{os.geteuid()}-{name}"


def make_private(folder: Path) -> Path:
    """Make a folder of mode 0700, or check that the one there is a real folder, ours, and closed to others.

    Errors: ServerNotReady, for a folder that somebody else made is never used and never changed.
    """
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        found = os.lstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise ServerNotReady(f"{folder} is not a folder that only you can enter: remove it") from None
    return folder
