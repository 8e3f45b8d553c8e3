"""Replaying a folder of real data."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from careline.commands.arguments import read_date

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from careline.platform import Platform
    from careline.replay.progress import Progress
    from careline.replay.source import DataSet
    from chassis.settings import Settings

    Tell = Callable[[Platform, DataSet, date, Progress], Awaitable[None]]


def replay(
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="The folder with the bank_*.csv files.")] = None,
    complaints: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Replay the complaints of this folder instead, in a home of its own."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count; publish nothing.")] = False,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="The last day to close (2022-11-30).")] = None,
    customers: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Only the first N client ids, ascending.")
    ] = None,
) -> None:
    """Publish real data as events in business-date order, and return when every service has caught up."""
    from careline.logs import log_at
    from careline.refusals import WrongArgument
    from careline.replay.source import FIRST_CLOSE, LAST_CLOSE, SourceRead
    from careline.settings import loaded

    if (folder is None) == (complaints is None):
        raise WrongArgument("name one folder: DIR for the bank's data, or --complaints DIR")
    log_at("ERROR", libraries="CRITICAL")
    if complaints is not None:
        _replay_complaints(complaints, dry_run, until)
        return
    assert folder is not None
    last: date = LAST_CLOSE if until is None else read_date(until)
    if not FIRST_CLOSE <= last <= LAST_CLOSE:
        raise WrongArgument(f"--until must be from {FIRST_CLOSE} to {LAST_CLOSE}, not {last}")
    reading = SourceRead(folder, customers, loaded().currency)
    if dry_run:
        from careline.replay.summary import print_counts

        print_counts(reading.data_set(), last)
        return
    _replay(reading.data_set, last, _tell_of_bank)


def _replay(read: "Callable[[], DataSet]", last: date, tell: "Tell") -> None:
    from careline.session import database_there, run

    async def go(settings: "Settings") -> None:
        from careline.replay.progress import Progress
        from careline.replay.run import replayed  # the whole platform: loaded while the server starts

        with Progress() as progress:
            async with replayed(settings, read, last, progress) as (platform, data):
                progress.stop()
                await tell(platform, data, last, progress)

    with database_there(keep_running=True) as settings:
        run(go(settings))


async def _tell_of_bank(platform: "Platform", data: "DataSet", last: date, progress: "Progress") -> None:
    from careline.replay.summary import print_summary

    await print_summary(platform, data, last, progress)


def _replay_complaints(folder: Path, dry_run: bool, until: str | None) -> None:
    from careline.refusals import WrongArgument
    from careline.replay.complaints import print_complaints, read_complaints
    from careline.replay.summary import print_counts

    data = read_complaints(folder)
    last = data.last_close if until is None else read_date(until)
    if not data.facts[0].day <= last <= data.last_close:
        raise WrongArgument(f"--until must be from {data.facts[0].day} to {data.last_close}, not {last}")
    if dry_run:
        print_counts(data, last)
        return
    _replay(lambda: data, last, lambda platform, _data, _last, progress: print_complaints(platform, data, progress))
