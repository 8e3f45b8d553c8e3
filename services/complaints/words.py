"""The words of a complaint: masked at intake, the original encrypted, the masked text cut into what search looks up.

Chinese is written without blanks, so that every pair of neighbouring characters is indexed: a word of two characters
is one entry of the index. Latin words and numbers are indexed whole. An entry is a number of four bytes, because what
is found has to be read from the disk: a pair's two characters, or the beginning of a word's hash.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from chassis.errors import FieldError, Invalid
from chassis.personal import mask_text
from chassis.personal.keys import Keyring, Value

_RUNS = re.compile(r"[㐀-鿿]+|[a-z0-9]+")


class Words(NamedTuple):
    """The masked text, the original encrypted (none when nothing had to be masked), and the index entries."""

    masked: str
    original: bytes | None
    grams: list[int]


def owner_of(case_id: UUID) -> str:
    """Under whose key the words of a case lie: its own, so that erasing the case is enough."""
    return f"case:{case_id}"


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


class Said(NamedTuple):
    """The complainant's words; `more` (category, product) is only made findable."""

    case_id: UUID
    text: str
    more: Sequence[str | None] = ()


async def taken_in(keyring: Keyring, said: Sequence[Said]) -> list[Words]:
    """What is kept of the words of each case, in their order [C29]."""
    masked = [mask_text(one.text) for one in said]
    originals = await keyring.seal(
        [
            Value(owner_of(one.case_id), "words", one.text if text != one.text else None)
            for one, text in zip(said, masked, strict=True)
        ]
    )
    return [
        Words(
            text,
            original.encode() if original else None,
            codes_of(grams_of(" ".join((text, *(word for word in one.more if word))))),
        )
        for one, text, original in zip(said, masked, originals, strict=True)
    ]


def wanted(query: str) -> tuple[list[int], list[str]]:
    """Index entries a text must have to match a query, and the runs it must contain as they stand.

    Raises: Invalid for a query without a word of two characters.
    """
    runs = [run for run in _RUNS.findall(query.lower()) if len(run) > 1]
    if not runs:
        raise Invalid(errors=(FieldError("query#/q", "needs a word of at least two characters"),))
    return codes_of(grams_of(" ".join(runs))), [run for run in runs if run[0] < "㐀" or len(run) > 2]
