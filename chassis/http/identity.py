"""Who is calling: short-lived signed tokens from the gateway, checked again in each service; permissions of routes."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from fastapi import Depends, Request
from joserfc import jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import OKPKey

from chassis.actor import Actor, Role
from chassis.errors import Forbidden, Text, Unauthenticated
from chassis.secrets import key_ring, ring_of
from chassis.settings import Settings

HEADER = "careline-identity"
SECONDS = 60
RENEW_SECONDS = 30.0
ALGORITHM = "Ed25519"  # EdDSA by its present name, RFC 9864
NAMES = ("client_id", "branch_id", "purpose", "person")
INTERNAL, GATEWAY = "careline-internal", "careline-gateway"


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

    def make(self, actor: Actor, seconds: float = SECONDS) -> str:
        """A token that says who `actor` is, for so many seconds."""
        if time.monotonic() > self._renew_at:
            self._renew()
        if not self._signs:
            raise ValueError("this process has no internal key to sign with: CARELINE_INTERNAL_KEY is the gateway's")
        now = int(time.time())
        claims: dict[str, Any] = {"aud": self.audience, "sub": actor.subject, "role": str(actor.role)}
        claims |= {"iat": now, "exp": now + int(seconds)}
        for name in NAMES:
            if value := getattr(actor, name):
                claims[name] = value
        if actor.seats:
            claims["seats"] = sorted(actor.seats)
        return jwt.encode({"alg": ALGORITHM}, claims, self._keys[0], algorithms=[ALGORITHM])

    def check(self, token: str) -> Actor:
        """Who the token says is calling.

        Raises: Unauthenticated when it is not ours, not for this audience, or over.
        """
        try:
            actor, expires = self._good(token)
        except (JoseError, ValueError, KeyError, TypeError):
            raise Unauthenticated(Text("the token is not valid here", "令牌无效")) from None
        if time.time() >= expires:
            raise Unauthenticated(Text("the token has expired", "令牌已过期"))
        return actor

    def _read(self, token: str) -> tuple[Actor, int]:
        claims = self._decoded(token)
        if claims["aud"] != self.audience or not isinstance(claims["exp"], int):
            raise ValueError("another audience, or no end")
        names = {name: claims[name] for name in NAMES if name in claims}
        seats = frozenset((unit, seat) for unit, seat in claims.get("seats", ()))
        return Actor(claims["sub"], Role(claims["role"]), seats=seats, **names), claims["exp"]

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
    """The caller, from the internal token.

    Raises: Unauthenticated.
    """
    token = request.headers.get(HEADER)
    if token is None:
        raise Unauthenticated
    tokens: Tokens = request.app.state.tokens
    return tokens.check(token)


@dataclass(frozen=True, slots=True)
class Permission:
    """What a route asks of its caller."""

    name: str
    roles: frozenset[Role]


def permits(name: str, *roles: Role) -> Any:
    """A route's permission: `actor: Annotated[Actor, permits("points:read", Role.CLIENT, ...)]`, its first parameter.

    Only these roles pass (403); a member of staff who reads a client's record (a GET with `client_id` in its path) says
    why in the `Purpose` header or the token, and the read is recorded (400 without one).
    """
    permission = Permission(name, frozenset(roles))

    async def check(request: Request, actor: Annotated[Actor, Depends(identified)]) -> Actor:
        if actor.role not in permission.roles:
            raise Forbidden(Text(f"{permission.name} is not for role {actor.role}", f"角色 {actor.role} 无权限 {name}"))
        client_id = request.path_params.get("client_id")
        if client_id is not None and request.method == "GET":
            from chassis.http.reads import record_read

            return await record_read(request, actor, permission.name, client_id)
        return actor

    check.permission = permission  # type: ignore[attr-defined]
    return Depends(check)


def permission_of(dependant: Any) -> Permission | None:
    """The permission that a route's dependencies name, for the test that walks every route."""
    for below in dependant.dependencies:
        call: Callable[..., Any] | None = below.call
        found: Permission | None = getattr(call, "permission", None) or permission_of(below)
        if found:
            return found
    return None
