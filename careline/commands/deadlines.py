"""`careline deadlines`: what is armed, due and late, and one step by hand or in a dry run."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from careline.commands.arguments import ServiceOption, reference
from careline.commands.operate import print_table
from careline.refusals import WrongArgument
from careline.session import os_user, say, with_platform

if TYPE_CHECKING:
    from careline.platform import Platform

deadlines = typer.Typer(help="What happens because time has passed.", no_args_is_help=True)
KINDS = {"all", "due", "soon", "failed"}


@deadlines.command("list")
def list_deadlines(
    service: ServiceOption = None,
    which: Annotated[str, typer.Option(help="all, due, soon (the next hour) or failed.")] = "all",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many of each service.")] = 200,
) -> None:
    """List armed deadlines by due, under a line of counts for each service."""
    from chassis.operations.deadlines import counted, listed

    if which not in KINDS:
        raise WrongArgument(f"--which is all, due, soon or failed, not {which!r}")

    async def ask(platform: "Platform") -> list[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
        found = []
        for one in platform.services:
            if one.deadlines and service in (None, one.name):
                database = platform.databases[one.name]
                async with database.reading() as sql:
                    counts = await counted(sql)
                found.append((one.name, counts, await listed(database, which, limit=limit)))  # type: ignore[arg-type]
        return found

    rows = [("deadline", "due", "kind", "object", "step", "error")]
    for name, counts, armed in with_platform(ask):
        say(
            f"{name}: {counts['armed']} armed, {counts['due']} due, {counts['next_hour']} in the next hour, "
            f"{counts['failed']} put aside, {counts['late_last_day']} fired late in the last 24 h"
        )
        for row in armed:
            due = row["due"].isoformat(timespec="seconds")
            error = (row["error"] or "")[:80]
            rows.append((f"{name}/{row['generation']}", due, row["kind"], row["object"], row["step"], error))
    print_table(rows)


@deadlines.command("step")
def step_deadline(
    deadline: Annotated[
        str | None, typer.Argument(metavar="[SERVICE/NUMBER]", help="Without: the next by due.")
    ] = None,
    service: ServiceOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything, keep nothing; also before it is due.")
    ] = False,
) -> None:
    """Fire one deadline, never early; what was put aside may be fired again. Audited."""
    from chassis.operations.deadlines import Fired, step

    name, number = reference(deadline) if deadline else (service, None)
    if name is None:
        raise WrongArgument("name the deadline (callbacks/12), or a service with --service")

    async def go(platform: "Platform") -> Fired | None:
        known = {one.name: one for one in platform.services}
        return await step(known[name], platform.databases[name], os_user(), number, dry_run=dry_run)

    fired = with_platform(go)
    if fired is None:
        say(f"{name}: nothing is armed")
        return
    say(f"{name}/{fired.generation}: {fired.outcome.replace('_', ' ')} {fired.error}".rstrip())
    say(f"{fired.kind} {fired.object} {fired.step}".rstrip() + f", due {fired.due.isoformat(timespec='seconds')}")
    for told in fired.told:
        say(f"tells {told.type} {told.key} at {told.time.isoformat(timespec='seconds')}: {told.data.decode()}")
    if fired.outcome == "failed":
        raise typer.Exit(1)
