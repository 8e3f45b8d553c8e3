"""What cannot be taken back: files outside the database to which lines are only added.

Every line carries the SHA-256 of the line before it and of its own content, and is on the disk (fsync) before anything
goes on. One file a service holds its sealed heads; one of the home holds the history of its keys.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from chassis.folders import private_folder
from chassis.settings import Settings

START = "0" * 64


class WitnessDamaged(Exception):
    """The file is shorter than it was, or one of its lines is not what was written."""


class Position(NamedTuple):
    """A place in a chain file: bytes, lines, and the chain's digest there."""

    offset: int = 0
    lines: int = 0
    chain: str = START


class ChainFile:
    """Lines of JSON, each chained to the one before it; what was read once is not read again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.at = Position()

    @property
    def there(self) -> bool:
        """Whether the file exists."""
        return self.path.exists()

    @contextmanager
    def held(self, *, alone: bool = True, wait: bool = False) -> Iterator[bool]:
        """Hold the file against other processes of this machine: False when another holds it and we do not wait."""
        private_folder(self.path.parent)
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(descriptor)
            yield False
            return
        try:
            yield True
        finally:
            os.close(descriptor)

    def new_lines(self) -> list[Any]:
        """What was added since we last looked.

        Raises: WitnessDamaged.
        """
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < self.at.offset:
            raise WitnessDamaged(f"{self.path} is shorter than it was: {size} bytes of {self.at.offset}")
        if size == self.at.offset:
            return []
        with self.path.open("rb") as file:
            file.seek(self.at.offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]  # a line that a crash broke off was never counted
        offset, lines, chain = self.at
        found = []
        for line in whole.splitlines():
            digest, _, body = line.partition(b" ")
            if _chained(chain, body) != digest.decode("ascii", "replace"):
                raise WitnessDamaged(f"{self.path}: line {lines + 1} is not what was written")
            found.append(_decoded(body, self.path, lines + 1))
            offset, lines, chain = offset + len(line) + 1, lines + 1, digest.decode()
        self.at = Position(offset, lines, chain)
        return found

    def check_known(self, known: Position) -> None:
        """Go on from a position known from before, when the file still is what it was there.

        Raises: WitnessDamaged.
        """
        if known.offset == 0:
            return
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < known.offset:
            raise WitnessDamaged(f"{self.path} is shorter than it was: {size} bytes of {known.offset}")
        with self.path.open("rb") as file:
            file.seek(max(0, known.offset - (1 << 16)))
            before = file.read(known.offset - file.tell()).splitlines()
        if before[-1].partition(b" ")[0].decode("ascii", "replace") != known.chain:
            raise WitnessDamaged(f"{self.path}: line {known.lines} is not what was written")
        self.at = known

    def append(self, bodies: Iterable[Any]) -> None:
        """Add lines, and return when they are on the disk. Hold the file, and read what is new, first."""
        offset, lines, chain = self.at
        written = bytearray()
        for body in bodies:
            encoded = msgspec.json.encode(body, order="deterministic")
            chain = _chained(chain, encoded)
            written += chain.encode() + b" " + encoded + b"\n"
            lines += 1
        new = not self.path.exists()
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(descriptor, offset)  # a line that a crash broke off
            try:
                _write_whole(descriptor, written, offset)
                os.fsync(descriptor)
            except OSError:  # no room: what was added in part is taken away again
                os.ftruncate(descriptor, offset)
                raise
        finally:
            os.close(descriptor)
        if new:
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        self.at = Position(offset + len(written), lines, chain)


def _write_whole(descriptor: int, data: bytes | bytearray, at: int) -> None:
    """Where there is room for a part only, the system writes that part and calls it no error."""
    left = memoryview(data)
    while left:
        count = os.pwrite(descriptor, left, at)
        left, at = left[count:], at + count


def _chained(previous: str, body: bytes) -> str:
    return hashlib.sha256(previous.encode() + b"\n" + body).hexdigest()


def _decoded(body: bytes, path: Path, line: int) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.MsgspecError:
        raise WitnessDamaged(f"{path}: line {line} is not what was written") from None


@dataclass(frozen=True, slots=True)
class Head:
    """The newest seal of one partition of a sealed table: the rows it covers and its digest."""

    table: str
    partition: int
    first: int
    last: int
    digest: bytes

    @property
    def place(self) -> tuple[str, int]:
        """Table and partition."""
        return self.table, self.partition


class Witness(ChainFile):
    """The sealed heads of one service, in the order they were sealed."""

    def __init__(self, settings: Settings, service: str) -> None:
        super().__init__(folder_of(settings) / f"{service}.log")
        self.heads: dict[tuple[str, int], Head] = {}

    def read(self) -> list[Head]:
        """The heads added since we last looked; `heads` then holds the newest of each partition.

        Raises: WitnessDamaged.
        """
        try:
            found = [Head(t, p, first, last, bytes.fromhex(d)) for t, p, first, last, d in self.new_lines()]
        except (TypeError, ValueError) as wrong:
            raise WitnessDamaged(f"{self.path}: {wrong}") from None
        self.heads.update((head.place, head) for head in found)
        return found

    def shortened(self, lines: int | None) -> str:
        """What is wrong when the database knows of so many lines (None: of no witness yet); empty when nothing is."""
        if lines is None:
            return ""
        if not self.there:
            return f"the witness {self.path} is missing"
        return f"the witness {self.path} is shorter: {self.at.lines} lines of {lines}" if self.at.lines < lines else ""

    def add(self, heads: Sequence[Head]) -> None:
        """Witness heads, on the disk when this returns."""
        self.append([head.table, head.partition, head.first, head.last, head.digest.hex()] for head in heads)
        self.heads.update((head.place, head) for head in heads)


def folder_of(settings: Settings) -> Path:
    """Where the witness files of a home lie."""
    return settings.home / "witness"
