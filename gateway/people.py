"""People who sign in: a small user store for development, and one-time sign-in links."""

import asyncio
import secrets
from datetime import timedelta
from functools import cache

import asyncpg
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from chassis.actor import PLATFORM, Actor, Role
from chassis.database import Database
from chassis.errors import Text, Unauthenticated
from gateway.keys import NameTaken, digest_of

LINK_MINUTES = 15
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


async def add_user(
    database: Database, actor: Actor, name: str, password: str, role: Role, *, branch_id: str | None = None
) -> None:
    """A new user of the development store.

    Raises: NameTaken.
    """
    async with _places:
        hashed = await asyncio.to_thread(_hasher.hash, password)
    async with database.unit_of_work(actor) as uow:
        try:
            await uow.sql.execute(
                "INSERT INTO users (name, password, role, branch_id, made_at) VALUES ($1, $2, $3, $4, $5)",
                name,
                hashed,
                role,
                branch_id,
                uow.now,
            )
        except asyncpg.UniqueViolationError:
            raise NameTaken(Text(f"there is a user named {name}", f"已有名为 {name} 的用户")) from None
        uow.audit("add_user", f"user/{name}", role=role, branch_id=branch_id)


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
