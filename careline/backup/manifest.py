"""What is in a backup: two manifests, one beside the data and one beside the keys, each written when all the rest is there."""

import hashlib
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from careline.refusals import WrongArgument

NAME = "manifest.json"
P = TypeVar("P", bound="Part")
Sums = dict[str, tuple[int, str]]
"""By table: rows, and the sum of their hashes."""


class Part(msgspec.Struct, kw_only=True):
    """A folder of a backup: the SHA-256 of each file, the sums of the tables in it."""

    made_at: datetime
    files: dict[str, str] = {}
    sums: Sums = {}


class Manifest(Part, kw_only=True):
    """The data. `revisions` are those of the schemas' version tables, `keys` the names of the keys that were in use,
    `home` the id under which the platform has its Kafka prefix."""

    careline: str
    postgres: int
    on_kafka: bool
    partitions: int
    revisions: dict[str, str]
    keys: dict[str, str]
    home: str = ""


def write(folder: Path, part: Part) -> None:
    """Note every file of a folder, and force the manifest to the disk, last of all."""
    part.files = {str(path.relative_to(folder)): _digest(path) for path in sorted(_files(folder))}
    fresh = folder / f".{NAME}"
    with fresh.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(part), indent=2))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / NAME)


def read(folder: Path, kind: type[P]) -> P:
    """The manifest of a folder whose files are all there and as they were.

    Raises: WrongArgument.
    """
    try:
        part = msgspec.json.decode((folder / NAME).read_bytes(), type=kind)
    except FileNotFoundError:
        raise WrongArgument(f"{folder} has no {NAME}: no backup, or one that was not finished") from None
    except msgspec.MsgspecError as damaged:
        raise WrongArgument(f"{folder / NAME}: {damaged}") from None
    for name, digest in part.files.items():
        path = folder / name
        if not path.is_file() or _digest(path) != digest:
            raise WrongArgument(f"{path} is not what was backed up")
    return part


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and path.name not in (NAME, f".{NAME}"))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
