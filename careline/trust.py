"""Whose signature counts on a file from elsewhere: the key named, or this home's own; a file's own key proves nothing."""

import base64
import binascii
from typing import TYPE_CHECKING

from careline.refusals import WrongArgument
from chassis.errors import Text

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

UNKNOWN_SIGNER = 3
"""Exit code of a file that is whole, and signed by nobody we know."""


def trusted_keys(named: str | None, published: "Path | None" = None) -> "tuple[Ed25519PublicKey, ...]":
    """The key named (base64), else those of a published key history, else every seal key this home has had; empty where there
    is none of them.

    Raises: WrongArgument.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from careline.settings import loaded
    from chassis.key_history import published_seal_keys, trusted_seal_keys
    from chassis.witness import WitnessDamaged

    if named is None and published is not None:
        try:
            return tuple(published_seal_keys(loaded(), published).values())
        except (WitnessDamaged, OSError) as wrong:
            raise WrongArgument(Text(f"--keys: {wrong}", f"--keys:{wrong}")) from None
    if named is None:
        return tuple(trusted_seal_keys(loaded()).values())
    try:
        return (Ed25519PublicKey.from_public_bytes(base64.b64decode(named, validate=True)),)
    except (binascii.Error, ValueError):
        raise WrongArgument(Text("--key is not an Ed25519 public key in base64", "--key 不是有效公钥")) from None
