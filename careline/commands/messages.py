"""`careline messages`: how a template reads, a trial to staff, what became of messages."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from careline.commands.operate import print_table
from careline.refusals import WrongArgument
from careline.session import os_user, say, with_platform

if TYPE_CHECKING:
    from uuid import UUID

    from careline.platform import Platform
    from services.messaging import bills
    from services.messaging.previews import Preview
    from services.messaging.tables import MessageRow

app = typer.Typer(no_args_is_help=True, help="Messages to clients: how they read, and what became of them.")
Fields = Annotated[list[str], typer.Option("--field", metavar="NAME=VALUE", help="A variable of the template.")]


def _fields(given: list[str]) -> dict[str, str]:
    if wrong := [one for one in given if "=" not in one]:
        raise WrongArgument(f"--field is NAME=VALUE, not {wrong[0]!r}")
    return dict(one.split("=", 1) for one in given)


@app.command()
def preview(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="The template.")],
    field: Fields = [],  # noqa: B006 - typer's way of saying none
    language: Annotated[str, typer.Option(help="zh-CN or en.")] = "zh-CN",
) -> None:
    """Show the words of a template in force with fields in them, and how many SMS they are. Nothing is sent."""
    from services.messaging import previews

    if language not in ("zh-CN", "en"):
        raise WrongArgument(f"--language is zh-CN or en, not {language!r}")

    async def ask(platform: "Platform") -> "Preview":
        async with platform.databases["messaging"].reading() as sql:
            return await previews.preview(sql, kind, _fields(field), language)

    shown = with_platform(ask)
    say(f"{shown.kind}, {shown.message_class}, {shown.template}: {shown.parts} SMS")
    say(shown.subject)
    say(shown.text)
    if shown.words:
        say(f"would not go: it says {', '.join(shown.words)}")


@app.command()
def send(
    staff: Annotated[str, typer.Argument(metavar="STAFF", help="Who of the staff gets it.")],
    kind: Annotated[str, typer.Argument(metavar="KIND", help="The template.")],
    channel: Annotated[str, typer.Option(help="sms or email.")] = "sms",
    field: Fields = [],  # noqa: B006 - typer's way of saying none
) -> None:
    """Ask for a trial to an address that is registered for a member of staff; it goes to nobody else. The worker sends it."""
    from services.messaging import messages, previews

    if channel not in ("sms", "email"):
        raise WrongArgument(f"--channel is sms or email, not {channel!r}")

    async def ask(platform: "Platform") -> "tuple[UUID, MessageRow | None]":
        async with platform.databases["messaging"].unit_of_work(os_user()) as uow:
            key = await previews.trial(uow, kind, staff, channel, _fields(field))
            return key, await messages.find(uow, key)

    key, row = with_platform(ask)
    say(f"{key} {row.state if row else ''} {row.reason if row else ''}".rstrip())


@app.command()
def status(
    message: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One message; without, how many there are.")
    ] = None,
) -> None:
    """What became of one message, or how many messages are in which state, and whether any wait for what callbacks hands over."""
    from uuid import UUID

    from services.messaging import hand_over, messages, plans

    try:
        key = UUID(message) if message else None
    except ValueError:
        raise WrongArgument(f"{message!r} is no message's id") from None

    async def one(platform: "Platform") -> "MessageRow | None":
        async with platform.databases["messaging"].unit_of_work(os_user()) as uow:
            return await messages.find(uow, key) if key else None

    async def all_of_them(platform: "Platform") -> tuple[list[tuple[str, str, int, str]], str]:
        async with platform.databases["messaging"].reading() as sql:
            return await plans.totals(sql), (await hand_over.check(sql)).get("output", "")

    if key is not None:
        row = with_platform(one)
        if row is None:
            raise WrongArgument(f"no message has the id {key}")
        when = row.ended_at or row.handed_at or row.due_at
        print_table(
            [
                ("kind", "class", "channel", "state", "why", "at", "tries"),
                (row.kind, row.message_class, row.channel or "", row.state, row.reason, when.isoformat(timespec="seconds"),
                 str(row.tries)),
            ]
        )  # fmt: skip
        return
    totals, missing = with_platform(all_of_them)
    print_table([("state", "way", "messages", "oldest due"), *((s, w, str(n), at) for s, w, n, at in totals)])
    if missing:
        say(missing)


@app.command()
def reconcile(
    bill: Annotated[
        Path, typer.Argument(metavar="FILE", help="The provider's bill: CSV with ref (or receipt) and parts.")
    ],
    month: Annotated[str, typer.Option(metavar="MONTH", help="The month it is for, as 2026-05.")],
    way: Annotated[str, typer.Option(help="own, cloud, email or wecom.")] = "own",
) -> None:
    """Compare a provider's bill with what was handed to it: every difference by reference. Exit code 1 when there is any."""
    from datetime import date

    from services.messaging import bills

    try:
        first = date.fromisoformat(f"{month}-01")
        charged = bills.read(bill.read_text("utf-8").splitlines(keepends=True))
    except OSError as error:
        raise WrongArgument(f"{bill} cannot be read: {error.strerror}") from None
    except (bills.Unreadable, UnicodeDecodeError) as error:
        raise WrongArgument(f"{bill}: {error}") from None
    except ValueError:
        raise WrongArgument(f"{month!r} is not a month: write YYYY-MM") from None

    async def ask(platform: "Platform") -> "bills.Compared":
        async with platform.databases["messaging"].reading() as sql:
            return await bills.compare(sql, way, first, charged)

    found = with_platform(ask)
    say(
        f"billed {found.billed} messages, {found.billed_parts} parts; handed {found.ours} messages, {found.our_parts} parts"
    )
    if found.differences:
        lines = [(one.what, one.ref, str(one.billed), str(one.ours)) for one in found.differences]
        print_table([("difference", "reference", "billed", "ours"), *lines])
        raise typer.Exit(1)
