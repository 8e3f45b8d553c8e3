"""People who sign in: a small user store for development, and one-time sign-in links."""

import asyncio
import secrets
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any

import asyncpg
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from chassis.actor import PLATFORM, Actor, Role
from chassis.database import Database
from chassis.errors import FieldError, Invalid, NotFound, Text, Unauthenticated
from chassis.uow import UnitOfWork
from gateway.access import require_branch, revoke_all
from gateway.keys import NameTaken, digest_of
from gateway.staff import require_another_administrator

LINK_MINUTES = 15
SHORTEST_PASSWORD = 12
SHOWN = "name, role, branch_id, disabled, made_at"
_hasher = PasswordHasher()
# A check takes 0.1 s of a core and 64 MB: two at a time, so that sign-in cannot starve everything else.
_places = asyncio.Semaphore(2)


@cache
def _nobody() -> str:
    """What a password is compared with when there is no such user: the answer takes as long as with one."""
    return _hasher.hash(secrets.token_urlsafe())


class WrongPassword(Unauthenticated):
    """There is no such user, or the password is another."""

    title = Text("Name or password is wrong", "用户名或密码错误")


class LinkUsed(Unauthenticated):
    """The sign-in link was used before, is older than 15 minutes, or was never ours. Ask for a new one."""

    title = Text("The sign-in link is not valid any more", "登录链接已失效")


def require_long(password: str) -> None:
    """Refuse a short password.

    Raises: Invalid.
    """
    if len(password) < SHORTEST_PASSWORD:
        raise Invalid(
            Text(f"a password has at least {SHORTEST_PASSWORD} characters", f"密码至少 {SHORTEST_PASSWORD} 个字符"),
            errors=(FieldError("/password", "too short"),),
        )


async def hash_password(password: str) -> str:
    """What is kept of a password (argon2id)."""
    async with _places:
        return await asyncio.to_thread(_hasher.hash, password)


async def add_user(
    database: Database, actor: Actor, name: str, password: str, role: Role, *, branch_id: str | None = None
) -> None:
    """A new user of the built-in store.

    Raises: NameTaken; Invalid for a role of a branch without one, or a role that does not sign in.
    """
    hashed = await hash_password(password)
    async with database.unit_of_work(actor) as uow:
        await insert_user(uow, name, hashed, role, branch_id)


async def insert_user(
    uow: UnitOfWork, name: str, hashed: str, role: Role, branch_id: str | None, *, disabled: bool = False
) -> None:
    """As `add_user`, in a unit of work; `disabled` until somebody lets them in.

    Raises: NameTaken, Invalid.
    """
    require_branch(role, branch_id)
    if role in (Role.CLIENT, Role.SYSTEM):
        raise Invalid(
            Text(f"role {role} does not sign in here: users are staff", f"角色 {role} 不能在此登录：用户均为员工")
        )
    row = await uow.sql.fetchrow(
        f"""INSERT INTO users (name, password, role, branch_id, disabled, made_at) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (name) DO NOTHING RETURNING {SHOWN}""",
        name, hashed, role, branch_id, disabled, uow.now,
    )  # fmt: skip
    if row is None:
        raise NameTaken(Text(f"there is a user named {name}", f"已有名为 {name} 的用户"))
    uow.audit("add_user", f"user/{name}", role=role, branch_id=branch_id, before=None, after=dict(row))


async def list_users(sql: asyncpg.Connection) -> Sequence[dict[str, Any]]:
    """Every user by name."""
    return [dict(row) for row in await sql.fetch(f"SELECT {SHOWN} FROM users ORDER BY name")]


async def show_user(sql: asyncpg.Connection, name: str, *, lock: bool = False) -> dict[str, Any]:
    """One user.

    Raises: NotFound.
    """
    row = await sql.fetchrow(f"SELECT {SHOWN} FROM users WHERE name = $1 {'FOR UPDATE' if lock else ''}", name)
    if row is None:
        raise NotFound(Text(f"no user named {name}", f"没有名为 {name} 的用户"))
    return dict(row)


async def set_password(uow: UnitOfWork, name: str, hashed: str) -> None:
    """Another password; every session of the user ends.

    Raises: NotFound.
    """
    before = await show_user(uow.sql, name, lock=True)
    await uow.sql.execute("UPDATE users SET password = $2, new_password = NULL WHERE name = $1", name, hashed)
    uow.audit("set_password", f"user/{name}", before=before, after=before)
    await revoke_all(uow, f"user:{name}", "password set")


async def set_disabled(uow: UnitOfWork, name: str, disabled: bool) -> None:
    """Let a user in no more, or again; whom it shuts out has no sessions from then on.

    Raises: NotFound; LastAdministrator.
    """
    before = await show_user(uow.sql, name, lock=True)
    if disabled:
        await require_another_administrator(uow, f"user/{name}")
    await uow.sql.execute("UPDATE users SET disabled = $2 WHERE name = $1", name, disabled)
    action = "disable_user" if disabled else "enable_user"
    uow.audit(action, f"user/{name}", before=before, after=await show_user(uow.sql, name))
    if disabled:
        await revoke_all(uow, f"user:{name}", "disabled")


async def remove_user(uow: UnitOfWork, name: str) -> None:
    """Forget a user; their sessions end.

    Raises: NotFound; LastAdministrator.
    """
    before = await show_user(uow.sql, name, lock=True)
    await require_another_administrator(uow, f"user/{name}")
    await uow.sql.execute("DELETE FROM users WHERE name = $1", name)
    uow.audit("remove_user", f"user/{name}", before=before, after=None)
    await revoke_all(uow, f"user:{name}", "removed")


async def check_password(database: Database, name: str, password: str) -> Actor:
    """Who this is.

    Raises: WrongPassword, always after the same time.
    """
    async with database.reading() as sql:
        row = await sql.fetchrow("SELECT * FROM users WHERE name = $1 AND NOT disabled", name)
    async with _places:
        nobody = await asyncio.to_thread(_nobody)  # asked for either way, so that its first time tells nothing
        right = await asyncio.to_thread(_verify, row["password"] if row else nobody, password)
    if row is None or not right:
        raise WrongPassword
    return Actor(f"user:{name}", Role(row["role"]), row["client_id"], row["branch_id"])


def _verify(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password)
    except (VerifyMismatchError, InvalidHashError):
        return False


async def make_sign_in_link(
    database: Database, base_url: str, *, subject: str = "operator", role: Role = Role.OPERATIONS
) -> str:
    """A link that signs its first user in, once, within 15 minutes; `careline up` prints one."""
    token = secrets.token_urlsafe(24)
    async with database.unit_of_work(PLATFORM) as uow:
        await uow.sql.execute(
            "INSERT INTO sign_in_links (digest, subject, role, expires_at) VALUES ($1, $2, $3, $4)",
            digest_of(token),
            subject,
            role,
            uow.now + timedelta(minutes=LINK_MINUTES),
        )
        uow.audit("make_sign_in_link", f"person/{subject}", role=role)
    return f"{base_url.rstrip('/')}/sign-in/link?token={token}"


async def use_link(database: Database, token: str) -> Actor:
    """Who the link signs in; it is worth nothing from now on.

    Raises: LinkUsed.
    """
    async with database.unit_of_work() as uow:
        row = await uow.sql.fetchrow(
            """UPDATE sign_in_links SET used_at = $2 WHERE digest = $1 AND used_at IS NULL AND expires_at > $2
               RETURNING subject, role, branch_id""",
            digest_of(token),
            uow.now,
        )
        if row is None:
            raise LinkUsed
        uow.audit("use_sign_in_link", f"person/{row['subject']}")
    return Actor(row["subject"], Role(row["role"]), None, row["branch_id"])
