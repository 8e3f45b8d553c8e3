"""Who is calling: short-lived signed tokens from the gateway, checked again in each service."""

import hashlib
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from fastapi import Request
from joserfc import jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import OKPKey
from prometheus_client import Counter

from chassis.actor import Actor, Role
from chassis.errors import Text, Unauthenticated, Unavailable
from chassis.key_ring import ring_of
from chassis.secrets import key_ring
from chassis.settings import Settings

log = structlog.get_logger()
HEADER = "careline-identity"
SECONDS = 60
RENEW_SECONDS = 30.0
ALGORITHM = "Ed25519"  # EdDSA by its present name, RFC 9864
NAMES = ("client_id", "branch_id", "purpose", "person")
INTERNAL, GATEWAY = "careline-internal", "careline-gateway"
EXPIRED = Counter(
    "careline_internal_tokens_expired", "Requests whose internal token was over on arrival: clocks differ"
)


class ClocksDiffer(Unavailable):
    """The gateway's word of who is calling was over when it came: clocks of our machines differ. Not the caller's fault."""

    title = Text("Our clocks differ", "平台内部时钟不一致")


class TokenOver(Unauthenticated):
    """The token was good until now, and is over."""

    title = Text("The token has expired", "令牌已过期")


@dataclass(frozen=True, slots=True)
class Signed:
    """What a token says: who, under which id, from when until when (seconds since 1970)."""

    actor: Actor
    id: str
    issued: float
    expires: float


class Tokens:
    """Signs and checks tokens for one audience with the platform's internal key."""

    def __init__(self, settings: Settings, audience: str) -> None:
        self.audience = audience
        self._settings = settings
        self._ring: tuple[bytes, ...] = ()
        self._renew()
        # Checking costs 0.1 ms: a token that was good stays good until it expires.
        self._good = lru_cache(maxsize=4096)(self._read)

    def _renew(self) -> bool:
        """Take in a ring that was rotated meanwhile; True when it was."""
        self._renew_at = time.monotonic() + RENEW_SECONDS
        public = self._settings.internal_public_key if self._settings.internal_key is None else None
        ring = ring_of(public, "CARELINE_INTERNAL_PUBLIC_KEY") if public else key_ring(self._settings, "internal")
        if ring == self._ring:
            return False
        self._ring, self._signs = ring, not public
        self._keys = [_public(key) if public else _imported(key) for key in ring]
        return True

    def make(self, actor: Actor, seconds: float = SECONDS, *, id: str | None = None) -> str:
        """A token that says who `actor` is, for so many seconds; with an `id` it can be told from others."""
        if time.monotonic() > self._renew_at:
            self._renew()
        if not self._signs:
            raise ValueError("this process has no internal key to sign with: CARELINE_INTERNAL_KEY is the gateway's")
        now = time.time()
        claims: dict[str, Any] = {"aud": self.audience, "sub": actor.subject, "role": str(actor.role)}
        claims |= {"iat": round(now, 3), "exp": int(now) + int(seconds)}
        if id:
            claims["jti"] = id
        for name in NAMES:
            if value := getattr(actor, name):
                claims[name] = value
        if actor.seats:
            claims["seats"] = sorted(actor.seats)
        return jwt.encode({"alg": ALGORITHM}, claims, self._keys[0], algorithms=[ALGORITHM])

    def check(self, token: str, at: float | None = None) -> Signed:
        """What the token says, if it is good now, or was `at` an instant.

        Raises: Unauthenticated when it is not ours or not for this audience, TokenOver.
        """
        try:
            signed = self._good(token)
        except (JoseError, ValueError, KeyError, TypeError):
            raise Unauthenticated(Text("the token is not valid here", "令牌无效")) from None
        if (at or time.time()) >= signed.expires:
            raise TokenOver
        return signed

    def _read(self, token: str) -> Signed:
        claims = self._decoded(token)
        if claims["aud"] != self.audience or not isinstance(claims["exp"], int):
            raise ValueError("another audience, or no end")
        names = {name: claims[name] for name in NAMES if name in claims}
        seats = frozenset((unit, seat) for unit, seat in claims.get("seats", ()))
        actor = Actor(claims["sub"], Role(claims["role"]), seats=seats, **names)
        given = claims.get("jti") or hashlib.sha256(token.encode()).hexdigest()[:32]
        return Signed(actor, given, float(claims.get("iat", 0)), claims["exp"])

    def _decoded(self, token: str) -> dict[str, Any]:
        """The claims, by whichever key of the ring signed them; an unknown key may be one that is new."""
        for attempt in range(2):
            for key in self._keys:
                with suppress(BadSignatureError):
                    return jwt.decode(token, key, algorithms=[ALGORITHM]).claims
            if attempt or not self._renew():
                break
        raise ValueError("no key of ours signed it")


def _imported(key: bytes) -> OKPKey:
    pem = Ed25519PrivateKey.from_private_bytes(key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return OKPKey.import_key(pem)


def _public(key: bytes) -> OKPKey:
    return OKPKey.import_key(
        Ed25519PublicKey.from_public_bytes(key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )


def mint(actor: Actor, settings: Settings) -> str:
    """An internal token of one minute for `actor`, as the gateway puts it into the `Careline-Identity` header."""
    return Tokens(settings, INTERNAL).make(actor)


async def identified(request: Request) -> Actor:
    """The caller, from the internal token; it has to hold when the request arrives, however long its body takes.

    Raises: Unauthenticated; ClocksDiffer, counted and logged.
    """
    token = request.headers.get(HEADER)
    if token is None:
        raise Unauthenticated
    tokens: Tokens = request.app.state.tokens
    try:
        return tokens.check(token, request.scope.get("arrived")).actor
    except TokenOver:
        EXPIRED.inc()
        log.error("an internal token was over on arrival: do the clocks agree?", path=request.url.path)
        raise ClocksDiffer(retry_after=1) from None
