"""Keys: from the environment, or, embedded, made once under `CARELINE_HOME/secrets` (mode 0600).

Each is a ring, the newest first: the first is used, the others still open and check what they made before.
"""

import base64
import hashlib
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import SecretStr

from chassis.folders import private_folder
from chassis.key_ring import KEY_BYTES, ring_of
from chassis.settings import Settings


def key_ring(settings: Settings, name: str) -> tuple[bytes, ...]:
    """The keys of `internal`, `field`, `master` or `seal`, 32 bytes each, the newest first; a home that has none makes one.

    Raises: ValueError, naming the setting or file, when a value is not base64 of 32 bytes.
    """
    return known_ring(settings, name) or (_make(settings.home / "secrets", name),)


def known_ring(settings: Settings, name: str) -> tuple[bytes, ...] | None:
    """The same, or None where there is no such key: nothing is made.

    Raises: ValueError.
    """
    given: SecretStr | None = getattr(settings, f"{name}_key")
    if given is not None:
        return ring_of(given.get_secret_value(), f"CARELINE_{name.upper()}_KEY")
    path = settings.home / "secrets" / f"{name}.key"
    try:
        return ring_of(path.read_text("ascii", "replace"), str(path))
    except FileNotFoundError:
        return None


def key_bytes(settings: Settings, name: str) -> bytes:
    """The 32 bytes of the key in use.

    Raises: ValueError.
    """
    return key_ring(settings, name)[0]


def signing_key(settings: Settings, name: str) -> Ed25519PrivateKey:
    """The Ed25519 key made from those bytes."""
    return Ed25519PrivateKey.from_private_bytes(key_bytes(settings, name))


def name_of(key: bytes | Ed25519PublicKey) -> str:
    """A short name of a key or of its public half, which tells nothing of it."""
    public = Ed25519PrivateKey.from_private_bytes(key).public_key() if isinstance(key, bytes) else key
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]


def rotate(settings: Settings, name: str) -> str:
    """Put a new key before the others of a home's ring; its name.

    Raises: ValueError where the key comes from the environment, which only its owner can change.
    """
    if getattr(settings, f"{name}_key") is not None:
        raise ValueError(
            f"the key comes from the environment: put a new one before it, CARELINE_{name.upper()}_KEY=NEW,OLD, and restart "
            "the processes one after the other"
        )
    ring = key_ring(settings, name)
    made = secrets.token_bytes(KEY_BYTES)
    folder = settings.home / "secrets"
    # What the internal key signed is over within a day: the key before the last one is trusted no more.
    fresh = _written(folder, name, (made, *(ring[:1] if name == "internal" else ring)))
    fresh.rename(folder / f"{name}.key")
    return name_of(made)


def _written(folder: Path, name: str, keys: tuple[bytes, ...]) -> Path:
    fresh = folder / f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(b"\n".join(map(base64.b64encode, keys)))
        file.flush()
        os.fsync(file.fileno())
    return fresh


def _make(folder: Path, name: str) -> bytes:
    private_folder(folder)
    path = folder / f"{name}.key"
    fresh = _written(folder, name, (secrets.token_bytes(KEY_BYTES),))
    try:
        os.link(fresh, path)  # fails when another process was first: its key is the one
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return ring_of(path.read_text("ascii", "replace"), str(path))[0]
