"""The archive (归档): a write-once file with a SHA-256 manifest and a signature, checked without any platform [C15].

`manifest.json` names every file with its hash, `manifest.sig` is the Ed25519 signature of the manifest's bytes by the
platform's seal key, whose public half stands in the manifest. Recordings and attachments lie under their own hash.
"""

import base64
import hashlib
import zipfile
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
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in ((MANIFEST, manifest), (SIGNATURE, key.sign(manifest)), *sorted(files.items())):
            archive.writestr(zipfile.ZipInfo(name, _THEN), content)
    return out.getvalue(), hashlib.sha256(manifest).hexdigest()


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
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        return Checked("?", 0, "?", (f"not a pack: {error}",))
    problems = []
    try:
        public.verify(signature, manifest_bytes)
    except InvalidSignature:
        problems.append("the signature does not fit the manifest")
    if trusted is not None and trusted.public_bytes_raw() != public.public_bytes_raw():
        problems.append("signed with another key than this home's")
    names = set(archive.namelist()) - {MANIFEST, SIGNATURE}
    problems += [f"{name}: missing" for name in sorted(set(wanted) - names)]
    problems += [f"{name}: not in the manifest" for name in sorted(names - set(wanted))]
    for name in sorted(names & set(wanted)):
        try:
            digest = hashlib.sha256(archive.read(name)).hexdigest()
        except (zipfile.BadZipFile, OSError) as error:
            problems.append(f"{name}: unreadable ({error})")
            continue
        if digest != wanted[name]:
            problems.append(f"{name}: altered")
        if name.startswith("content/") and name != f"content/{digest}":
            problems.append(f"{name}: its content has another hash")
    return Checked(str(manifest.get("period")), len(wanted), key_id(public), tuple(problems))
