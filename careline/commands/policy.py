"""Dated policy from the command line: the yearly recalibration of the turnover threshold."""

from typing import TYPE_CHECKING, Annotated

import typer

from careline.session import os_user, say, with_platform

if TYPE_CHECKING:
    from careline.platform import Platform
    from services.classification.recalibration import Proposal


def recalibrate(
    year: Annotated[int, typer.Argument(min=2000, max=2100, help="the year the new threshold is for, from 1 January")],
    years: Annotated[int, typer.Option(min=1, max=10, help="how many years before it count")] = 3,
    draft: Annotated[bool, typer.Option("--draft", help="keep it as a draft for a second person to publish")] = False,
) -> None:
    """Propose the turnover threshold of the class table: the mean of the firm's turnover over the years before."""

    async def ask(platform: "Platform") -> "tuple[Proposal, int | None]":
        from services.classification import recalibration

        async with platform.databases["classification"].unit_of_work(os_user()) as uow:
            proposal = await recalibration.propose(uow.sql, year, years)
            version = await recalibration.keep_draft(uow, proposal) if draft else None
        return proposal, version

    proposal, version = with_platform(ask)
    for known in proposal.years:
        say(
            f"{known.year}: traded {known.traded:.2f}, mean assets {known.mean_assets:.2f}, turnover {known.turnover:.4f}"
        )
    say(f"turnover_threshold {proposal.threshold} from {proposal.effective_on}")
    if version is not None:
        say(f"kept as draft {version} of policy classes: a second person publishes it")
