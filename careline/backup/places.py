"""Where a backup lies: a folder, or a place in a bucket (`s3://BUCKET/PATH`) by way of a folder that is thrown away.

How a bucket is reached, its own environment says: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`,
`AWS_ENDPOINT_URL`.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from careline.backup.manifest import NAME
from careline.refusals import WrongArgument
from chassis.errors import Text, Unavailable

if TYPE_CHECKING:
    from obstore.store import S3Store

BUCKET = "s3://"
PIECE_BYTES = 8 << 20


class BucketFailed(Unavailable):
    """The bucket did not take or give what was asked."""

    title = Text("The bucket failed", "对象存储失败")


class Places(NamedTuple):
    """The three places of a backup, as they are named or as folders."""

    folder: str
    keys: str
    witness: str

    @classmethod
    def named(cls, folder: str, keys: str | None, witness: str | None) -> "Places":
        """Keys and witness beside the data, unless they are kept apart."""
        return cls(folder, keys or f"{folder.rstrip('/')}/keys", witness or f"{folder.rstrip('/')}/witness")


@asynccontextmanager
async def written(places: Places) -> AsyncIterator[tuple[Path, Path, Path]]:
    """Folders to write a backup into. What belongs into a bucket is sent when the block has ended well: what makes it a
    backup, the manifest of the data, last.

    Raises: WrongArgument where something is in a bucket's place already; BucketFailed.
    """
    with _folders(places) as folders:
        for place in places:
            if place.startswith(BUCKET) and await _names(place):
                raise WrongArgument(f"{place} is not empty: choose a new place for each backup")
        yield folders
        for place, folder in reversed(list(zip(places, folders, strict=True))):
            if place.startswith(BUCKET):
                await _send(folder, place)


@asynccontextmanager
async def fetched(places: Places) -> AsyncIterator[tuple[Path, Path, Path]]:
    """The folders of a backup, brought here from a bucket where it lies in one.

    Raises: WrongArgument where there is none; BucketFailed.
    """
    with _folders(places) as folders:
        data = Places(f"{places.folder.rstrip('/')}/data", places.keys, places.witness)
        for place, folder in zip(data, (folders[0] / "data", *folders[1:]), strict=True):
            if not place.startswith(BUCKET):
                continue
            if not await _fetch(place, folder) and place != places.witness:
                raise WrongArgument(f"nothing is at {place}: no backup, or one that was not finished")
        yield folders


@contextmanager
def _folders(places: Places) -> Iterator[tuple[Path, Path, Path]]:
    for place in places:
        name, _, path = place.removeprefix(BUCKET).partition("/")
        if place.startswith(BUCKET) and not (name and path.strip("/")):
            raise WrongArgument(f"{place}: name the bucket and a place in it, s3://BUCKET/PATH")
    with tempfile.TemporaryDirectory(prefix="careline-backup-") as scratch:
        data, keys, witness = (
            Path(scratch) / str(number) if place.startswith(BUCKET) else Path(place)
            for number, place in enumerate(places)
        )
        yield data, keys, witness


@contextmanager
def _bucket(place: str) -> "Iterator[S3Store]":
    """Raises: WrongArgument when the library is not there; BucketFailed."""
    try:
        from obstore.exceptions import BaseError
        from obstore.store import S3Store
    except ModuleNotFoundError:
        raise WrongArgument("a backup in a bucket needs the extra s3: install careline[s3]") from None
    name, _, prefix = place.removeprefix(BUCKET).partition("/")
    try:
        yield S3Store(name, prefix=prefix.strip("/"))
    except (BaseError, OSError) as error:
        words = str(error).partition("\n\nDebug source")[0]
        raise BucketFailed(Text(f"{place}: {words}", f"{place}：{words}")) from error


async def _names(place: str) -> list[str]:
    with _bucket(place) as bucket:
        return [found["path"] async for batch in bucket.list() for found in batch]


def _files(folder: Path) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(files, key=lambda path: (path.name == NAME, path))


async def _send(folder: Path, place: str) -> None:
    with _bucket(place) as bucket:
        for path in await asyncio.to_thread(_files, folder):
            await bucket.put_async(str(path.relative_to(folder)), path, chunk_size=PIECE_BYTES)


async def _fetch(place: str, folder: Path) -> int:
    names = await _names(place)
    with _bucket(place) as bucket:
        for name in names:
            path = folder / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            content = await bucket.get_async(name)
            with path.open("wb") as file:
                async for piece in content.stream(min_chunk_size=PIECE_BYTES):
                    await asyncio.to_thread(file.write, piece)
    return len(names)
