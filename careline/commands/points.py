"""The points ledger from the command line."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from careline.commands.operate import print_table
from careline.session import os_user, say, with_platform

if TYPE_CHECKING:
    from careline.platform import Platform
    from services.points.liability import Close

app = typer.Typer(no_args_is_help=True, help="The points ledger.")


@app.callback()
def _points() -> None:
    """The points ledger."""


@app.command()
def close(
    month: Annotated[str, typer.Argument(metavar="MONTH", help="The month, as 2021-03; its last day is closed.")],
    folder: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write CSV, xlsx, manifest and signature there.")
    ] = None,
) -> None:
    """Close a month of the points ledger for good: what is owed to clients by tier and end of lot, movements, expected
    breakage, journal lines, tie-out. Nothing is posted into it any more; asked again, the answer is the same to the byte.
    Exit code 1 when the tie-out does not hold."""
    from datetime import date

    from chassis.folders import private_folder
    from chassis.secrets import signing_key
    from services.points import liability
    from services.points.liability_files import files_of

    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        raise typer.BadParameter(f"{month!r} is not a month: write YYYY-MM") from None

    async def found(platform: "Platform") -> "tuple[Close, dict[str, bytes]]":
        async with platform.databases["points"].unit_of_work(os_user()) as uow:
            closed = await liability.close(uow, first)
        return closed, files_of(closed, signing_key(platform.settings, "seal"))

    closed, files = with_platform(found)
    print_table([("item", "points"), *closed.row.items(), ("owed by clients", closed.owed)])
    say(f"liability {closed.liability} CNY; {closed.method}: {closed.rate}")
    print_table([("debit", "credit", "CNY", "why"), *((j.debit, j.credit, j.amount, j.why) for j in closed.journal)])
    for one in closed.tie_out:
        say(f"{'ties' if one.holds else 'DIFFERS'}  {one.what}: {one.ledger}, {one.other}")
    if folder is not None:
        private_folder(folder)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        say(f"{len(files)} files in {folder}")
    if not all(one.holds for one in closed.tie_out):
        raise typer.Exit(1)
