"""Backing the platform up, restoring it, and trying the restore."""

from pathlib import Path
from typing import Annotated

import typer

from careline.commands.arguments import one_of_services
from careline.session import database_there, run, say, say_little

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Of this backup alone.")]
Keys = Annotated[Path | None, typer.Option("--keys", help="Folder of the clients' keys; FOLDER/keys otherwise.")]
Seen = Annotated[Path | None, typer.Option("--witness", help="Folder of the witness; FOLDER/witness otherwise.")]


def backup(folder: Folder, keys: Keys = None, witness: Seen = None) -> None:
    """Back up every database as it is at one moment, while the platform runs; clients' keys and witness apart. Audited."""
    from careline.backup.taking import take
    from careline.services import SERVICES
    from careline.session import connected, os_user
    from chassis.settings import Settings

    say_little()

    async def go(settings: Settings) -> None:
        async with connected(settings) as platform:
            made = await take(settings, SERVICES, folder, keys or folder / "keys", witness or folder / "witness", say)
            async with platform.databases["gateway"].unit_of_work(os_user()) as uow:
                uow.audit("back_up", "backup", made_at=made.made_at, folder=str(folder.absolute()))

    with database_there() as settings:
        run(go(settings))
    say(f"backed up into {folder}")


def restore(
    folder: Folder,
    keys: Keys = None,
    witness: Seen = None,
    service: Annotated[
        list[str] | None,
        typer.Option(
            "--service", parser=one_of_services, metavar="SERVICE", help="With a database each: only this one's."
        ),
    ] = None,
) -> None:
    """Restore a backup into empty databases and a new home, and compare every table with what was backed up. Audited."""
    from careline.backup.restoring import restore as restored
    from careline.services import named

    say_little()
    services = named(*(service or ()))
    with database_there() as settings:
        run(restored(settings, services, folder, keys or folder / "keys", witness or folder / "witness", say))
    say("restored; start the platform")


def drill(
    folder: Folder,
    keys: Keys = None,
    witness: Seen = None,
    scratch: Annotated[
        Path | None,
        typer.Option("--scratch", help="Where the home that is thrown away is made; the system's otherwise."),
    ] = None,
) -> None:
    """Try a backup: restore it into a home that is thrown away, compare every table, verify all that was sealed. Exit code
    1 when something differs."""
    from careline.backup.restoring import drill as tried
    from careline.services import SERVICES
    from careline.settings import loaded

    say_little()
    places = keys or folder / "keys", witness or folder / "witness"
    findings = run(tried(loaded(), SERVICES, folder, *places, scratch, say))
    for finding in findings:
        say(f"{finding.service}.{finding.table}: {finding.detail}")
    say("the backup holds" if not findings else f"NOT verified: {len(findings)} findings")
    if findings:
        raise typer.Exit(1)
