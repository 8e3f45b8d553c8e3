"""No lost updates: `ETag` on what can change, `If-Match` required to change it."""

from typing import Annotated

from fastapi import Depends, Header

from chassis.errors import PreconditionFailed, PreconditionRequired


def etag(version: object) -> str:
    """The strong ETag of a version number or revision."""
    return f'"{version}"'


class Match(str):
    """What came in `If-Match`."""

    __slots__ = ()

    def check(self, version: object) -> None:
        """Refuse a change made from an older version.

        Raises: PreconditionFailed, with the present ETag in `current`.
        """
        given = {tag.strip().removeprefix("W/") for tag in self.split(",")}
        if "*" not in given and etag(version) not in given:
            raise PreconditionFailed(current=etag(version))


async def if_match(if_match: Annotated[str | None, Header(description="the ETag you read")] = None) -> Match:
    """The header of a change.

    Raises: PreconditionRequired when it is missing.
    """
    if not if_match:
        raise PreconditionRequired
    return Match(if_match)


IfMatch = Annotated[Match, Depends(if_match)]
