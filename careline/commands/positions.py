"""Where consumers read on; and the ways on when a record is gone or must not be applied."""

from typing import TYPE_CHECKING, Annotated

import typer

from careline.commands.arguments import ServiceOption, one_of_services
from careline.commands.operate import print_table
from careline.session import os_user, say, with_platform

if TYPE_CHECKING:
    from careline.platform import Platform
    from chassis.operations.positions import Position

positions = typer.Typer(help="Where each service reads on.", no_args_is_help=True)

Named = Annotated[str, typer.Argument(metavar="SERVICE")]
Topic = Annotated[str, typer.Argument(metavar="TOPIC")]
Partition = Annotated[int, typer.Argument(min=0, metavar="PARTITION")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the audit.")]


@positions.command("show")
def show(service: ServiceOption = None) -> None:
    """Show every position: next record, first one still kept, end; from when on facts are known. Exit code 1: some are gone."""
    from careline.lag import Heads
    from chassis.operations.positions import shown

    async def ask(platform: "Platform") -> list[tuple[str, "Position"]]:
        wanted = [one for one in platform.services if service in (None, one.name) and one.topics]
        async with Heads(platform.settings, platform.databases) as heads:
            ends = await heads.of(sorted({topic for one in wanted for topic in one.topics}))
        return [(one.name, at) for one in wanted for at in await shown(one, platform.databases[one.name], ends)]

    rows, gone = [("service", "topic", "partition", "next", "kept from", "end", "known since", "")], 0
    for name, at in with_platform(ask):
        gone += at.below
        since = at.since.isoformat(timespec="seconds") if at.since else "the first"
        place = (name, at.topic, str(at.partition), str(at.next), str(at.kept), str(at.end), since)
        rows.append((*place, "GONE: skip, or ship again" if at.below else ", ".join(at.types)))
    print_table(rows)
    if gone:
        raise typer.Exit(1)


@positions.command("skip")
def skip(
    service: Named,
    topic: Topic,
    partition: Partition,
    to: Annotated[int, typer.Option("--to", min=1, help="The offset to read on from.")],
    reason: Reason,
) -> None:
    """Read on from an offset, without applying what lies before it. Audited."""
    from chassis.operations.positions import skip

    name = one_of_services(service)
    before = with_platform(lambda p: skip(p.databases[name], os_user(), (topic, partition), to, reason))
    say(f"{name} {topic}/{partition}: {before} -> {to}")


@positions.command("ship-again")
def ship_again(
    service: Named,
    topic: Topic,
    partition: Partition,
    first: Annotated[int, typer.Option("--from", min=0, help="An offset of the publisher's own log.")],
    reason: Reason,
) -> None:
    """Send what still lies in the publisher's log to Kafka once more; what is known already changes nothing. Audited."""
    from chassis.operations.positions import ship_again

    name = one_of_services(service)
    count = with_platform(lambda p: ship_again(p.databases[name], os_user(), (topic, partition), first, reason))
    say(f"{name} {topic}/{partition}: {count} records are shipped again")
