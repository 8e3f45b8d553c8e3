"""The words of a complaint: masked at intake, the original encrypted, the masked text cut into what search looks up.

Chinese is written without blanks, so that every pair of neighbouring characters is indexed: a word of two characters
is one entry of the index. Latin words and numbers are indexed whole. An entry is a number of four bytes, because what
is found has to be read from the disk: a pair's two characters, or the beginning of a word's hash.
"""

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from chassis.errors import FieldError, Invalid
from chassis.personal import FieldCipher, mask_text
from chassis.settings import Settings

_RUNS = re.compile(r"[㐀-鿿]+|[a-z0-9]+")
_ciphers: dict[tuple[str, str], FieldCipher] = {}


class Words(NamedTuple):
    """The masked text, the original encrypted (none when nothing had to be masked), and the index entries."""

    masked: str
    original: bytes | None
    grams: list[int]


def cipher(settings: Settings) -> FieldCipher:
    """The cipher of personal fields, made once a home and key."""
    place = (str(settings.home), settings.field_key.get_secret_value() if settings.field_key else "")
    if place not in _ciphers:
        _ciphers[place] = FieldCipher(settings)
    return _ciphers[place]


def grams_of(text: str) -> list[str]:
    """Index entries of a text: pairs of Chinese characters, whole Latin words, each once."""
    found: set[str] = set()
    for run in _RUNS.findall(text.lower()):
        if run[0] >= "㐀":
            found.update(run[i : i + 2] for i in range(len(run) - 1))
            if len(run) == 1:
                found.add(run)
        else:
            found.add(run)
    return sorted(found)


def codes_of(grams: Iterable[str]) -> list[int]:
    """The numbers of index entries. A pair's is its own; a word's may, hardly ever, be another one's too."""
    return sorted({_code(gram) for gram in grams})


@lru_cache(maxsize=100_000)  # the same words come again and again
def _code(gram: str) -> int:
    pair = len(gram) == 2 and gram[0] >= "㐀"
    code = gram.encode("utf-16-be") if pair else hashlib.md5(gram.encode(), usedforsecurity=False).digest()[:4]
    return int.from_bytes(code, signed=True)


def taken_in(settings: Settings, case_id: UUID, text: str, *more: str | None) -> Words:
    """What is kept of the complainant's words; `more` (category, product) is only made findable [C29]."""
    masked = mask_text(text) if text else ""
    original = cipher(settings).encrypt("words", str(case_id), text) if masked != text else None
    return Words(masked, original, codes_of(grams_of(" ".join((masked, *(one for one in more if one))))))


def wanted(query: str) -> tuple[list[int], list[str]]:
    """Index entries a text must have to match a query, and the runs it must contain as they stand.

    Raises: Invalid for a query without a word of two characters.
    """
    runs = [run for run in _RUNS.findall(query.lower()) if len(run) > 1]
    if not runs:
        raise Invalid(errors=(FieldError("query#/q", "needs a word of at least two characters"),))
    return codes_of(grams_of(" ".join(runs))), [run for run in runs if run[0] < "㐀" or len(run) > 2]
