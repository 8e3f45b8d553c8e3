"""Words and phrases of a list in a text: spaces, signs and width hide none of them."""

import re
import unicodedata
from collections.abc import Iterable

_SIGNS = re.compile(r"[\W_]+")


def folded(text: str) -> str:
    """Plain width, small letters, without spaces and signs between."""
    return _SIGNS.sub("", unicodedata.normalize("NFKC", text).lower())


def found_in(text: str, words: Iterable[str]) -> list[str]:
    """Those of the words that the text holds, in their order."""
    plain = folded(text)
    return [word for word in words if folded(word) in plain]
