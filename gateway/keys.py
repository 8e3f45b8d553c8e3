"""API keys of systems, and of people for their scripts: shown once, kept as digests."""

import hashlib
import secrets
from collections.abc import Sequence
from time import monotonic
from typing import Any

import asyncpg

from chassis.actor import Actor, Role
from chassis.database import Database
from chassis.errors import Conflict, Invalid, NotFound, Text
from chassis.uow import UnitOfWork
from contracts.platform import AccessRevoked
from gateway.access import require_branch
from gateway.staff import require_another_administrator

PREFIX = "ck_"
REMEMBERED_SECONDS = 4.0
SHOWN = "name, role, branch_id, person, made_at, disabled, revoked_at"


class NameTaken(Conflict):
    """Something of this name exists already."""

    title = Text("The name is taken", "名称已被占用")


def digest_of(secret: str) -> bytes:
    """What is kept of a key or link: they are random, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).digest()


async def make_key(
    database: Database,
    actor: Actor,
    name: str,
    role: Role,
    branch_id: str | None = None,
    *,
    person: str | None = None,
) -> str:
    """A new key for a system, or for a person (their staff id); nobody can read it again.

    Raises: NameTaken; Invalid for a role of a branch without one.
    """
    async with database.unit_of_work(actor) as uow:
        return await add_key(uow, name, role, branch_id, person)


async def add_key(
    uow: UnitOfWork, name: str, role: Role, branch_id: str | None, person: str | None, *, disabled: bool = False
) -> str:
    """As `make_key`, in a unit of work; `disabled` until somebody turns it on.

    Raises: NameTaken, Invalid.
    """
    require_branch(role, branch_id)
    if person is not None and role in (Role.CLIENT, Role.SYSTEM):
        raise Invalid(Text(f"a key of role {role} is not a person's", f"角色 {role} 的密钥不属于个人"))
    key = PREFIX + secrets.token_urlsafe(32)
    row = await uow.sql.fetchrow(
        f"""INSERT INTO api_keys (digest, name, role, branch_id, made_at, person, disabled)
            VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING RETURNING {SHOWN}""",
        digest_of(key), name, role, branch_id, uow.now, person, disabled,
    )  # fmt: skip
    if row is None:
        raise NameTaken(Text(f"there is a key named {name}", f"已有名为 {name} 的密钥"))
    uow.audit("make_api_key", f"api_key/{name}", role=role, branch_id=branch_id, before=None, after=dict(row))
    return key


async def list_keys(sql: asyncpg.Connection) -> Sequence[dict[str, Any]]:
    """Every key by name, without what opens the door."""
    return [dict(row) for row in await sql.fetch(f"SELECT {SHOWN} FROM api_keys ORDER BY name")]


async def show_key(sql: asyncpg.Connection, name: str, *, lock: bool = False) -> dict[str, Any]:
    """One key.

    Raises: NotFound.
    """
    row = await sql.fetchrow(f"SELECT {SHOWN} FROM api_keys WHERE name = $1 {'FOR UPDATE' if lock else ''}", name)
    if row is None:
        raise NotFound(Text(f"no key named {name}", f"没有名为 {name} 的密钥"))
    return dict(row)


async def change_key(uow: UnitOfWork, name: str, action: str, change: str) -> None:
    """Do `change` (SQL after UPDATE ... SET) to a key in use.

    Raises: NotFound; LastAdministrator.
    """
    before = await show_key(uow.sql, name, lock=True)
    await require_another_administrator(uow, f"api_key/{name}", before["person"])
    if before["revoked_at"] is not None:
        raise NotFound(Text(f"no key named {name} in use", f"没有名为 {name} 的有效密钥"))
    await uow.sql.execute(f"UPDATE api_keys SET {change} WHERE name = $1", name)
    uow.audit(action, f"api_key/{name}", before=before, after=await show_key(uow.sql, name))
    uow.emit(AccessRevoked(person=before["person"] or f"key:{name}", session=f"key:{name}"[:64], at=uow.now))


async def disable_key(database: Database, actor: Actor, name: str) -> None:
    """Turn a key off for the time being; gateways notice within 15 seconds.

    Raises: NotFound.
    """
    async with database.unit_of_work(actor) as uow:
        await change_key(uow, name, "disable_api_key", "disabled = true")


async def enable_key(uow: UnitOfWork, name: str) -> None:
    """Turn a key on again.

    Raises: NotFound.
    """
    before = await show_key(uow.sql, name, lock=True)
    await uow.sql.execute("UPDATE api_keys SET disabled = false WHERE name = $1", name)
    uow.audit("enable_api_key", f"api_key/{name}", before=before, after=await show_key(uow.sql, name))


async def revoke_key(database: Database, actor: Actor, name: str) -> None:
    """Make a key worthless for ever; gateways notice within 15 seconds.

    Raises: NotFound.
    """
    async with database.unit_of_work(actor) as uow:
        await change_key(uow, name, "revoke_api_key", "revoked_at = clock_timestamp()")


async def remove_key(database: Database, actor: Actor, name: str) -> None:
    """Forget a key, so that its name is free again.

    Raises: NotFound.
    """
    async with database.unit_of_work(actor) as uow:
        await drop_key(uow, name)


async def drop_key(uow: UnitOfWork, name: str) -> None:
    """As `remove_key`, in a unit of work.

    Raises: NotFound; LastAdministrator.
    """
    before = await show_key(uow.sql, name, lock=True)
    await require_another_administrator(uow, f"api_key/{name}", before["person"])
    await uow.sql.execute("DELETE FROM api_keys WHERE name = $1", name)
    uow.audit("remove_api_key", f"api_key/{name}", before=before, after=None)
    uow.emit(AccessRevoked(person=before["person"] or f"key:{name}", session=f"key:{name}"[:64], at=uow.now))


class Keys:
    """Looks keys up, and remembers what it found for a few seconds."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._known: dict[bytes, tuple[float, Actor | None]] = {}

    def forget(self) -> None:
        """Look again at the next request: something changed here."""
        self._known.clear()

    async def actor(self, key: str) -> Actor | None:
        """The system or person a key belongs to; None for one that is unknown, disabled or revoked."""
        digest, now = digest_of(key), monotonic()
        at, found = self._known.get(digest, (-REMEMBERED_SECONDS, None))
        if now - at < REMEMBERED_SECONDS:
            return found
        async with self.database.reading() as sql:
            row = await sql.fetchrow(
                """SELECT name, role, branch_id, person FROM api_keys
                   WHERE digest = $1 AND revoked_at IS NULL AND NOT disabled""",
                digest,
            )
        found = None
        if row is not None:
            found = Actor(f"key:{row['name']}", Role(row["role"]), None, row["branch_id"], person=row["person"] or "")
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[digest] = (now, found)
        return found
