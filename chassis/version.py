"""Which version of Careline runs."""

from functools import cache
from importlib import metadata


@cache
def version() -> str:
    """The installed version."""
    return metadata.version("careline")
