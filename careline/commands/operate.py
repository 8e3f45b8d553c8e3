"""Looking after the platform: migrate, upgrade, lag, verify, doctor."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from careline.session import database_there, run, say, say_little, with_platform


def migrate() -> None:
    """Bring every schema and topic to this version's state."""
    from careline.schema import make_schemas
    from careline.services import SERVICES

    say_little()
    with database_there() as settings:
        run(make_schemas(settings, SERVICES))
    say("migrated: " + ", ".join(service.name for service in SERVICES))


def upgrade(
    check: Annotated[bool, typer.Option("--check", help="Only say what would be done; change nothing.")] = False,
) -> None:
    """Say what this version would change of a platform that an older one made, and do it. Exit code 1 when something stands
    against it."""
    from careline.upgrade import examine

    say_little()
    with database_there() as settings:
        findings = list(examine(settings))
    for finding in findings:
        say(f"{'WRONG' if finding.bad else 'ok':5}  {finding.what}")
        if finding.fix:
            say(f"       -> {finding.fix}")
    if any(finding.bad for finding in findings):
        raise typer.Exit(1)
    if not check:
        migrate()


def lag() -> None:
    """Show how far each service is behind, in records and in seconds, and which day it has closed."""
    from careline.platform import Platform
    from chassis.operations.lag import Lag, lags

    async def ask(platform: Platform) -> list[Lag]:
        return await lags(platform.services, platform.databases, platform.settings)

    rows = [("service", "topic", "records", "seconds", "unshipped", "closed through")]
    for found in with_platform(ask):
        closed = str(found.closed_through or "-")
        rows.append((found.service, "all", str(found.records), f"{found.seconds:.1f}", str(found.unshipped), closed))
        rows += [("", topic.topic, str(topic.records), f"{topic.seconds:.1f}", "", "") for topic in found.topics]
    print_table(rows)


def status() -> None:
    """Show every service at a glance: at work or not, how far behind, what was put aside, the last closed day. Exit code 1
    when one that has something to do does not do it."""
    from careline.platform import Platform
    from careline.worker_lock import is_worker_lock_held
    from chassis.operations.status import status

    async def ask(platform: Platform) -> list[tuple[bool, dict[str, Any]]]:
        found = []
        for service in platform.services:
            database = platform.databases[service.name]
            row = await status(service, database, platform.settings)
            found.append((await is_worker_lock_held(database.url, service.name), row))
        return found

    columns = (
        "lag_records",
        "lag_seconds",
        "unshipped",
        "dead_letters",
        "conflicts",
        "deadlines_due",
        "closed_through",
    )
    rows, waiting = [("service", "worker", *(name.replace("_", " ") for name in columns))], False
    for works, row in with_platform(ask):
        waiting |= not works and bool(row["lag_records"] or row["unshipped"] or row["deadlines_due"])
        shown = ("-" if row[name] is None else str(row[name]) for name in columns)
        rows.append((str(row["service"]), "at work" if works else "not running", *shown))
    print_table(rows)
    if waiting:
        raise typer.Exit(1)


def print_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Rows in aligned columns, the first as the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        say("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def verify(
    full: Annotated[bool, typer.Option("--full", help="Look at everything, not only at what is new.")] = False,
) -> None:
    """Check the sealed rows of every service, their seals, the witness and the keys; what is wrong is named. Exit code 1
    then. After a clean run only what is new is looked at."""
    from careline.platform import Platform
    from careline.services import SERVICES
    from chassis.verify import Finding
    from chassis.verify import verify as verified

    async def check(platform: Platform) -> list[Finding]:
        return await verified(platform.settings, platform.services, platform.databases, full=full)

    findings = with_platform(check)
    for service in SERVICES:
        wrong = sum(finding.service == service.name for finding in findings)
        say(f"{service.name}: {f'{wrong} findings' if wrong else 'nothing wrong'}")
    for finding in findings:
        where = f" partition {finding.partition}" if finding.partition >= 0 else ""
        say(f"{finding.service}.{finding.table}{where}: {finding.detail}")
    say("verified" if not findings else f"NOT verified: {len(findings)} findings")
    if findings:
        raise typer.Exit(1)


def doctor() -> None:
    """Say what is wrong with this platform, and how to fix it. Exit code 1 when something is."""
    from careline.doctor import examine

    say_little()
    bad = False
    for finding in examine():
        bad |= finding.bad
        say(f"{'WRONG' if finding.bad else 'ok':5}  {finding.what}")
        if finding.fix:
            say(f"       -> {finding.fix}")
    if bad:
        raise typer.Exit(1)
