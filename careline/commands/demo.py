"""A home to try everything out in."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from chassis.settings import Settings


def demo(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="0: any free one. CARELINE_PORT otherwise.")
    ] = None,
    home: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The home to fill: CARELINE_HOME/demo otherwise.")
    ] = None,
    fill_only: Annotated[bool, typer.Option("--fill-only", help="Fill it and end; `demo` again runs it.")] = False,
) -> None:
    """Fill a home with a made-up broker (3 branches, 60 people, 2,000 clients, a month of work) and run it."""
    from careline.refusals import WrongArgument
    from careline.settings import loaded
    from chassis.folders import private_folder
    from gateway.settings import DEMO_MARK

    settings = loaded()
    if not settings.embedded_database or settings.on_kafka:
        raise WrongArgument(
            "the demo has a database and a bus of its own: unset CARELINE_DATABASE_URL and CARELINE_BUS_URL"
        )
    own = (settings.home / "demo" if home is None else home).resolve()
    private_folder(own)
    os.environ["CARELINE_HOME"] = str(own)
    _fill(own, own / DEMO_MARK)
    if not fill_only:
        from careline.commands.run import up

        up(port)


def _fill(home: Path, mark: Path) -> None:
    """Everything until the end of the month, once; broken off, it goes on where it was."""
    from careline.logs import log_at
    from careline.session import database_there, run, say

    async def go(settings: "Settings") -> None:
        from careline.demo.month import LAST, demo
        from careline.demo.work import do_month
        from careline.replay.progress import Progress
        from careline.replay.run import replayed

        with Progress() as progress:
            async with replayed(settings, lambda: demo(home), LAST, progress) as (platform, data):
                progress.stop()
                await do_month(platform, data)  # type: ignore[arg-type]
        say(f"the demo stands at the end of {LAST}, in {home}")

    log_at("ERROR", libraries="CRITICAL")
    mark.touch()
    if mark.read_text("utf-8"):
        return
    with database_there(keep_running=True) as settings:
        run(go(settings))
    mark.write_text('{"filled": true}\n', "utf-8")
