"""A token for trying out and for scripts."""

from typing import Annotated

import typer

from chassis.actor import Actor, Role


def token(
    role: Annotated[Role, typer.Option(help="Who to be.")],
    client: Annotated[str | None, typer.Option(metavar="ID", help="The client to be, for role client.")] = None,
    branch: Annotated[str | None, typer.Option(metavar="ID", help="The branch to belong to, for its staff.")] = None,
    purpose: Annotated[str | None, typer.Option(help="Why clients' records are read.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 31, help="How long it is good for.")] = 12,
) -> None:
    """Print a bearer token for the gateway: `Authorization: Bearer TOKEN`."""
    from careline.errors import WrongArgument
    from careline.session import os_user, say
    from chassis.http.identity import GATEWAY, Tokens
    from chassis.settings import Settings

    if (role is Role.CLIENT) != (client is not None):
        raise WrongArgument("--client names who to be with --role client, and only then")
    actor = Actor(client or os_user().subject, role, client_id=client, branch_id=branch, purpose=purpose)
    say(Tokens(Settings(), GATEWAY).make(actor, hours * 3600))
