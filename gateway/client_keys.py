"""The keys of clients: one each, wrapped by the master key, in a table that only the gateway's role can read.

They never lie in events, in another service's database or in ordinary backups (`careline backup` keeps them
apart); a destroyed key leaves its row, so that none is made for that owner again.
"""

import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from fastapi import Depends, Request
from starlette.responses import Response

from chassis.actor import Role
from chassis.database import Database
from chassis.http import router
from chassis.http.permissions import Permission
from chassis.http.problems import Malformed
from chassis.personal.keys import ClientKey
from chassis.personal.remote import HEADER, MOST, PATH, Found, Wanted, check_service_token
from chassis.secrets import key_ring
from chassis.settings import Settings
from chassis.uow import ServiceDatabase, UnitOfWork

KEY_BYTES, NONCE_BYTES = 32, 12
RENEW_SECONDS = 30.0
AT_ONCE = 2000
SEARCH = "search:tokens"
"""The owner of the key that finds clients: of the platform's own, given to nobody."""
routes = router("", "client keys")


class ClientKeys:
    """The store itself, as a `KeySource`: what is made is durable before it is used, whatever becomes of the caller's
    transaction. It has connections of its own, so that nobody waits for one while holding another."""

    def __init__(self, settings: Settings) -> None:
        few = settings.model_copy(update={"pool_size": 3})
        self.database = Database(few, "gateway")
        self._settings = settings
        self._search: bytes | None = None
        self._ring: tuple[bytes, ...] = ()  # read when first needed: a process that needs no key makes none
        self._masters: list[AESGCM] = []
        self._renew_at = 0.0

    def _renew(self) -> None:
        """Take in a ring that was rotated meanwhile."""
        self._ring = key_ring(self._settings, "master")
        self._masters = [AESGCM(key) for key in self._ring]
        self._renew_at = time.monotonic() + RENEW_SECONDS

    async def fetch(self, owners: Sequence[str], *, make: bool) -> list[ClientKey]:
        """As `KeySource` says."""
        wanted = list(dict.fromkeys(owners))
        async with self.database.unit_of_work() as uow:
            rows = await self._read(uow, wanted)
            if make and (missing := sorted(set(wanted) - {row["owner"] for row in rows})):
                await uow.sql.execute(
                    """INSERT INTO client_keys (owner, generation, wrapped, made_at)
                       SELECT o, 1, w, $3 FROM unnest($1::text[], $2::bytea[]) AS n(o, w) ON CONFLICT DO NOTHING""",
                    missing,
                    [self._wrapped(owner, 1, secrets.token_bytes(KEY_BYTES)) for owner in missing],
                    uow.now,
                )
                rows = await self._read(uow, wanted)
        return [
            ClientKey(
                row["owner"],
                row["generation"],
                self._unwrapped(row["owner"], row["generation"], row["wrapped"]),
                blocked=row["blocked_at"] is not None,
            )
            for row in rows
            if row["wrapped"] is not None
        ]

    async def renew(self, owners: Sequence[str]) -> None:
        """New keys, of the next generation, for owners whose keys were destroyed."""
        async with self.database.unit_of_work() as uow:
            for row in await uow.sql.fetch(
                """SELECT owner, generation + 1 AS generation FROM client_keys
                   WHERE owner = ANY($1::text[]) AND destroyed_at IS NOT NULL ORDER BY owner FOR UPDATE""",
                list(owners),
            ):
                await uow.sql.execute(
                    """UPDATE client_keys SET generation = $2, wrapped = $3, made_at = $4, blocked_at = NULL,
                              destroyed_at = NULL WHERE owner = $1""",
                    row["owner"],
                    row["generation"],
                    self._wrapped(row["owner"], row["generation"], secrets.token_bytes(KEY_BYTES)),
                    uow.now,
                )

    async def _read(self, uow: UnitOfWork, owners: Sequence[str]) -> list[Any]:
        return list(
            await uow.sql.fetch(
                "SELECT owner, generation, wrapped, blocked_at FROM client_keys WHERE owner = ANY($1::text[])", owners
            )
        )

    async def search_key(self) -> bytes:
        """The key of the tokens that find a client: whoever has their table alone can try no name.

        Made from the first master key once, and kept under the newest: tokens are not made anew.
        """
        if self._search is None:
            if not self._ring:
                self._renew()
            async with self.database.unit_of_work() as uow:
                derived = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"careline blind tokens").derive(self._ring[-1])
                await uow.sql.execute(
                    """INSERT INTO client_keys (owner, generation, wrapped, made_at) VALUES ($1, 1, $2, $3)
                       ON CONFLICT DO NOTHING""",
                    SEARCH, self._wrapped(SEARCH, 1, derived), uow.now,
                )  # fmt: skip
                [row] = await self._read(uow, [SEARCH])
            self._search = self._unwrapped(SEARCH, 1, row["wrapped"])
        return self._search

    async def rewrap(self) -> int:
        """Wrap every key by the newest master key that an older one wraps; how many those were. Then no older one is needed."""
        self._renew()
        await self.search_key()
        newest, after, changed = self._masters[:1], "", 0
        while True:
            async with self.database.unit_of_work() as uow:
                rows = await uow.sql.fetch(
                    """SELECT owner, generation, wrapped FROM client_keys WHERE owner > $1 AND wrapped IS NOT NULL
                       ORDER BY owner LIMIT $2 FOR UPDATE""",
                    after, AT_ONCE,
                )  # fmt: skip
                if not rows:
                    return changed
                after = rows[-1]["owner"]
                old = [row for row in rows if _opened(newest, *row) is None]
                await uow.sql.execute(
                    """UPDATE client_keys k SET wrapped = n.wrapped
                       FROM unnest($1::text[], $2::bytea[]) AS n(owner, wrapped) WHERE k.owner = n.owner""",
                    [row["owner"] for row in old],
                    [self._wrapped(row["owner"], row["generation"], self._unwrapped(*row)) for row in old],
                )
                changed += len(old)

    def _wrapped(self, owner: str, generation: int, secret: bytes) -> bytes:
        if time.monotonic() > self._renew_at:
            self._renew()
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._masters[0].encrypt(nonce, secret, _place(owner, generation))

    def _unwrapped(self, owner: str, generation: int, wrapped: bytes) -> bytes:
        secret = _opened(self._masters, owner, generation, wrapped)
        if secret is None:  # by a key that is new
            self._renew()
            secret = _opened(self._masters, owner, generation, wrapped)
        if secret is None:
            raise RuntimeError("the master key is not the one the clients' keys are wrapped with")
        return secret


def _opened(masters: Sequence[AESGCM], owner: str, generation: int, wrapped: bytes) -> bytes | None:
    for master in masters:  # the newest first: older ones open what was wrapped before a rotation
        with suppress(InvalidTag):
            return master.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _place(owner, generation))
    return None


def _place(owner: str, generation: int) -> bytes:
    return f"{owner}\n{generation}".encode()


def store_of(database: ServiceDatabase) -> ClientKeys:
    """The store behind the gateway's keyring."""
    source = database.keyring.source
    assert isinstance(source, ClientKeys)
    return source


async def _service(request: Request) -> str:
    """One of our services, by the token it makes for this alone.

    Raises: Unauthenticated.
    """
    settings: Settings = request.app.state.settings
    return check_service_token(settings, request.headers.get(HEADER, ""))


_service.permission = Permission("client_keys:fetch", frozenset({Role.SYSTEM}))  # type: ignore[attr-defined]


@routes.post(PATH, include_in_schema=False)
async def fetch_keys(request: Request, _: Annotated[str, Depends(_service)]) -> Response:
    """Keys for a service: for no caller from outside, whatever their role."""
    try:
        wanted = msgspec.json.decode(await request.body(), type=Wanted)
    except msgspec.DecodeError:
        raise Malformed from None
    if len(wanted.owners) > MOST or SEARCH in wanted.owners:
        raise Malformed
    database: Database = request.app.state.database
    found = await store_of(database).fetch(wanted.owners, make=wanted.make)
    return Response(msgspec.json.encode([Found.of(key) for key in found]), media_type="application/json")
