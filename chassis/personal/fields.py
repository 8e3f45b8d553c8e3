"""Personal fields as they are masked and normalised; the cipher of the platform's own key."""

import hashlib
import re
import secrets
import time
import unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chassis.actor import Actor, Role
from chassis.personal.free_text import mask_text
from chassis.secrets import key_ring
from chassis.settings import Settings

NONCE_BYTES = 12
FORMAT = 1
RENEW_SECONDS = 30.0
_SEE_ALL = {Role.CLIENT, Role.COMPLIANCE}
_SEE_CONTACTS = {Role.AGENT, Role.CLIENT_MANAGER, Role.BRANCH_MANAGER}


class Undecipherable(Exception):
    """A stored value was made with another key, belongs to another field or row, or was altered."""


class FieldCipher:
    """Encrypts with the platform's field key: what is kept for days (stored answers), and columns of older homes.

    A value is bound to its place (`field`, `owner`): moved to another row, it cannot be read there.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._renew()

    def _renew(self) -> None:
        """Take in a ring that was rotated meanwhile."""
        ring = key_ring(self._settings, "field")
        self._renew_at = time.monotonic() + RENEW_SECONDS
        self._ciphers = {_head(key): AESGCM(_derived(key, b"careline field encryption")) for key in ring}
        self._newest = _head(ring[0])

    def encrypt(self, field: str, owner: str, value: str) -> bytes:
        """The value as format, key id, nonce and ciphertext."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        if time.monotonic() > self._renew_at:
            self._renew()
        head = self._newest
        return head + nonce + self._ciphers[head].encrypt(nonce, value.encode(), _bound(head, field, owner))

    def decrypt(self, field: str, owner: str, stored: bytes) -> str:
        """The value again.

        Raises: Undecipherable.
        """
        head, nonce, text = stored[:5], stored[5 : 5 + NONCE_BYTES], stored[5 + NONCE_BYTES :]
        if head not in self._ciphers:
            self._renew()
        cipher = self._ciphers.get(head)
        if cipher is None:
            raise Undecipherable("made with another key")
        try:
            return cipher.decrypt(nonce, text, _bound(head, field, owner)).decode()
        except InvalidTag:
            raise Undecipherable("altered, or of another field or row") from None


def _head(key: bytes) -> bytes:
    """Format and key id, as each value begins with them."""
    return bytes([FORMAT]) + hashlib.sha256(b"careline key id" + key).digest()[:4]


def _derived(key: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(key)


def _bound(head: bytes, field: str, owner: str) -> bytes:
    return head + f"{field}\n{owner}".encode()


def normalised(value: str) -> str:
    """Full-width forms, spaces, dashes and case do not matter; nor does China's own prefix of a phone number."""
    plain = re.sub(r"[\s\-()]", "", unicodedata.normalize("NFKC", value)).lower()
    return re.sub(r"^(?:\+|00)86(?=1\d{10}$)", "", plain)


def mask_name(name: str) -> str:
    """The family name stays: 王小明 to 王**; Anna Smith to A*********."""
    return name[:1] + "*" * (len(name) - 1) if name else ""


def mask_phone(phone: str) -> str:
    """The first three and the last four stay; of short numbers the last two."""
    return (
        phone[:3] + "*" * (len(phone) - 7) + phone[-4:]
        if len(phone) >= 11
        else "*" * max(0, len(phone) - 2) + phone[-2:]
    )


def mask_id_number(number: str) -> str:
    """The first three and the last two stay of an identity number."""
    return number[:3] + "*" * (len(number) - 5) + number[-2:] if len(number) > 8 else "*" * len(number)


def mask_email(email: str) -> str:
    """The first letter and the domain stay."""
    name, at, domain = email.partition("@")
    return name[:1] + "***" + at + domain if at else "***"


def mask_address(address: str) -> str:
    """The first six characters (province and city) stay."""
    return address[:6] + "*" * 6 if address else ""


_MASKS = {
    "name": mask_name,
    "phone": mask_phone,
    "id_number": mask_id_number,
    "email": mask_email,
    "address": mask_address,
    "visitor": mask_name,
    "words": mask_text,
}


def shown_to(actor: Actor, field: str, value: str | None) -> str | None:
    """A personal field as the caller may see it: clients and compliance in full, who serves the client may read name
    and phone, everybody else sees the masked form."""
    if value is None or actor.role in _SEE_ALL or (actor.role in _SEE_CONTACTS and field in {"name", "phone"}):
        return value
    return masked(field, value)


def masked(field: str, value: str) -> str:
    """A value as people see it who need not act on it; of fields without a form of their own, nothing."""
    return _MASKS[field](value) if field in _MASKS else "***"
