"""`careline stack`: a private PostgreSQL and a real Kafka on this machine, without containers."""

from pathlib import Path
from typing import Annotated

import typer

from chassis.servers import stack
from chassis.servers.process import ServerNotReady

app = typer.Typer(help="A private PostgreSQL and a real Kafka on this machine.", no_args_is_help=True)

Home = Annotated[Path, typer.Option("--home", envvar="CARELINE_HOME", help="Where Careline keeps everything.")]
DEFAULT_HOME = Path("var")


def _say(line: str) -> None:
    print(line, flush=True)


def _fail(failed: ServerNotReady | OSError) -> typer.Exit:
    typer.echo(f"careline stack: {failed}", err=True)
    return typer.Exit(1)


@app.command()
def up(home: Home = DEFAULT_HOME) -> None:
    """Start both servers, or find them running, and print the two settings to use them."""
    try:
        settings = stack.up(home)
    except (ServerNotReady, OSError) as failed:
        raise _fail(failed) from None
    for name, value in settings.items():
        _say(f"{name}={value}")


@app.command()
def down(home: Home = DEFAULT_HOME) -> None:
    """Stop both servers; what they keep stays."""
    try:
        stack.down(home)
    except (ServerNotReady, OSError) as failed:
        raise _fail(failed) from None
    _say("stopped")


@app.command()
def status(home: Home = DEFAULT_HOME) -> None:
    """Say whether they run; exit code 0 only when both do."""
    states = stack.status(home)
    for name, state in states.items():
        _say(f"{name}: " + (f"running (process {state.pid}) {state.url}" if state.running else "not running"))
    if not all(state.running for state in states.values()):
        raise typer.Exit(1)
