"""API keys of systems: shown once, kept as digests."""

import hashlib
import secrets
from time import monotonic

import asyncpg

from chassis.actor import Actor, Role
from chassis.database import Database
from chassis.errors import Conflict, NotFound, Text

PREFIX = "ck_"
REMEMBERED_SECONDS = 15.0


class NameTaken(Conflict):
    """Something of this name exists already."""

    title = Text("The name is taken", "名称已被占用")


def digest_of(secret: str) -> bytes:
    """What is kept of a key or link: they are random, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).digest()


async def make_key(database: Database, actor: Actor, name: str, role: Role, branch_id: str | None = None) -> str:
    """A new key for a system; nobody can read it again.

    Raises: NameTaken.
    """
    key = PREFIX + secrets.token_urlsafe(32)
    async with database.unit_of_work(actor) as uow:
        try:
            await uow.sql.execute(
                "INSERT INTO api_keys (digest, name, role, branch_id, made_at) VALUES ($1, $2, $3, $4, $5)",
                digest_of(key),
                name,
                role,
                branch_id,
                uow.now,
            )
        except asyncpg.UniqueViolationError:
            raise NameTaken(Text(f"there is a key named {name}", f"已有名为 {name} 的密钥")) from None
        uow.audit("make_api_key", f"api_key/{name}", role=role, branch_id=branch_id)
    return key


async def revoke_key(database: Database, actor: Actor, name: str) -> None:
    """Make a key worthless; gateways notice within 15 seconds.

    Raises: NotFound.
    """
    async with database.unit_of_work(actor) as uow:
        done = await uow.sql.fetchval(
            "UPDATE api_keys SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL RETURNING name", name, uow.now
        )
        if done is None:
            raise NotFound(Text(f"no key named {name} in use", f"没有名为 {name} 的有效密钥"))
        uow.audit("revoke_api_key", f"api_key/{name}")


class Keys:
    """Looks keys up, and remembers what it found for a few seconds."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._known: dict[bytes, tuple[float, Actor | None]] = {}

    async def actor(self, key: str) -> Actor | None:
        """The system a key belongs to; None for one that is unknown or revoked."""
        digest, now = digest_of(key), monotonic()
        at, found = self._known.get(digest, (-REMEMBERED_SECONDS, None))
        if now - at < REMEMBERED_SECONDS:
            return found
        async with self.database.reading() as sql:
            row = await sql.fetchrow(
                "SELECT name, role, branch_id FROM api_keys WHERE digest = $1 AND revoked_at IS NULL", digest
            )
        found = Actor(f"key:{row['name']}", Role(row["role"]), None, row["branch_id"]) if row else None
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[digest] = (now, found)
        return found
