"""The command line: `careline COMMAND`. One file per group of commands under `careline/commands`."""

import gc
import importlib.util
import os
import runpy
import select
import sys
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

from careline import questionnaire, stack
from careline.commands import (
    access,
    backup,
    coverage,
    deadlines,
    demo,
    exports,
    letters,
    messages,
    operate,
    packs,
    points,
    policy,
    positions,
    replay,
    run,
    token,
)

app = typer.Typer(
    name="careline",
    help="The client-service platform of a securities broker. Settings come from the environment (CARELINE_*).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from chassis.version import version

        print(f"careline {version()}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """The client-service platform of a securities broker. Settings come from the environment (CARELINE_*)."""


app.command()(run.up)
app.command()(run.serve)
app.command()(run.work)
app.command()(run.seal)
app.command()(operate.migrate)
app.command()(operate.upgrade)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(backup.drill)
app.command()(replay.replay)
app.command()(demo.demo)
app.command()(exports.export)
app.command()(coverage.coverage)
app.command()(operate.status)
app.command()(operate.lag)
app.command()(operate.doctor)
app.command()(operate.verify)
app.command()(policy.recalibrate)
app.command()(token.token)
app.add_typer(access.users, name="users")
app.add_typer(access.keys, name="keys")
app.add_typer(access.sessions, name="sessions")
app.add_typer(letters.dead_letters, name="dead-letters")
app.add_typer(letters.conflicts, name="conflicts")
app.add_typer(deadlines.deadlines, name="deadlines")
app.add_typer(positions.positions, name="positions")
app.add_typer(points.app, name="points")
app.add_typer(messages.app, name="messages")
app.add_typer(questionnaire.app, name="questionnaire")
app.command()(questionnaire.verify_evidence)
app.command()(packs.verify_pack)
app.add_typer(stack.app, name="stack")


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})
def bench(context: typer.Context) -> None:
    """Measure Careline beside its peers and the limit: `python -m bench`, with the same options."""
    if importlib.util.find_spec("bench") is None:
        raise typer.BadParameter("the benchmarks are not installed here: run it in a checkout")
    sys.argv = ["careline bench", *context.args]
    runpy.run_module("bench", run_name="__main__")


def main(commands: typer.Typer = app) -> None:
    """Run one command. Exit code 0 on success, 2 for wrong arguments, otherwise 1; expected errors are one line.

    Whoever reads our output may stop (`careline export clients | head`): that is no error.
    """
    gc.disable()  # while the program is being loaded there is nothing to collect; what runs turns it on again
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that cannot show a character ends nothing
            stream.reconfigure(errors="backslashreplace")
    # Whatever is made holds secrets or clients' data: folders are for their owner alone, files too.
    others = os.umask(0o077)
    try:
        try:
            commands()
        except SystemExit:
            sys.stdout.flush()
            raise
    except SystemExit as end:
        if end.code != 1 or not isinstance(end.__context__, BrokenPipeError):
            raise
        _tell(end.__context__)
    except Exception as error:
        _tell(error)
    finally:
        os.umask(others)
        gc.enable()


def _tell(error: Exception) -> NoReturn:
    """End with the one line of an expected error, or well when only our reader has gone.

    Raises: the error itself when it is ours.
    """
    if _of_a_pipe(error) and _reader_gone():
        _say_no_more()
    from careline.errors import told

    line = told(error)
    if line is None:
        raise error
    print(f"careline: {line}", file=sys.stderr, flush=True)
    sys.exit(1)


def _of_a_pipe(error: BaseException) -> bool:
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return all(map(_of_a_pipe, inner)) if inner else isinstance(error, BrokenPipeError)


def _reader_gone() -> bool:
    """Whether it is our output that nobody reads: connections break as well."""
    stream = sys.__stdout__
    if stream is None:
        return False
    poll = select.poll()
    poll.register(stream.fileno(), 0)
    return any(happened & select.POLLERR for _, happened in poll.poll(0))


def _say_no_more() -> NoReturn:
    """End well; what was not read goes nowhere."""
    assert sys.__stdout__ is not None
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
    sys.exit(0)
