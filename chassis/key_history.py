"""Which keys a home has had: each change is a line of the witness, signed by the seal key before it and by the new one.

Keys are named by the start of their SHA-256. Of the field key nothing else is kept; of seal and internal key the public half.
"""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis.clock import utc_now
from chassis.secrets import known_ring, name_of
from chassis.settings import Settings
from chassis.witness import ChainFile, WitnessDamaged, folder_of

NAMES = ("seal", "internal", "field")


class KeyReplaced(Exception):
    """A key is in use that no key before it has signed for."""


class Change(msgspec.Struct, frozen=True):
    """A key from now on. `old` and `new` are signatures: of the seal key before (none for the first), and of the seal key
    in force from here on."""

    name: str
    id: str
    public: str
    previous: str
    at: datetime
    old: str = ""
    new: str = ""

    def signed(self) -> bytes:
        """What is signed."""
        return "\n".join((self.name, self.id, self.public, self.previous, self.at.isoformat())).encode()


class KeyHistory(ChainFile):
    """The key changes of a home, checked as they are read."""

    def __init__(self, settings: Settings, path: Path | None = None) -> None:
        super().__init__(path or folder_of(settings) / "keys.log")
        self.settings = settings
        self.seal_keys: dict[str, Ed25519PublicKey] = {}
        self.newest: dict[str, str] = {}
        self._rings: dict[str, tuple[bytes, ...]] = {}

    def read(self) -> None:
        """Take in what was added.

        Raises: WitnessDamaged for a change that is not signed as it must be.
        """
        for line in self.new_lines():
            try:
                change = msgspec.convert(line, Change)
                self._check(change)
            except (msgspec.ValidationError, InvalidSignature, ValueError, KeyError):
                raise WitnessDamaged(f"{self.path}: a key change that is not signed by the keys it names") from None
            self._take(change)

    def _check(self, change: Change) -> None:
        before = self.newest.get("seal", "")
        if change.previous != self.newest.get(change.name, ""):
            raise ValueError("does not follow")
        if before:
            self.seal_keys[before].verify(bytes.fromhex(change.old), change.signed())
        following = _public(change) if change.name == "seal" else self.seal_keys[before]
        following.verify(bytes.fromhex(change.new), change.signed())

    def _take(self, change: Change) -> None:
        self.newest[change.name] = change.id
        if change.name == "seal":
            self.seal_keys[change.id] = _public(change)

    def keep(self) -> list[Change]:
        """Write down the keys in use that are new here. Hold the file first.

        Raises: WitnessDamaged; KeyReplaced when a key took the place of one that is not beside it any more.
        """
        self.read()
        rings = {name: ring for name in NAMES if (ring := known_ring(self.settings, name))}
        if rings == self._rings:
            return []
        changes = []
        for name, ring in rings.items():
            for change in self._changes(name, ring, rings["seal"]):
                self._take(change)
                changes.append(change)
        if changes:
            self.append(msgspec.to_builtins(change) for change in changes)
        self._rings = rings
        return changes

    def problems(self) -> list[str]:
        """What is wrong with the keys in use now, of those this process has."""
        wrong = []
        for name in NAMES:
            ring = known_ring(self.settings, name)
            if ring and self.newest and self.newest.get(name) not in {None, *map(name_of, ring)}:
                wrong.append(
                    f"the {name} key in use ({name_of(ring[0])}) is not the one known here ({self.newest[name]})"
                )
        return wrong

    def _changes(self, name: str, ring: tuple[bytes, ...], seals: tuple[bytes, ...]) -> list[Change]:
        names = [name_of(key) for key in ring]
        known = self.newest.get(name)
        if known is not None and known not in names:
            raise KeyReplaced(f"the {name} key in use ({names[0]}) is not the one known here ({known})")
        new = ring if known is None else ring[: names.index(known)]
        changes: list[Change] = []
        for key in reversed(new):
            seal = {name_of(one): Ed25519PrivateKey.from_private_bytes(one) for one in seals}
            before = changes[-1].id if name == "seal" and changes else self.newest.get("seal", "")
            public = (
                ""
                if name == "field"
                else Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes_raw().hex()
            )
            change = Change(name, name_of(key), public, changes[-1].id if changes else known or "", utc_now())
            old = seal[before].sign(change.signed()).hex() if before else ""
            after = seal[change.id if name == "seal" else before]
            changes.append(msgspec.structs.replace(change, old=old, new=after.sign(change.signed()).hex()))
        return changes


def _public(change: Change) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(change.public))


def trusted_seal_keys(settings: Settings) -> dict[str, Ed25519PublicKey]:
    """The public halves of this home's seal keys, by name: those of its history, and those in use.

    Raises: WitnessDamaged.
    """
    history = KeyHistory(settings)
    history.read()
    in_use = [Ed25519PrivateKey.from_private_bytes(key).public_key() for key in known_ring(settings, "seal") or ()]
    return history.seal_keys | {name_of(key): key for key in in_use}


def published_seal_keys(settings: Settings, file: Path) -> dict[str, Ed25519PublicKey]:
    """The seal keys, by name, in the key history that a home has published: each signed for by the one before it.

    Raises: WitnessDamaged.
    """
    history = KeyHistory(settings, file)
    history.read()
    return history.seal_keys


def as_line(change: Change) -> dict[str, Any]:
    """A change as an audit row shows it."""
    return {"key": change.name, "id": change.id, "previous": change.previous}
