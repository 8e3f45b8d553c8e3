"""The archive (归档): a write-once file with a SHA-256 manifest and a signature, checked without any platform [C15].

`manifest.json` names every file with its hash, `manifest.sig` is the Ed25519 signature of the manifest's bytes by the
platform's seal key, whose public half stands in the manifest. Recordings and attachments lie under their own hash.
"""

import base64
import hashlib
import struct
import tempfile
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass
from typing import IO, Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis.secrets import name_of
from contracts.base import encode_custom
from services.complaints.packs.figures import Figures
from services.complaints.packs.sheets import page, workbook

FORMAT = "careline.complaints.pack/1"
MANIFEST, SIGNATURE, CONTENT = "manifest.json", "manifest.sig", "content/"
PART_BYTES = 1 << 20
Contents = Callable[[str], AsyncIterator[bytes]]
UNREADABLE = (
    zipfile.BadZipFile, zlib.error, struct.error, msgspec.MsgspecError, EOFError, OSError, RuntimeError, KeyError,
    ValueError, TypeError, AttributeError,
)  # fmt: skip
"""What reading an altered archive may raise: a changed byte may claim to be encrypted, or packed in some other way."""
_THEN = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking found: nothing in `problems` means complete and unaltered, if the signer is one we know."""

    period: str
    files: int
    key_id: str
    problems: tuple[str, ...]
    signer_known: bool


async def write_bundle(figures: Figures, key: Ed25519PrivateKey, out: IO[bytes], contents: Contents) -> str:
    """Write the archive; its manifest's SHA-256. The same figures and key make the same bytes.

    `contents` gives the bytes of an attachment, a part at a time: they may be many, and large.
    """
    files = {
        "report.xlsx": workbook(figures),
        "report.html": page(figures),
        "orders.json": _json(figures.orders),
        "recordings.json": _json(figures.recordings),
    }
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = _json(
        {
            "format": FORMAT,
            "period": figures.period.name,
            "cut_off": figures.period.cut_off.isoformat(),
            "public_key": base64.b64encode(key.public_key().public_bytes_raw()).decode(),
            "files": dict(sorted((hashes | {f"{CONTENT}{one}": one for one in figures.attachments}).items())),
        }
    )
    files |= {MANIFEST: manifest, SIGNATURE: key.sign(manifest)}
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in _in_order({*files, *(f"{CONTENT}{one}" for one in figures.attachments)}):
            with archive.open(zipfile.ZipInfo(name, _THEN), "w") as entry:
                if name in files:
                    entry.write(files[name])
                else:
                    async for part in contents(name.removeprefix(CONTENT)):
                        entry.write(part)
    return hashlib.sha256(manifest).hexdigest()


def _in_order(names: Collection[str]) -> list[str]:
    """Files in the order they are written: what the others are checked by comes first."""
    return sorted(names, key=lambda name: (name != MANIFEST, name != SIGNATURE, name))


def _parts(archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
    with archive.open(name) as entry:
        while part := entry.read(PART_BYTES):
            yield part


def _is_as_written(archive: zipfile.ZipFile, source: IO[bytes]) -> bool:
    """Whether nothing but the files is in the archive: written once more it is the same, byte for byte.

    Stored, because how bytes are compressed is each library's own way.
    """
    with tempfile.TemporaryFile() as again:
        with zipfile.ZipFile(again, "w", zipfile.ZIP_STORED) as other:
            for name in _in_order(archive.namelist()):
                with other.open(zipfile.ZipInfo(name, _THEN), "w") as entry:
                    for part in _parts(archive, name):
                        entry.write(part)
        again.seek(0)
        source.seek(0)
        while part := again.read(PART_BYTES):
            if source.read(len(part)) != part:
                return False
        return not source.read(1)


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value, enc_hook=encode_custom, order="deterministic")


def check(source: IO[bytes], *trusted: Ed25519PublicKey) -> Checked:
    """Check an archive. `trusted`: the platform's public keys, which the checker has from elsewhere; without one the
    signer stays unknown, as anybody can sign with a key of their own."""
    try:
        archive = zipfile.ZipFile(source)
        manifest_bytes, signature = archive.read(MANIFEST), archive.read(SIGNATURE)
        manifest = msgspec.json.decode(manifest_bytes)
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(manifest["public_key"]))
        wanted: dict[str, str] = manifest["files"]
        names = set(archive.namelist()) - {MANIFEST, SIGNATURE}
        missing, unknown = sorted(wanted.keys() - names), sorted(names - wanted.keys())
    except UNREADABLE as error:
        return Checked("?", 0, "?", (f"not a pack: {error}",), False)
    problems = []
    try:
        public.verify(signature, manifest_bytes)
    except InvalidSignature:
        problems.append("the signature does not fit the manifest")
    signer_known = public.public_bytes_raw() in {key.public_bytes_raw() for key in trusted}
    if trusted and not signer_known:
        problems.append("signed with a key that is not trusted")
    problems += [f"{name}: missing" for name in missing]
    problems += [f"{name}: not in the manifest" for name in unknown]
    for name in sorted(names & wanted.keys()):
        digest = hashlib.sha256()
        try:
            for part in _parts(archive, name):
                digest.update(part)
        except UNREADABLE as error:
            problems.append(f"{name}: unreadable ({error})")
            continue
        if digest.hexdigest() != wanted[name]:
            problems.append(f"{name}: altered")
        if name.startswith(CONTENT) and name != f"{CONTENT}{digest.hexdigest()}":
            problems.append(f"{name}: its content has another hash")
    if not problems and not _is_as_written(archive, source):
        problems.append("its files are unaltered, the bytes around them are not")
    return Checked(str(manifest.get("period")), len(wanted), name_of(public), tuple(problems), signer_known)
