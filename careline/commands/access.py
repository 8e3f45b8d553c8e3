"""Who may come in: users of the built-in store, API keys of systems, one-time sign-in links."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from careline.session import os_user, say, with_platform
from chassis.actor import Role

if TYPE_CHECKING:
    from careline.platform import Platform

users = typer.Typer(help="Users who sign in with a password (for development; production uses OpenID Connect).")
keys = typer.Typer(help="API keys of systems, and the platform's own keys.")
Name = Annotated[str, typer.Argument(metavar="NAME")]
Branch = Annotated[str | None, typer.Option(metavar="ID", help="The branch they belong to, for its staff.")]
SHORTEST_PASSWORD = 12
ROTATED = ("seal", "internal", "field")


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


@keys.command("rotate")
def rotate_key(
    name: Annotated[str, typer.Argument(metavar="seal|internal|field", help="Which of the platform's own keys.")],
) -> None:
    """Put a new key of the platform's own in use, while it runs: old data stay readable, old seals valid."""
    from careline.refusals import WrongArgument
    from chassis import secrets

    if name not in ROTATED:
        raise WrongArgument(f"{name} is no key of the platform: choose from {', '.join(ROTATED)}")

    async def rotate(platform: "Platform") -> str:
        before = secrets.name_of(secrets.key_bytes(platform.settings, name))
        try:
            made = secrets.rotate(platform.settings, name)
        except ValueError as error:
            raise WrongArgument(str(error)) from None
        async with platform.databases["gateway"].unit_of_work(os_user()) as uow:
            uow.audit("rotate key", f"key/{name}", before=before, after=made)
        for worker in platform.workers.values():  # the next seal is signed with it; the one before has signed for it
            await worker.sealer.step()
        return made

    say(f"{name} key {with_platform(rotate)} is in use; running processes take it up within 30 seconds")
