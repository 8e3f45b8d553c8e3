"""`careline coverage`: who was called of those who count, by branch and firm, and the ledger that proves it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from careline.commands.arguments import read_date
from careline.commands.operate import print_table
from careline.session import say, with_platform

if TYPE_CHECKING:
    from careline.platform import Platform

COLUMNS = (
    "branch_id", "counted", "covered", "needed", "percent", "opened_this_year", "closed_before", "dormant_or_suspended"
)  # fmt: skip


def coverage(
    as_of: Annotated[str, typer.Option(metavar="DATE", help="Contacts made by the end of this date count.")],
    branch: Annotated[
        str | None, typer.Option(metavar="BRANCH", help="The firm's line and this branch's only.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write the ledger and its manifest there as well.")
    ] = None,
) -> None:
    """Print the 10 % rule at a date: the firm first, then its branches; those left out by reason."""
    day = read_date(as_of)

    async def ask(platform: "Platform") -> tuple[list[dict[str, Any]], str | None]:
        from services.callbacks.coverage import by_branch
        from services.callbacks.proof import write_proof

        async with platform.databases["callbacks"].reading() as sql:
            found = [
                {"branch_id": one.branch_id, "counted": one.counted, "covered": one.covered, "needed": one.needed,
                 "percent": one.percent, **one.left_out}
                for one in await by_branch(sql, day)
            ]  # fmt: skip
        if folder is None:
            return found, None
        async with platform.databases["callbacks"].reading() as sql:
            return found, str((await write_proof(sql, day, folder))["sha256"])

    lines, digest = with_platform(ask)
    shown = [line for line in lines if branch is None or line["branch_id"] in ("", branch)]
    print_table(
        [COLUMNS, *(tuple(str(line[name]) if line[name] != "" else "firm" for name in COLUMNS) for line in shown)]
    )
    if digest is not None:
        say(f"ledger of the firm in {folder}, SHA-256 {digest}")
