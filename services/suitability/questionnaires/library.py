"""The templates that ship with the platform."""

from functools import cache
from pathlib import Path

import msgspec

from services.suitability.questionnaires.template import Template

FOLDER = Path(__file__).parent / "shipped"


def shipped_codes() -> list[str]:
    """The codes of the shipped templates, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


@cache
def shipped(code: str) -> Template:
    """A shipped template.

    Raises: KeyError when none has this code.
    """
    if code not in shipped_codes():
        raise KeyError(code)
    return msgspec.json.decode((FOLDER / f"{code}.json").read_bytes(), type=Template)
