"""Who may come in: users of the built-in store, API keys of systems, one-time sign-in links."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from careline.session import os_user, say, with_platform
from chassis.actor import Role

if TYPE_CHECKING:
    from careline.platform import Platform

users = typer.Typer(help="Users who sign in with a password (for development; production uses OpenID Connect).")
keys = typer.Typer(help="API keys of systems.")
Name = Annotated[str, typer.Argument(metavar="NAME")]
Branch = Annotated[str | None, typer.Option(metavar="ID", help="The branch they belong to, for its staff.")]
SHORTEST_PASSWORD = 12


@users.command("add")
def add_user(name: Name, role: Annotated[Role, typer.Option(help="What they may be.")], branch: Branch = None) -> None:
    """Add a user; the password is asked for, or read from standard input when that is no terminal."""
    from careline.refusals import WrongArgument

    asked = sys.stdin.isatty()
    password = (
        typer.prompt("Password", hide_input=True, confirmation_prompt=True) if asked else sys.stdin.readline().strip()
    )
    if len(password) < SHORTEST_PASSWORD:
        raise WrongArgument(f"a password has at least {SHORTEST_PASSWORD} characters")

    async def add(platform: "Platform") -> None:
        from gateway import people

        await people.add_user(platform.databases["gateway"], os_user(), name, password, role, branch_id=branch)

    with_platform(add)
    say(f"user {name} may sign in as {role}")


@keys.command("make")
def make_key(
    name: Name, role: Annotated[Role, typer.Option(help="What the system may be.")] = Role.SYSTEM, branch: Branch = None
) -> None:
    """Make a key and print it: it cannot be read again. Sent as `Authorization: Bearer KEY`."""

    async def make(platform: "Platform") -> str:
        from gateway import keys as store

        return await store.make_key(platform.databases["gateway"], os_user(), name, role, branch)

    say(with_platform(make))


@keys.command("revoke")
def revoke_key(name: Name) -> None:
    """Make a key worthless; gateways notice within 15 seconds."""

    async def revoke(platform: "Platform") -> None:
        from gateway import keys as store

        await store.revoke_key(platform.databases["gateway"], os_user(), name)

    with_platform(revoke)
    say(f"key {name} is revoked")
