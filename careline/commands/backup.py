"""Backing the platform up, restoring it, and trying the restore."""

from pathlib import Path
from typing import Annotated

import typer

from careline.commands.arguments import one_of_services
from careline.session import database_there, run, say, say_little

Folder = Annotated[str, typer.Argument(metavar="FOLDER", help="Of this backup alone; or s3://BUCKET/PATH.")]
Keys = Annotated[str | None, typer.Option("--keys", help="Folder (or s3://...) of the keys; FOLDER/keys otherwise.")]
Seen = Annotated[str | None, typer.Option("--witness", help="The same of the witness; FOLDER/witness otherwise.")]


def where(place: str) -> str:
    """A place as it is named from anywhere."""
    return place if place.startswith("s3://") else str(Path(place).absolute())


def backup(folder: Folder, keys: Keys = None, witness: Seen = None) -> None:
    """Back up every database as it is at one moment, while the platform runs; clients' keys and witness apart. Audited."""
    from careline.backup.places import Places, written
    from careline.backup.taking import take
    from careline.services import SERVICES
    from careline.session import connected, os_user
    from chassis.settings import Settings

    say_little()
    places = Places.named(folder, keys, witness)

    async def go(settings: Settings) -> None:
        async with connected(settings) as platform:
            async with written(places) as folders:
                made = await take(settings, SERVICES, *folders, say)
            async with platform.databases["gateway"].unit_of_work(os_user()) as uow:
                uow.audit("back_up", "backup", made_at=made.made_at, folder=where(folder))

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
    from careline.backup.places import Places, fetched
    from careline.backup.restoring import restore as restored
    from careline.services import named
    from chassis.settings import Settings

    say_little()
    services, places = named(*(service or ())), Places.named(folder, keys, witness)

    async def go(settings: Settings) -> None:
        async with fetched(places) as folders:
            await restored(settings, services, *folders, say)

    with database_there() as settings:
        run(go(settings))
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
    from careline.backup.places import Places, fetched
    from careline.backup.restoring import drill as tried
    from careline.services import SERVICES
    from careline.settings import loaded
    from chassis.verify import Finding

    say_little()
    settings, places = loaded(), Places.named(folder, keys, witness)

    async def go() -> list[Finding]:
        async with fetched(places) as folders:
            return await tried(settings, SERVICES, *folders, scratch, say)

    findings = run(go())
    for finding in findings:
        say(f"{finding.service}.{finding.table}: {finding.detail}")
    say("the backup holds" if not findings else f"NOT verified: {len(findings)} findings")
    if findings:
        raise typer.Exit(1)
