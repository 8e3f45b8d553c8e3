"""No lost updates: `ETag` on what can change, `If-Match` required to change it."""

from typing import Annotated

from fastapi import Depends, Header

from chassis.errors import PreconditionRequired
from chassis.etags import Match


async def if_match(if_match: Annotated[str | None, Header(description="the ETag you read")] = None) -> Match:
    """The header of a change.

    Raises: PreconditionRequired when it is missing.
    """
    if not if_match:
        raise PreconditionRequired
    return Match(if_match)


IfMatch = Annotated[Match, Depends(if_match)]
