"""The stratified draw of the 10 % rule [B4]: whoever knows the seed and the population can repeat it.

A client's place in its stratum is the SHA-256 of seed and client id: no generator whose state or version matters, no
order in which people are looked at, and nobody can be put in or left out without it showing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Stratum:
    """A branch's core clients, or its others: how many count, how many are covered, who may still be drawn."""

    counted: int
    covered: int
    candidates: Sequence[str]


def wanted(stratum: Stratum, share: Decimal, reserve: Decimal) -> int:
    """How many to draw: what is missing of the share, with a reserve for those nobody reaches, rounded up."""
    target = int((share * stratum.counted).to_integral_value(ROUND_CEILING))
    missing = max(0, target - stratum.covered)
    return min(len(stratum.candidates), int((missing * reserve).to_integral_value(ROUND_CEILING)))


def place(seed: str, client_id: str) -> bytes:
    """What orders clients in a draw."""
    return sha256(f"{seed}\n{client_id}".encode()).digest()


def drawn(seed: str, strata: Mapping[str, Stratum], share: Decimal, reserve: Decimal) -> dict[str, list[str]]:
    """The clients drawn of each stratum, in the order of the draw."""
    return {
        name: sorted(stratum.candidates, key=lambda client: place(seed, client))[: wanted(stratum, share, reserve)]
        for name, stratum in sorted(strata.items())
    }


def digest(strata: Mapping[str, Stratum]) -> str:
    """SHA-256 of the population drawn from, so that a repeat can show that it is the same."""
    lines = [f"{name}\t{client}\n" for name in sorted(strata) for client in sorted(strata[name].candidates)]
    return sha256("".join(lines).encode()).hexdigest()
