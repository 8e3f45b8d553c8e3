"""ETags: the version of an object as callers see it, and the one they changed it from."""

from chassis.errors import PreconditionFailed


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
