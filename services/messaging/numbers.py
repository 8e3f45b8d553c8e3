"""Keyed tokens of addresses: the same number is the same token, and nobody makes one back into a number.

The key is derived from the oldest field key of the ring, so that tokens outlive a rotation.
"""

import hashlib
import hmac
import re

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chassis.personal import normalised
from chassis.secrets import key_ring
from chassis.settings import Settings

_MOBILE = re.compile(r"1[3-9]\d{9}")
_FOREIGN = re.compile(r"\+[1-9]\d{6,14}")
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)+")


class Tokens:
    """Makes tokens; one for a batch."""

    def __init__(self, settings: Settings) -> None:
        ring = key_ring(settings, "field")
        self._key = HKDF(SHA256(), 32, salt=None, info=b"careline addresses").derive(ring[-1])

    def of(self, channel: str, address: str) -> str:
        """The token of an address of a channel."""
        plain = address.strip().lower() if channel == "email" else mobile(address) or normalised(address)
        return hmac.digest(self._key, f"{channel}\n{plain}".encode(), hashlib.sha256)[:16].hex()


def mobile(number: str) -> str | None:
    """A number an SMS can go to, plainly written: a mobile of the mainland, or a foreign one with its `+`; else None."""
    plain = normalised(number)
    plain = f"+{plain[2:]}" if plain.startswith("00") else plain
    return plain if _MOBILE.fullmatch(plain) or (_FOREIGN.fullmatch(plain) and not plain.startswith("+86")) else None


def mailbox(address: str) -> str | None:
    """One e-mail address, and nothing but one; else None."""
    plain = address.strip()
    return plain if len(plain) <= 200 and _EMAIL.fullmatch(plain) else None
