"""Who may come in: users of the built-in store, API keys, sessions and tokens."""

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from careline.session import os_user, say, with_platform
from chassis.actor import Role

if TYPE_CHECKING:
    from careline.platform import Platform
    from chassis.database import Database

users = typer.Typer(help="Users who sign in with a password (for development; production uses OpenID Connect).")
keys = typer.Typer(help="API keys of systems, and of people for their scripts; the platform's own keys.")
sessions = typer.Typer(help="Sessions of browsers, and bearer tokens from their first use on.")
Name = Annotated[str, typer.Argument(metavar="NAME")]
Branch = Annotated[
    str | None, typer.Option(metavar="ID", help="The branch of a branch's staff; HQ for the call centre.")
]
Person = Annotated[str | None, typer.Option(metavar="ID", help="The staff id of the person it belongs to.")]
ROTATED = ("seal", "internal", "field", "master")
Everything = Annotated[bool, typer.Option("--all", help="Those that are over as well.")]


def _on_gateway(work: Callable[["Database"], Awaitable[Any]]) -> Any:
    from careline.services import named

    return with_platform(lambda platform: work(platform.databases["gateway"]), named("gateway"))


def _table(rows: Sequence[Mapping[str, Any]]) -> None:
    """One row a line, tab-separated, under the columns' names; nothing where there is nothing."""
    if rows:
        say("\t".join(rows[0]))
    for row in rows:
        say("\t".join("" if value is None else str(value) for value in row.values()))


def _form(row: Mapping[str, Any]) -> None:
    for name, value in row.items():
        say(f"{name}: {'' if value is None else value}")


def _password() -> str:
    from gateway.people import require_long

    asked = sys.stdin.isatty()
    given: str = (
        typer.prompt("Password", hide_input=True, confirmation_prompt=True) if asked else sys.stdin.readline().strip()
    )
    require_long(given)
    return given


@users.command("list")
def list_users() -> None:
    """Every user: name, role, branch, whether they may sign in."""

    async def listed(database: "Database") -> Sequence[Mapping[str, Any]]:
        from gateway import people

        async with database.reading() as sql:
            return await people.list_users(sql)

    _table(_on_gateway(listed))


@users.command("show")
def show_user(name: Name) -> None:
    """One user."""

    async def shown(database: "Database") -> Mapping[str, Any]:
        from gateway import people

        async with database.reading() as sql:
            return await people.show_user(sql, name)

    _form(_on_gateway(shown))


@users.command("add")
def add_user(name: Name, role: Annotated[Role, typer.Option(help="What they may be.")], branch: Branch = None) -> None:
    """Add a user; the password is asked for, or read from standard input when that is no terminal."""
    password = _password()

    async def add(database: "Database") -> None:
        from gateway import people

        await people.add_user(database, os_user(), name, password, role, branch_id=branch)

    _on_gateway(add)
    say(f"user {name} may sign in as {role}")


@users.command("set-password")
def set_password(name: Name) -> None:
    """Give a user another password, asked for as by `add`; their sessions end."""
    password = _password()

    async def change(database: "Database") -> None:
        from gateway import people

        hashed = await people.hash_password(password)
        async with database.unit_of_work(os_user()) as uow:
            await people.set_password(uow, name, hashed)

    _on_gateway(change)
    say(f"user {name} has a new password; their sessions have ended")


@users.command("disable")
def disable_user(name: Name) -> None:
    """Let a user in no more, and end their sessions within 15 seconds."""
    _set_disabled(name, True)
    say(f"user {name} may not sign in")


@users.command("enable")
def enable_user(name: Name) -> None:
    """Let a user in again."""
    _set_disabled(name, False)
    say(f"user {name} may sign in")


def _set_disabled(name: str, disabled: bool) -> None:
    async def change(database: "Database") -> None:
        from gateway import people

        async with database.unit_of_work(os_user()) as uow:
            await people.set_disabled(uow, name, disabled)

    _on_gateway(change)


@users.command("remove")
def remove_user(name: Name) -> None:
    """Forget a user; their sessions end within 15 seconds."""

    async def remove(database: "Database") -> None:
        from gateway import people

        async with database.unit_of_work(os_user()) as uow:
            await people.remove_user(uow, name)

    _on_gateway(remove)
    say(f"user {name} is removed")


@users.command("revoke-sessions")
def revoke_sessions_of_user(name: Name) -> None:
    """End every session of a user, who may sign in again."""
    _revoke_all(f"user:{name}")


@keys.command("list")
def list_keys() -> None:
    """Every key: name, role, branch, person, whether it opens the door."""

    async def listed(database: "Database") -> Sequence[Mapping[str, Any]]:
        from gateway import keys as store

        async with database.reading() as sql:
            return await store.list_keys(sql)

    _table(_on_gateway(listed))


@keys.command("show")
def show_key(name: Name) -> None:
    """One key; never what opens the door."""

    async def shown(database: "Database") -> Mapping[str, Any]:
        from gateway import keys as store

        async with database.reading() as sql:
            return await store.show_key(sql, name)

    _form(_on_gateway(shown))


@keys.command("add")
@keys.command("make")
def make_key(
    name: Name,
    role: Annotated[Role, typer.Option(help="What its holder may be.")] = Role.SYSTEM,
    branch: Branch = None,
    person: Person = None,
) -> None:
    """Make a key and print it: it cannot be read again. Sent as `Authorization: Bearer KEY`."""

    async def make(database: "Database") -> str:
        from gateway import keys as store

        return await store.make_key(database, os_user(), name, role, branch, person=person)

    say(_on_gateway(make))


@keys.command("disable")
def disable_key(name: Name) -> None:
    """Turn a key off for the time being; gateways notice within 15 seconds."""

    async def disable(database: "Database") -> None:
        from gateway import keys as store

        await store.disable_key(database, os_user(), name)

    _on_gateway(disable)
    say(f"key {name} is disabled")


@keys.command("enable")
def enable_key(name: Name) -> None:
    """Turn a key on again."""

    async def enable(database: "Database") -> None:
        from gateway import keys as store

        async with database.unit_of_work(os_user()) as uow:
            await store.enable_key(uow, name)

    _on_gateway(enable)
    say(f"key {name} is enabled")


@keys.command("revoke")
def revoke_key(name: Name) -> None:
    """Make a key worthless for ever; gateways notice within 15 seconds."""

    async def revoke(database: "Database") -> None:
        from gateway import keys as store

        await store.revoke_key(database, os_user(), name)

    _on_gateway(revoke)
    say(f"key {name} is revoked")


@keys.command("rotate")
def rotate_key(
    name: Annotated[
        str, typer.Argument(metavar="seal|internal|field|master", help="Which of the platform's own keys.")
    ],
) -> None:
    """Put a new key of the platform's own in use, while it runs: old data stay readable, old seals valid. Clients' keys are
    wrapped by the new master key."""
    from careline.refusals import WrongArgument
    from chassis import secrets

    if name not in ROTATED:
        raise WrongArgument(f"{name} is no key of the platform: choose from {', '.join(ROTATED)}")

    async def rotate(platform: "Platform") -> str:
        from gateway.client_keys import store_of

        before = secrets.name_of(secrets.key_bytes(platform.settings, name))
        try:
            made = secrets.rotate(platform.settings, name)
        except ValueError as error:
            raise WrongArgument(str(error)) from None
        async with platform.databases["gateway"].unit_of_work(os_user()) as uow:
            uow.audit("rotate key", f"key/{name}", before=before, after=made)
        if name == "master":
            await store_of(platform.databases["gateway"]).rewrap()
        for worker in platform.workers.values():  # the next seal is signed with it; the one before has signed for it
            await worker.sealer.step()
        return made

    say(f"{name} key {with_platform(rotate)} is in use; running processes take it up within 30 seconds")


@keys.command("rewrap")
def rewrap_keys() -> None:
    """Wrap clients' keys by the newest master key, where older ones still do: then the older ones are needed no more."""

    from careline.services import named

    async def rewrap(platform: "Platform") -> int:
        from gateway.client_keys import store_of

        store = store_of(platform.databases["gateway"])
        changed = await store.rewrap()
        async with platform.databases["gateway"].unit_of_work(os_user()) as uow:
            uow.audit("rewrap client keys", "key/master", changed=changed)
        return changed

    say(f"{with_platform(rewrap, named('gateway'))} keys were wrapped by an older master key, none is any more")


@keys.command("remove")
def remove_key(name: Name) -> None:
    """Forget a key, so that its name is free again."""

    async def remove(database: "Database") -> None:
        from gateway import keys as store

        await store.remove_key(database, os_user(), name)

    _on_gateway(remove)
    say(f"key {name} is removed")


@sessions.command("list")
def list_sessions(person: Person = None, everything: Everything = False) -> None:
    """Sessions and tokens in use; `--person` takes a staff id, a client id or a sign-in name."""

    async def listed(database: "Database") -> Sequence[Mapping[str, Any]]:
        from gateway import access

        async with database.reading() as sql:
            return await access.list_sessions(sql, person=person, everything=everything)

    _table(_on_gateway(listed))


@sessions.command("show")
def show_session(session: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """One session or token, over or not."""

    async def shown(database: "Database") -> Mapping[str, Any]:
        from gateway import access

        async with database.reading() as sql:
            return await access.show_session(sql, session)

    _form(_on_gateway(shown))


@sessions.command("revoke")
def revoke_sessions(
    session: Annotated[str | None, typer.Argument(metavar="ID", help="One session or token.")] = None,
    person: Annotated[
        str | None, typer.Option(metavar="ID", help="All of a person's: staff id, client id or sign-in name.")
    ] = None,
) -> None:
    """End one session or token, or all of a person's issued so far; gateways notice within 15 seconds."""
    from careline.refusals import WrongArgument

    if (session is None) == (person is None):
        raise WrongArgument("name one session, or --person ID for all of somebody's")
    if person is not None:
        _revoke_all(person)
        return

    async def end(database: "Database") -> None:
        from gateway import access

        async with database.unit_of_work(os_user()) as uow:
            await access.end_session(uow, str(session), "revoked")

    _on_gateway(end)
    say(f"session {session} has ended")


def _revoke_all(name: str) -> None:
    async def revoke(database: "Database") -> None:
        from gateway import access

        async with database.unit_of_work(os_user()) as uow:
            await access.revoke_all(uow, name, "revoked")

    _on_gateway(revoke)
    say(f"every session of {name} has ended")
