"""What could not be applied (dead letters) and what came with other content (conflicts): see, redrive, decide."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from careline.commands.arguments import ServiceOption, reference
from careline.commands.operate import print_table
from careline.refusals import WrongArgument
from careline.session import os_user, say, with_platform

if TYPE_CHECKING:
    from careline.platform import Platform

dead_letters = typer.Typer(help="Records that no handler could take.", no_args_is_help=True)
conflicts = typer.Typer(help="Facts that came again with other content.", no_args_is_help=True)

References = Annotated[list[str] | None, typer.Argument(metavar="SERVICE/NUMBER...")]
Reference = Annotated[str, typer.Argument(metavar="SERVICE/NUMBER")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the decision.")]
ATONCE = 200


async def _pages(listed: Any, platform: "Platform", only: str | None) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    for name, database in platform.databases.items():
        after = 0
        while only in (None, name):
            rows = await listed(database, after, ATONCE)
            found += [(name, row) for row in rows]
            if len(rows) < ATONCE:
                break
            after = rows[-1]["id"]
    return found


@dead_letters.command("list")
def list_letters(
    service: ServiceOption = None,
    state: Annotated[str, typer.Option(help="open, redriven, skipped or all")] = "open",
) -> None:
    """List them, oldest first."""
    from chassis.operations.dead_letters import listed

    if state not in {"open", "redriven", "skipped", "all"}:
        raise WrongArgument(f"--state is open, redriven, skipped or all, not {state!r}")

    async def ask(platform: "Platform") -> list[tuple[str, dict[str, Any]]]:
        return await _pages(lambda d, after, n: listed(d, state, after=after, limit=n), platform, service)  # type: ignore[arg-type]

    rows = [("letter", "at", "type", "key", "reason", "error")]
    for name, row in with_platform(ask):
        at = row["at"].isoformat(timespec="seconds")
        rows.append((f"{name}/{row['id']}", at, row["type"] or "", row["key"] or "", row["reason"], row["error"][:80]))
    print_table(rows)


@dead_letters.command("show")
def show_letter(letter: Reference) -> None:
    """Show one with its content."""
    from chassis.operations.dead_letters import shown

    service, number = reference(letter)
    row = with_platform(lambda platform: shown(platform.databases[service], number))
    for name, value in row.items():
        say(f"{name}: {value}")


@dead_letters.command("redrive")
def redrive_letters(
    letters: References = None,
    every: Annotated[bool, typer.Option("--all", help="Every open one.")] = False,
    service: ServiceOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything, keep nothing.")] = False,
) -> None:
    """Give them to their handler again; one that fails stays, with its new error. Audited."""
    from chassis.operations.dead_letters import Redriven, redrive

    chosen = _by_service(letters or [])
    if every == bool(chosen):
        raise WrongArgument("name the letters (points/12 points/13), or say --all")

    async def go(platform: "Platform") -> list[tuple[str, Redriven]]:
        wanted: Mapping[str, list[int] | None] = chosen or dict.fromkeys([service] if service else platform.databases)
        known = {one.name: one for one in platform.services}
        return [
            (name, result)
            for name, ids in wanted.items()
            for result in await redrive(known[name], platform.databases[name], os_user(), ids, dry_run=dry_run)
        ]

    results = with_platform(go)
    for name, result in results:
        say(f"{name}/{result.id}: {result.outcome.replace('_', ' ')} {result.error}".rstrip())
    failed = sum(result.outcome == "failed" for _, result in results)
    say(f"{len(results) - failed} {'would pass' if dry_run else 'redriven'}, {failed} failed")
    if failed:
        raise typer.Exit(1)


@dead_letters.command("skip")
def skip_letters(
    letters: Annotated[list[str], typer.Argument(metavar="SERVICE/NUMBER...")],
    reason: Annotated[str, typer.Option("--reason", help="Why they stay undone; kept with them.")],
) -> None:
    """Decide that they stay undone: kept, and not open any more. Audited."""
    from chassis.operations.dead_letters import skip

    chosen = _by_service(letters)

    async def go(platform: "Platform") -> None:
        for name, ids in chosen.items():
            await skip(platform.databases[name], os_user(), ids, reason)

    with_platform(go)
    say(f"{len(letters)} skipped")


def _by_service(letters: Iterable[str]) -> dict[str, list[int]]:
    chosen: dict[str, list[int]] = {}
    for name, number in map(reference, letters):
        chosen.setdefault(name, []).append(number)
    return chosen


@conflicts.command("list")
def list_conflicts(
    service: ServiceOption = None,
    every: Annotated[bool, typer.Option("--all", help="Decided ones too.")] = False,
) -> None:
    """List them, oldest first."""
    from chassis.operations.conflicts import listed

    async def ask(platform: "Platform") -> list[tuple[str, dict[str, Any]]]:
        return await _pages(lambda d, after, n: listed(d, undecided=not every, after=after, limit=n), platform, service)

    rows = [("conflict", "at", "type", "identity", "decision")]
    for name, row in with_platform(ask):
        at = row["at"].isoformat(timespec="seconds")
        rows.append((f"{name}/{row['id']}", at, row["type"], row["identity"], row["decision"] or "open"))
    print_table(rows)


@conflicts.command("show")
def show_conflict(conflict: Reference) -> None:
    """Show one: what is known, what was offered."""
    from chassis.operations.conflicts import listed

    service, number = reference(conflict)

    async def ask(platform: "Platform") -> list[dict[str, Any]]:
        return await listed(platform.databases[service], undecided=False, after=number - 1, limit=1)

    rows = with_platform(ask)
    if not rows or rows[0]["id"] != number:
        raise WrongArgument(f"there is no conflict {conflict}")
    for name, value in rows[0].items():
        say(f"{name}: {value}")


@conflicts.command("accept")
def accept_conflict(conflict: Reference, reason: Reason) -> None:
    """Put what was offered in place of what is known; applied as a late fact. Audited."""
    _decide(conflict, "accepted", reason)


@conflicts.command("reject")
def reject_conflict(conflict: Reference, reason: Reason) -> None:
    """Leave what is known. Audited."""
    _decide(conflict, "rejected", reason)


def _decide(conflict: str, decision: Any, reason: str) -> None:
    from chassis.operations.conflicts import decide

    service, number = reference(conflict)

    async def go(platform: "Platform") -> dict[str, Any]:
        known = {one.name: one for one in platform.services}[service]
        return await decide(known, platform.databases[service], os_user(), number, decision, reason)

    row = with_platform(go)
    say(f"{conflict}: {row['decision']} by {row['decided_by']}")
