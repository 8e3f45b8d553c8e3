"""Personal data: encrypted per field, found by a blind index, masked by role, cut out of free text."""

import hashlib
import hmac
import re
import secrets
import time
import unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chassis.actor import Actor, Role
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
    """Encrypts and finds personal fields with the platform's field key.

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
        # Of the oldest key for good: rows found by an index are not written anew when the key is rotated.
        self._index_key = _derived(ring[-1], b"careline blind index")

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

    def blind_index(self, field: str, value: str) -> bytes:
        """What equal values have in common, for exact search; written forms that mean the same count as equal."""
        return hmac.digest(self._index_key, f"{field}\n{normalised(value)}".encode(), "sha256")


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
}


def shown_to(actor: Actor, field: str, value: str | None) -> str | None:
    """A personal field as the caller may see it: clients and compliance in full, who serves the client may read name
    and phone, everybody else sees the masked form."""
    if value is None or actor.role in _SEE_ALL or (actor.role in _SEE_CONTACTS and field in {"name", "phone"}):
        return value
    return _MASKS[field](value)


# Order matters: an 18-digit identity number contains what looks like a phone number. Digits may be split by dashes or
# spaces as people write them; full-width digits are caught because the text is normalised first.
_ID_NUMBER = re.compile(
    r"(?<![0-9A-Za-z])[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])\d{3}[\dXx](?![0-9A-Za-z])"
)
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_MOBILE = re.compile(r"(?<!\d)(?:(?:\+|00)86[\s-]?)?1[3-9]\d(?:[\s-]?\d{4}){2}(?!\d)")
_LANDLINE = re.compile(r"(?<!\d)0\d{2,3}[\s-]?\d{7,8}(?!\d)")
_CARD = re.compile(r"(?<!\d)(?:\d[ -]?){15,18}\d(?!\d)")
_NAME = re.compile(
    r"(我叫|我是客户|姓名(?:是|为)?\s*[::]?|名字(?:是|叫)\s*[::]?|本人姓名\s*[::]?)\s*([\u4e00-\u9fff·]{2,4}?)(?=[,,。.;;、!!\s\d的()]|$|电话|手机|身份证)"
)
_ACCOUNT = re.compile(r"((?:账号|账户|帐号|帐户|卡号|客户号|股东号)(?:码|是|为)?\s*[::]?\s*)[A-Za-z]?\d{6,}")
_COUNT = "[0-9一二三四五六七八九十百甲乙丙]"
_ADDRESS = re.compile(
    r"(?:(?:(?![省市州盟区县旗镇乡])[\u4e00-\u9fff]){1,7}[省市州盟区县旗镇乡]){0,5}+"
    rf"[\u4e00-\u9fff]{{1,8}}(?:路|街|大道|巷|弄|胡同|小区|花园|新村|村|苑){_COUNT}{{1,6}}(?:号楼|号院|号|弄|栋|幢|座|单元)"
    rf"(?:(?:[0-9A-Za-z\-]|{_COUNT}){{1,6}}(?:号楼|号院|号|弄|栋|幢|座|单元|层|楼|室|户))*"
)
# What leads up to an address is no part of it.
_BEFORE_ADDRESS = (
    "住在",
    "家住",
    "住址",
    "住所",
    "地址",
    "位于",
    "搬到",
    "寄到",
    "寄往",
    "送到",
    "是",
    "为",
    "在",
    "到",
    "往",
)


def _without_address(found: re.Match[str]) -> str:
    words = found[0]
    begins = max((words.rfind(lead) + len(lead) for lead in _BEFORE_ADDRESS if lead in words), default=0)
    return words[:begins] + "[地址]"


def mask_text(text: str) -> str:
    """Free text with identity numbers, cards, accounts, phones, e-mails, addresses (…路…号) and introduced names (我叫…,
    姓名…) cut out."""
    plain = unicodedata.normalize("NFKC", text)
    plain = _ID_NUMBER.sub("[证件号]", plain)
    plain = _EMAIL.sub("[邮箱]", plain)
    plain = _MOBILE.sub("[电话]", plain)
    plain = _LANDLINE.sub("[电话]", plain)
    plain = _CARD.sub("[账号]", plain)
    plain = _ACCOUNT.sub(r"\1[账号]", plain)
    plain = _ADDRESS.sub(_without_address, plain)
    return _NAME.sub(r"\1[姓名]", plain)
