"""Exports: CSV to stdout."""

from typing import Annotated

import typer

from careline.commands.arguments import read_date


def export(
    what: Annotated[str, typer.Argument(metavar="NAME", help="clients, tiers, points, assessments, mismatches, ...")],
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="What is in force from the start of the day after.")
    ] = None,
) -> None:
    """Write one export as CSV to stdout, sorted by its key."""
    from careline.export import EXPORTS, write
    from careline.refusals import WrongArgument
    from careline.session import with_platform

    day = read_date(as_of) if as_of is not None else None
    if what not in EXPORTS:
        raise WrongArgument(f"there is no export {what!r}: choose from {', '.join(EXPORTS)}")
    with_platform(lambda platform: write(platform, EXPORTS[what], day))
