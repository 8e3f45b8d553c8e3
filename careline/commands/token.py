"""A token for trying out and for scripts."""

from typing import Annotated

import typer

from chassis.actor import Role


def token(
    role: Annotated[Role, typer.Option(help="Who to be.")],
    client: Annotated[str | None, typer.Option(metavar="ID", help="The client to be, for role client.")] = None,
    person: Annotated[str | None, typer.Option(metavar="ID", help="The staff id it stands for.")] = None,
    branch: Annotated[str | None, typer.Option(metavar="ID", help="The branch to belong to, for its staff.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 31, help="How long it is good for.")] = 12,
) -> None:
    """Print a bearer token for the gateway: `Authorization: Bearer TOKEN`."""
    from careline.refusals import WrongArgument
    from careline.session import say
    from careline.settings import loaded
    from gateway.tokens import issue_token

    try:
        made = issue_token(loaded(), role, branch_id=branch, client_id=client, person=person, hours=hours)
    except ValueError as missing:
        raise WrongArgument(str(missing)) from None
    say(made)
