"""Levels of risk tolerance (风险承受能力) and of product risk: two schemes, and the crosswalk between them [Q6, K6].

Inside a scheme everything is a rank from 1 up: a client of rank n is covered for products of rank 1 to n. Names are
for people and for the wire.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.errors import Text


@dataclass(frozen=True, slots=True)
class Level:
    """One step of a scheme."""

    code: str
    rank: int
    text: Text
    display: Text


@dataclass(frozen=True, slots=True)
class Scheme:
    """An ordered list of levels; the first is the lowest, which is never sold anything above it [Q4]."""

    code: str
    levels: tuple[Level, ...]

    def rank(self, code: str) -> int:
        """The rank of a level's code.

        Raises: KeyError when the scheme has no such level.
        """
        return {level.code: level.rank for level in self.levels}[code]

    def level(self, rank: int) -> Level:
        """The level of a rank, the highest for any rank above it."""
        return self.levels[min(rank, len(self.levels)) - 1]

    @property
    def codes(self) -> tuple[str, ...]:
        """The levels' codes, lowest first."""
        return tuple(level.code for level in self.levels)


CAUTIOUS, STEADY, ENTERPRISING = Text("cautious", "保守型"), Text("steady", "稳健型"), Text("enterprising", "进取型")

SEED = Scheme(
    "SEED-2010-12Q",
    (
        Level("VERY_LOW", 1, Text("very low", "极低"), CAUTIOUS),
        Level("LOW", 2, Text("low", "低"), CAUTIOUS),
        Level("MEDIUM", 3, Text("medium", "中"), STEADY),
        Level("HIGH", 4, Text("high", "高"), ENTERPRISING),
    ),
)
C5R5 = Scheme(
    "C5R5",
    (
        Level("C1", 1, Text("C1, cautious", "C1 保守型"), CAUTIOUS),
        Level("C2", 2, Text("C2, prudent", "C2 谨慎型"), CAUTIOUS),
        Level("C3", 3, Text("C3, steady", "C3 稳健型"), STEADY),
        Level("C4", 4, Text("C4, active", "C4 积极型"), ENTERPRISING),
        Level("C5", 5, Text("C5, enterprising", "C5 激进型"), ENTERPRISING),
    ),
)
SCHEMES: Mapping[str, Scheme] = {scheme.code: scheme for scheme in (SEED, C5R5)}

# What a client holds, never upward [Q6]. HIGH covers every product there is and C4 all but R5, so C4 can be no more than
# MEDIUM.
CROSSWALK: Mapping[tuple[str, str], Mapping[int, int]] = {
    (SEED.code, C5R5.code): {1: 1, 2: 2, 3: 3, 4: 4},
    (C5R5.code, SEED.code): {1: 1, 2: 2, 3: 3, 4: 3, 5: 4},
}

# What other systems write for the same levels. 一般 is annex 4's word for 中 [K6].
SPOKEN: Mapping[str, str] = {
    "极低": "VERY_LOW",
    "低": "LOW",
    "中": "MEDIUM",
    "一般": "MEDIUM",
    "高": "HIGH",
}


class UnknownLevel(ValueError):
    """The scheme or the level is not one of ours; `text` says why in both languages."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(text.en)


def held_in(scheme: str, rank: int, wanted: str) -> int:
    """The rank in the `wanted` scheme of a level that a client holds: never upward [Q6]."""
    return rank if scheme == wanted else CROSSWALK[scheme, wanted][rank]


def needed_in(scheme: str, rank: int, wanted: str) -> int:
    """The rank in the `wanted` scheme of a level that a product needs: never downward [Q6].

    It is the lowest whose holders count as covered in the product's own scheme, else the highest there is.
    """
    if scheme == wanted:
        return rank
    levels = SCHEMES[wanted].levels
    return next((one.rank for one in levels if CROSSWALK[wanted, scheme][one.rank] >= rank), levels[-1].rank)


def recognise(scheme: str, level: str) -> tuple[Scheme, int]:
    """The scheme and rank of a level as another system writes it [K6].

    Raises: UnknownLevel for an unknown scheme, an unknown level, or 极高, which no questionnaire can reach.
    """
    known = SCHEMES.get(scheme)
    if known is None:
        raise UnknownLevel(Text(f"{scheme} is no scheme kept here", f"本系统没有等级方案 {scheme}"))
    if level in ("极高", "VERY_HIGH"):
        raise UnknownLevel(
            Text(
                "very high (极高) is on the sheet of annex 4 but no score of the questionnaire leads to it",
                "“极高”出现在附件4的填表说明中,但问卷的任何得分都达不到",
            )
        )
    code = SPOKEN.get(level, level) if known is SEED else level
    try:
        return known, known.rank(code)
    except KeyError:
        raise UnknownLevel(Text(f"{level} is no level of {scheme}", f"{scheme} 没有等级 {level}")) from None
