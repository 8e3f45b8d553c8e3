"""Keys: from the environment, or, embedded, made once under `CARELINE_HOME/secrets` (mode 0600)."""

import base64
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from chassis.settings import Settings

KEY_BYTES = 32


def key_bytes(settings: Settings, name: str) -> bytes:
    """The 32 bytes of `internal`, `field`, `master` or `seal`.

    Raises: ValueError when the environment's value is not base64 of 32 bytes.
    """
    given: SecretStr | None = getattr(settings, f"{name}_key")
    if given is None:
        return _kept(settings.home / "secrets", name)
    raw = base64.b64decode(given.get_secret_value(), validate=True)
    if len(raw) != KEY_BYTES:
        raise ValueError(f"CARELINE_{name.upper()}_KEY must be base64 of {KEY_BYTES} bytes, not of {len(raw)}")
    return raw


def signing_key(settings: Settings, name: str) -> Ed25519PrivateKey:
    """The Ed25519 key made from those bytes."""
    return Ed25519PrivateKey.from_private_bytes(key_bytes(settings, name))


def _kept(folder: Path, name: str) -> bytes:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{name}.key"
    try:
        return base64.b64decode(path.read_bytes())
    except FileNotFoundError:
        made = secrets.token_bytes(KEY_BYTES)
        fresh = folder / f".{name}.{os.getpid()}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(made))
        try:
            os.link(fresh, path)  # fails when another process was first: its key is the one
        except FileExistsError:
            return base64.b64decode(path.read_bytes())
        finally:
            fresh.unlink()
        return made
