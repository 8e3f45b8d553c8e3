"""A key for each client: personal values lie under it everywhere, and are gone everywhere when it is destroyed.

The keys are the gateway's (`gateway.client_keys`); a service gets those it needs, many at once, and keeps them
15 minutes at most. A value is bound to its place (`field`) and owner: moved to another, it cannot be read there. The
same value of the same owner is sealed the same way, so that what comes twice is seen to be the same.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic
from typing import NamedTuple, Protocol, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chassis.personal.fields import Undecipherable
from chassis.personal.free_text import mask_text
from contracts.base import Event
from contracts.personal import PersonalEvent, clear_members, free_text_members, personal_members, with_sealed

E = TypeVar("E", bound=Event)
SEALED = "sealed:"
KEPT_SECONDS = 900.0
KEPT_KEYS = 100_000


class KeysUnavailable(ConnectionError):
    """The store of client keys cannot be reached: an outage like the database's, waited out."""


class ClientKey:
    """The key of one owner (a client, a case, a booking, ...); `blocked`: kept only, nothing may be read any more."""

    __slots__ = ("_cipher", "blocked", "generation", "owner", "secret")

    def __init__(self, owner: str, generation: int, secret: bytes, *, blocked: bool = False) -> None:
        self.owner = owner
        self.generation = generation
        self.secret = secret
        self.blocked = blocked
        self._cipher = AESSIV(HKDF(SHA256(), 64, salt=None, info=b"careline client key").derive(secret))

    def seal(self, field: str, value: bytes) -> str:
        """`sealed:GENERATION:BASE64URL`; not for empty values."""
        sealed = self._cipher.encrypt(value, [self._place(field)])
        return f"{SEALED}{self.generation}:{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"

    def open(self, field: str, sealed: str) -> bytes:
        """The value again. Raises: Undecipherable."""
        mark, generation, text = (*sealed.split(":", 2), "", "")[:3]
        try:
            if f"{mark}:" != SEALED or int(generation) != self.generation:
                raise Undecipherable("sealed with a key that is no more")
            data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            return self._cipher.decrypt(data, [self._place(field)])
        except (InvalidTag, ValueError, binascii.Error):
            raise Undecipherable("altered, or of another field or owner") from None

    def _place(self, field: str) -> bytes:
        return f"{self.owner}\n{field}\n{self.generation}".encode()


class KeySource(Protocol):
    """Where keys come from: the gateway's store, in process or over HTTP."""

    async def fetch(self, owners: Sequence[str], *, make: bool) -> Sequence[ClientKey]:
        """The keys of those owners that have one; with `make` all get one whose key was not destroyed.

        Raises: KeysUnavailable, an outage.
        """


class NoKeys:
    """For a process that was not told where the keys are."""

    async def fetch(self, owners: Sequence[str], *, make: bool) -> Sequence[ClientKey]:
        """Never."""
        raise KeysUnavailable(f"no store of client keys in this process, for {len(owners)} owners ({make=})")


class Value(NamedTuple):
    """A personal value at its place: whose it is, the field, and the text, in clear or sealed."""

    owner: str
    field: str
    text: str | bytes | None


class Keyring:
    """The keys a process works with, each kept 15 minutes at most."""

    def __init__(self, source: KeySource, kept_seconds: float = KEPT_SECONDS) -> None:
        self.source = source
        self.kept_seconds = kept_seconds
        self._kept: dict[str, tuple[float, ClientKey]] = {}

    async def keys(self, owners: Iterable[str], *, make: bool = False) -> dict[str, ClientKey]:
        """The keys of these owners, as far as there are any; at most one question for all of them."""
        now, found, missing = monotonic(), dict[str, ClientKey](), dict[str, None]()
        for owner in owners:
            at, key = self._kept.get(owner, (0.0, None))
            if key is not None and now - at < self.kept_seconds:
                found[owner] = key
            else:
                missing[owner] = None
        if missing:
            for key in await self.source.fetch(list(missing), make=make):
                found[key.owner] = key
                self._kept.pop(key.owner, None)
                self._kept[key.owner] = (now, key)
            self._forget_old(now)
        return found

    def forget(self, owners: Iterable[str]) -> None:
        """Ask anew for these keys: something became of them."""
        for owner in owners:
            self._kept.pop(owner, None)

    def _forget_old(self, now: float) -> None:
        """The first kept are the oldest."""
        for owner, (at, _) in list(self._kept.items()):
            if now - at < self.kept_seconds and len(self._kept) <= KEPT_KEYS:
                break
            del self._kept[owner]

    async def seal(self, values: Sequence[Value]) -> list[str | None]:
        """The values encrypted, in their order; None for nothing, and for those whose key was destroyed."""
        keys = await self.keys({one.owner for one in values if one.text}, make=True)
        return [
            keys[one.owner].seal(one.field, one.text.encode() if isinstance(one.text, str) else one.text)
            if one.text and one.owner in keys
            else None
            for one in values
        ]

    async def open(self, values: Sequence[Value]) -> list[str | None]:
        """The values in clear, in their order; None for nothing, and for what can (or may) not be read any more."""
        return [value.decode() if value else None for value in await self.open_bytes(values)]

    async def open_bytes(self, values: Sequence[Value]) -> list[bytes | None]:
        """As `open`, for what need not be text."""
        keys = await self.keys({one.owner for one in values if one.text})
        return [_opened(keys.get(one.owner), one) for one in values]

    async def seal_one(self, owner: str, field: str, text: str | None) -> bytes | None:
        """One value for a column."""
        [sealed] = await self.seal([Value(owner, field, text)])
        return sealed.encode() if sealed else None

    async def seal_events(self, events: Sequence[E]) -> list[E]:
        """The events as a log may hold them: free text masked, personal members sealed under their owner's key."""
        masked = [_masked(event) for event in events]
        values = [
            (place, Value(event.key_owner, name, text))
            for place, event in enumerate(masked)
            if isinstance(event, PersonalEvent)
            for name, text in clear_members(event).items()
        ]
        sealed: dict[int, dict[str, str]] = {place: {} for place, _ in values}
        texts = await self.seal([value for _, value in values]) if values else []
        for (place, value), text in zip(values, texts, strict=True):
            if text is not None:
                sealed[place][value.field] = text
        return [
            with_sealed(event, sealed[place]) if place in sealed and isinstance(event, PersonalEvent) else event
            for place, event in enumerate(masked)
        ]


def _opened(key: ClientKey | None, value: Value) -> bytes | None:
    if key is None or key.blocked or not value.text:
        return None
    try:
        return key.open(value.field, value.text if isinstance(value.text, str) else value.text.decode())
    except (Undecipherable, UnicodeDecodeError):
        return None


def _masked(event: E) -> E:
    changed: dict[str, object] = {}
    for name, longest in free_text_members(type(event)).items():
        value = getattr(event, name)
        if isinstance(value, str):
            changed[name] = mask_text(value)[:longest]
        elif isinstance(value, Mapping):
            changed[name] = {mask_text(inner): mask_text(text) for inner, text in value.items()}
    return msgspec.structs.replace(event, **changed) if changed else event


def has_clear(kind: type[Event]) -> bool:
    """Whether events of a class may carry personal members."""
    return issubclass(kind, PersonalEvent) and bool(personal_members(kind))
