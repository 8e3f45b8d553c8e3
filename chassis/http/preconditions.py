"""No lost updates: `ETag` on what can change, `If-Match` required to change it."""

from typing import Annotated

from fastapi import Depends, Header

from chassis.errors import PreconditionFailed, PreconditionRequired
from chassis.etags import Match
from chassis.http.declared import declares
from contracts.fields import text_of

MatchText = Annotated[str, text_of(200, 1, "the ETag you read", '"3"')]


@declares(PreconditionFailed, PreconditionRequired, requires="if-match")
async def if_match(if_match: Annotated[MatchText | None, Header()] = None) -> Match:
    """The header of a change.

    Raises: PreconditionRequired when it is missing.
    """
    if not if_match:
        raise PreconditionRequired
    return Match(if_match)


IfMatch = Annotated[Match, Depends(if_match)]
