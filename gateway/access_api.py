"""Users, API keys and sessions over REST. What opens a door waits for a second person; what shuts one does not."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.approvals import Approval, ApprovalKind, ask, by
from chassis.errors import NotFound, Text
from chassis.http import Reading, Work, permits, router
from chassis.http.approvals import ApprovalView, view
from chassis.http.language import Language
from chassis.http.persons import PersonId
from chassis.staff import roster
from chassis.uow import UnitOfWork
from contracts.fields import Code, Identifier, Label, text_of
from gateway import access, keys, people
from gateway.staff import DECIDING, AboutOneself, approvers

routes = router("/v1", "access")
Reader = Annotated[Actor, permits("access:read", *DECIDING)]
Keeper = Annotated[Actor, permits("access:maintain", *DECIDING)]
Name = Identifier
StaffRole = Literal["agent", "client_manager", "branch_manager", "hq", "compliance", "operations"]
Password = Annotated[str, text_of(200, people.SHORTEST_PASSWORD, "a password", "correct horse battery staple")]


class User(BaseModel):
    """Somebody who signs in with a password."""

    name: str
    role: str
    branch_id: str | None
    disabled: bool
    made_at: datetime


class Key(BaseModel):
    """An API key, without what opens the door. `person`: whose it is; none for a system's."""

    name: str
    role: str
    branch_id: str | None
    person: str | None
    made_at: datetime
    disabled: bool
    revoked_at: datetime | None


class Session(BaseModel):
    """A browser's session, or a bearer token from its first use on."""

    id: str
    kind: Literal["session", "token"]
    subject: str
    person: str
    role: str
    branch_id: str | None
    issued_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    active: bool


class NewUser(BaseModel, extra="forbid"):
    """A user to add. A branch's staff name their branch (`HQ`: the call centre)."""

    name: Name
    password: Password
    role: StaffRole
    branch_id: Name | None = None


class NewKey(BaseModel, extra="forbid"):
    """A key to make."""

    name: Name
    role: Literal["system"] | StaffRole = "system"
    branch_id: Name | None = None
    person: PersonId | None = Field(None, description="the staff id of whose it is; none for a system's")


class NewPassword(BaseModel, extra="forbid"):
    """The password to be."""

    password: Password


class Asked(BaseModel):
    """Done, or waiting for a second person. `key` is a new key: it cannot be read again, and opens once it is approved."""

    status: Literal["done", "waiting"] = "done"
    approval: ApprovalView | None = None
    key: str | None = None


class Revocation(BaseModel, extra="forbid"):
    """Whose sessions and tokens end: a staff id, a client id, or a sign-in name (`user:NAME`); and why."""

    person: Label
    reason: Label = "revoked"


@routes.get("/users")
async def list_users(_: Reader, sql: Reading) -> list[User]:
    """Every user by name."""
    return [User.model_validate(row) for row in await people.list_users(sql)]


@routes.get("/users/{name}")
async def read_user(_: Reader, sql: Reading, name: Code) -> User:
    """One user."""
    return User.model_validate(await people.show_user(sql, name))


@routes.post("/users", status_code=202)
async def add_user(_: Keeper, uow: Work, body: NewUser, accept_language: Language = "") -> Asked:
    """Add a user; they may sign in once a second person has agreed."""
    hashed, role = await people.hash_password(body.password), Role(body.role)
    await people.insert_user(uow, body.name, hashed, role, body.branch_id, disabled=True)
    return await _open(uow, f"user/{body.name}", "add", accept_language)


@routes.put("/users/{name}/password", status_code=202)
async def set_password(_: Keeper, uow: Work, name: Code, body: NewPassword, accept_language: Language = "") -> Asked:
    """Give a user another password, once a second person has agreed; their sessions end then."""
    await people.show_user(uow.sql, name, lock=True)
    hashed = await people.hash_password(body.password)
    await uow.sql.execute("UPDATE users SET new_password = $2 WHERE name = $1", name, hashed)
    return await _open(uow, f"user/{name}", "set password", accept_language)


@routes.post("/users/{name}/enable", status_code=202)
async def enable_user(_: Keeper, uow: Work, name: Code, accept_language: Language = "") -> Asked:
    """Let a user in again, once a second person has agreed."""
    await people.show_user(uow.sql, name, lock=True)
    return await _open(uow, f"user/{name}", "enable", accept_language)


@routes.post("/users/{name}/disable")
async def disable_user(_: Keeper, uow: Work, request: Request, name: Code) -> User:
    """Let a user in no more, at once; their sessions end within 15 seconds."""
    await people.set_disabled(uow, name, True)
    request.app.state.access.forget()
    return User.model_validate(await people.show_user(uow.sql, name))


@routes.delete("/users/{name}", status_code=204)
async def remove_user(_: Keeper, uow: Work, request: Request, name: Code) -> None:
    """Forget a user, at once; their sessions end within 15 seconds."""
    await people.remove_user(uow, name)
    request.app.state.access.forget()


@routes.get("/keys")
async def list_keys(_: Reader, sql: Reading) -> list[Key]:
    """Every API key by name."""
    return [Key.model_validate(row) for row in await keys.list_keys(sql)]


@routes.get("/keys/{name}")
async def read_key(_: Reader, sql: Reading, name: Code) -> Key:
    """One API key."""
    return Key.model_validate(await keys.show_key(sql, name))


@routes.post("/keys", status_code=202)
async def make_key(_: Keeper, uow: Work, body: NewKey, accept_language: Language = "") -> Asked:
    """Make a key; it opens the door once a second person has agreed."""
    key = await keys.add_key(uow, body.name, Role(body.role), body.branch_id, body.person, disabled=True)
    asked = await _open(uow, f"api_key/{body.name}", "add", accept_language)
    return asked.model_copy(update={"key": key})


@routes.post("/keys/{name}/enable", status_code=202)
async def enable_key(_: Keeper, uow: Work, name: Code, accept_language: Language = "") -> Asked:
    """Turn a key on again, once a second person has agreed."""
    await keys.show_key(uow.sql, name, lock=True)
    return await _open(uow, f"api_key/{name}", "enable", accept_language)


@routes.post("/keys/{name}/disable")
async def disable_key(_: Keeper, uow: Work, request: Request, name: Code) -> Key:
    """Turn a key off, at once; gateways notice within 15 seconds."""
    await keys.change_key(uow, name, "disable_api_key", "disabled = true")
    request.app.state.keys.forget()
    return Key.model_validate(await keys.show_key(uow.sql, name))


@routes.delete("/keys/{name}", status_code=204)
async def remove_key(_: Keeper, uow: Work, request: Request, name: Code) -> None:
    """Forget a key, at once; gateways notice within 15 seconds."""
    await keys.drop_key(uow, name)
    request.app.state.keys.forget()


@routes.get("/sessions")
async def list_sessions(
    _: Reader,
    sql: Reading,
    person: Annotated[
        Annotated[str, text_of(200)] | None, Query(description="staff id, client id or sign-in name")
    ] = None,
    everything: Annotated[bool, Query(description="those that are over as well")] = False,
    after: Annotated[Identifier, Query(description="only ids behind this one")] = "",
) -> list[Session]:
    """Up to 200 sessions and tokens by id: those in use, or all of the last 30 days."""
    rows = await access.list_sessions(sql, person=person, everything=everything, after=after)
    return [Session.model_validate(row) for row in rows]


@routes.delete("/sessions/{session_id}", status_code=204)
async def end_session(_: Keeper, uow: Work, request: Request, session_id: Identifier) -> None:
    """End one session or token; every door notices within 15 seconds."""
    await access.end_session(uow, session_id, "revoked")
    request.app.state.access.forget()


@routes.post("/sessions/revoke", status_code=204)
async def revoke_sessions(_: Keeper, uow: Work, request: Request, body: Revocation) -> None:
    """End every session and token issued so far to somebody; every door notices within 15 seconds."""
    await access.revoke_all(uow, body.person, body.reason)
    request.app.state.access.forget()


async def _open(uow: UnitOfWork, object: str, act: str, language: str) -> Asked:
    """Ask a second person to open a door, or open it where there is nobody to ask (a first set-up)."""
    known = await roster(uow.sql)
    before = await _present_of(uow, object)
    name = object.partition("/")[2]
    owner = before.get("person") or name
    person = known.person_of(owner, uow.now) or owner
    if person == uow.actor.person or name in access.names_of(uow.actor):
        raise AboutOneself
    after = before if act == "set password" else before | {"disabled": False}
    if await approvers(uow, known):
        asked = await ask(
            uow, SIGN_IN, object, body={"act": act}, why=act, before=before, after=after, concerned=[person]
        )
        return Asked(status="waiting", approval=view("gateway", SIGN_IN, asked, language))
    await _do(uow, object, act)
    return Asked()


async def _do(uow: UnitOfWork, object: str, act: str) -> None:
    kind, _, name = object.partition("/")
    if kind == "api_key":
        await keys.enable_key(uow, name)
    elif act == "set password":
        hashed = await uow.sql.fetchval("SELECT new_password FROM users WHERE name = $1", name)
        if hashed is None:
            raise NotFound
        await people.set_password(uow, name, hashed)
    else:
        await people.set_disabled(uow, name, False)


async def _agreed(uow: UnitOfWork, approval: Approval) -> None:
    await _do(uow, approval.object, approval.body["act"])


async def _not_agreed(uow: UnitOfWork, approval: Approval) -> None:
    """What was never let in goes; a password that was not agreed to is forgotten."""
    kind, _, name = approval.object.partition("/")
    if approval.body["act"] == "add":
        table = "users" if kind == "user" else "api_keys"
        await uow.sql.execute(f"DELETE FROM {table} WHERE name = $1 AND disabled", name)
    elif approval.body["act"] == "set password":
        await uow.sql.execute("UPDATE users SET new_password = NULL WHERE name = $1", name)


async def _present_of(uow: UnitOfWork, object: str) -> dict[str, Any]:
    kind, _, name = object.partition("/")
    shown = people.show_user if kind == "user" else keys.show_key
    return await shown(uow.sql, name, lock=True)


async def _present(uow: UnitOfWork, approval: Approval) -> Any:
    return await _present_of(uow, approval.object)


SIGN_IN = ApprovalKind(
    "sign_in",
    Text("A door to be opened", "登录或密钥启用"),
    decides=by(*DECIDING),
    apply=_agreed,
    ended=_not_agreed,
    present=_present,
)
