"""Archives of complaints, checked by the file alone."""

from pathlib import Path
from typing import Annotated

import typer


def verify_pack(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An archive of complaints.")],
    here: Annotated[bool, typer.Option("--here", help="It must be signed with a key of this home.")] = False,
    key: Annotated[
        str | None, typer.Option("--key", help="The signer's public key (base64); else this home's.")
    ] = None,
) -> None:
    """Check a month's or year's archive of complaints: manifest, signature, every file's hash. Exit code 0 only when all hold
    and a trusted key signed it; 3 when all hold and the signer is unknown, otherwise 1."""
    from careline.refusals import WrongArgument
    from careline.trust import UNKNOWN_SIGNER, trusted_keys
    from services.complaints.packs.bundle import check

    trusted = trusted_keys(key)
    if here and not trusted:
        raise WrongArgument("this home has no seal key: --here cannot hold")
    try:
        with file.open("rb") as source:
            checked = check(source, *trusted)
    except OSError as error:
        raise WrongArgument(f"{file}: {error.strerror}") from None
    for problem in checked.problems:
        typer.echo(f"{file}: {problem}", err=True)
    if checked.problems:
        raise typer.Exit(1)
    found = "complete and unaltered" if checked.signer_known else "consistent, signer unknown"
    typer.echo(f"{file}: {checked.period}, {checked.files} files, key {checked.key_id}: {found}")
    if not checked.signer_known:
        raise typer.Exit(UNKNOWN_SIGNER)
