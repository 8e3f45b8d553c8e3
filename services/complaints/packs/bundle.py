"""The archive (归档): a write-once file with a SHA-256 manifest and a signature, checked without any platform [C15].

`manifest.json` names every file with its hash, `manifest.sig` is the Ed25519 signature of the manifest's bytes by the
platform's seal key, whose public half stands in the manifest. Recordings and attachments lie under their own hash.
"""

import base64
import hashlib
import struct
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis.audit import key_id
from contracts.base import encode_custom
from services.complaints.packs.figures import Figures
from services.complaints.packs.sheets import page, workbook

FORMAT = "careline.complaints.pack/1"
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
UNREADABLE = (
    zipfile.BadZipFile, zlib.error, struct.error, msgspec.MsgspecError, EOFError, OSError, RuntimeError, KeyError,
    ValueError, TypeError, AttributeError,
)  # fmt: skip
"""What reading an altered archive may raise: a changed byte may claim to be encrypted, or packed in some other way."""
_THEN = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking found: nothing in `problems` means complete and unaltered."""

    period: str
    files: int
    key_id: str
    problems: tuple[str, ...]


def bundle(figures: Figures, key: Ed25519PrivateKey) -> tuple[bytes, str]:
    """The archive's bytes and its manifest's SHA-256: the same figures and key make the same bytes."""
    files = {
        "report.xlsx": workbook(figures),
        "report.html": page(figures),
        "orders.json": _json(figures.orders),
        "recordings.json": _json(figures.recordings),
        **{f"content/{digest}": content for digest, content in figures.attachments.items()},
    }
    manifest = _json(
        {
            "format": FORMAT,
            "period": figures.period.name,
            "cut_off": figures.period.cut_off.isoformat(),
            "public_key": base64.b64encode(key.public_key().public_bytes_raw()).decode(),
            "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
        }
    )
    content = _packed({MANIFEST: manifest, SIGNATURE: key.sign(manifest)}, files)
    return content, hashlib.sha256(manifest).hexdigest()


def _packed(signed: dict[str, bytes], files: dict[str, bytes]) -> bytes:
    """The archive as it is written, always: stored, because how bytes are compressed is each library's own way."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in (*signed.items(), *sorted(files.items())):
            archive.writestr(zipfile.ZipInfo(name, _THEN), content)
    return out.getvalue()


def _json(value: Any) -> bytes:
    return msgspec.json.encode(value, enc_hook=encode_custom, order="deterministic")


def check(content: bytes, trusted: Ed25519PublicKey | None = None) -> Checked:
    """Check an archive; with `trusted`, also that this home's key signed it."""
    try:
        archive = zipfile.ZipFile(BytesIO(content))
        manifest_bytes, signature = archive.read(MANIFEST), archive.read(SIGNATURE)
        manifest = msgspec.json.decode(manifest_bytes)
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(manifest["public_key"]))
        wanted: dict[str, str] = manifest["files"]
        names = set(archive.namelist()) - {MANIFEST, SIGNATURE}
        missing, unknown = sorted(wanted.keys() - names), sorted(names - wanted.keys())
    except UNREADABLE as error:
        return Checked("?", 0, "?", (f"not a pack: {error}",))
    problems = []
    try:
        public.verify(signature, manifest_bytes)
    except InvalidSignature:
        problems.append("the signature does not fit the manifest")
    if trusted is not None and trusted.public_bytes_raw() != public.public_bytes_raw():
        problems.append("signed with another key than this home's")
    problems += [f"{name}: missing" for name in missing]
    problems += [f"{name}: not in the manifest" for name in unknown]
    found: dict[str, bytes] = {}
    for name in sorted(names & wanted.keys()):
        try:
            found[name] = archive.read(name)
            digest = hashlib.sha256(found[name]).hexdigest()
        except UNREADABLE as error:
            problems.append(f"{name}: unreadable ({error})")
            continue
        if digest != wanted[name]:
            problems.append(f"{name}: altered")
        if name.startswith("content/") and name != f"content/{digest}":
            problems.append(f"{name}: its content has another hash")
    if not problems and _packed({MANIFEST: manifest_bytes, SIGNATURE: signature}, found) != content:
        problems.append("its files are unaltered, the bytes around them are not")
    return Checked(str(manifest.get("period")), len(wanted), key_id(public), tuple(problems))
