"""The command line: `careline COMMAND`. One file per group of commands under `careline/commands`."""

import gc
import os
import runpy
import sys

import typer

from careline import questionnaire, stack
from careline.commands import (
    access,
    backup,
    coverage,
    deadlines,
    exports,
    letters,
    operate,
    packs,
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
app.command()(exports.export)
app.command()(coverage.coverage)
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
app.add_typer(questionnaire.app, name="questionnaire")
app.command()(questionnaire.verify_evidence)
app.command()(packs.verify_pack)
app.add_typer(stack.app, name="stack")


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []})
def bench(context: typer.Context) -> None:
    """Measure Careline beside its peers and the limit: `python -m bench`, with the same options."""
    sys.argv = ["careline bench", *context.args]
    runpy.run_module("bench", run_name="__main__")


def main(commands: typer.Typer = app) -> None:
    """Run one command. Exit code 0 on success, 2 for wrong arguments, otherwise 1; expected errors are one line."""
    gc.disable()  # while the program is being loaded there is nothing to collect; what runs turns it on again
    try:
        commands()
    except BrokenPipeError:  # the reader of our output has gone: nothing is left to say to it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        from careline.errors import told

        line = told(error)
        if line is None:
            raise
        print(f"careline: {line}", file=sys.stderr, flush=True)
        sys.exit(1)
    finally:
        gc.enable()
