"""Archives of complaints, checked by the file alone."""

from pathlib import Path
from typing import Annotated

import typer


def verify_pack(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An archive of complaints.")],
    here: Annotated[bool, typer.Option("--here", help="It must be signed with this home's key.")] = False,
) -> None:
    """Check a month's or year's archive of complaints: manifest, signature, every file's hash. Exit code 1 if not."""
    from careline.refusals import WrongArgument
    from chassis.secrets import signing_key
    from chassis.settings import Settings
    from services.complaints.packs.bundle import check

    try:
        with file.open("rb") as source:
            checked = check(source, signing_key(Settings(), "seal").public_key() if here else None)
    except OSError as error:
        raise WrongArgument(f"{file}: {error.strerror}") from None
    for problem in checked.problems:
        typer.echo(f"{file}: {problem}", err=True)
    if checked.problems:
        raise typer.Exit(1)
    typer.echo(f"{file}: {checked.period}, {checked.files} files, key {checked.key_id}: complete and unaltered")
