"""Apache Kafka's jars: named with their sums in a lock list, fetched once into a cache, checked before every use."""

import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chassis.errors import Text
from chassis.servers.process import ServerNotReady

LOCK_LIST = Path(__file__).parents[2] / "deploy" / "kafka" / "jars.lock"
AT_ONCE = 4
ATTEMPTS = 3


class JarsMissing(ServerNotReady):
    """Kafka's jars are not in the cache and could not be fetched, or are not what the lock list names."""

    title = Text("Kafka's jars are missing", "缺少 Kafka 程序包")


@dataclass(frozen=True)
class Jar:
    """One line of the lock list: Maven coordinates (group:artifact:version) and the file's SHA-256."""

    coordinates: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's name in the cache."""
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.jar"


def cache_folder() -> Path:
    """Where fetched jars are kept for every home of this user: CARELINE_CACHE, or ~/.cache/careline."""
    chosen = os.environ.get("CARELINE_CACHE")
    general = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return (Path(chosen) if chosen else Path(general) / "careline") / "kafka"


def read_lock_list(path: Path = LOCK_LIST) -> list[Jar]:
    """The jars that make up the broker; `#` starts a comment line."""
    lines = [line.split() for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return [Jar(coordinates, sha256) for coordinates, sha256 in lines]


def fetch(jars: Sequence[Jar], folder: Path) -> list[Path]:
    """The jars as files in `folder`, with those fetched that are missing or damaged. Gives their paths, in order.

    Errors: JarsMissing, naming every jar that could not be had and why.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        raise JarsMissing(f"cannot keep Kafka's jars in {folder}: {refused}; set CARELINE_CACHE") from None
    with ThreadPoolExecutor(AT_ONCE) as several:
        failures = [reason for reason in several.map(lambda jar: _have(jar, folder), jars) if reason]
    if failures:
        raise JarsMissing("Kafka's jars could not be fetched:\n  " + "\n  ".join(failures))
    return [folder / jar.name for jar in jars]


def _have(jar: Jar, folder: Path) -> str | None:
    """Make sure of one jar; gives the reason where that fails."""
    path = folder / jar.name
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == jar.sha256:
        return None
    reason = ""
    for _ in range(ATTEMPTS):
        try:
            content = _download(jar.coordinates)
        except OSError as failed:  # requests' own errors are OSErrors too
            reason = f"{jar.coordinates}: {failed}"
            continue
        found = hashlib.sha256(content).hexdigest()
        if found != jar.sha256:
            return f"{jar.coordinates}: came with SHA-256 {found}, the lock list says {jar.sha256}"
        return _keep(content, path)
    return reason


def _keep(content: bytes, path: Path) -> str | None:
    # Whole or not at all: two commands may fetch the same jar, and either may be killed.
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as unfinished:
            unfinished.write(content)
            unfinished.flush()
            os.fsync(unfinished.fileno())
        os.replace(unfinished.name, path)
    except OSError as refused:
        return f"{path}: {refused}"
    return None


def _download(coordinates: str) -> bytes:
    if importlib.util.find_spec("maven_artifact") is None:
        raise JarsMissing("fetching Kafka's jars takes the package maven-artifact: install careline[stack]")
    from maven_artifact import Artifact, Downloader

    def refused(_address: str, failed: Exception) -> None:
        raise failed if isinstance(failed, OSError) else OSError(str(failed))

    # The package's own `download` prints its progress and compares with a sum from the same place as the file.
    registry: Any = Downloader()
    address = registry.resolver.uri_for_artifact(Artifact.parse(coordinates))
    answer = registry.requestor.request(address, refused, timeout=60)
    return bytes(answer.content)
