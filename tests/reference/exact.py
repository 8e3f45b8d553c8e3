"""Decimal arithmetic that refuses to round by itself.

Amounts of the files have up to 31 decimals. Inside `exactly()` every operation that would lose a digit raises
`decimal.Inexact`; rounding happens only in `half_up`, by whole-number division.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal, Inexact, localcontext


@contextmanager
def exactly() -> Iterator[None]:
    """A block in which no decimal operation may round."""
    with localcontext() as context:
        context.prec = 200
        context.traps[Inexact] = True
        yield


def half_up(dividend: Decimal, divisor: Decimal, decimals: int) -> Decimal:
    """dividend / divisor (both not negative, divisor positive) to so many decimals, half rounded up."""
    scaled = dividend * (10**decimals)
    units = (2 * scaled + divisor) // (2 * divisor)
    return Decimal(int(units)).scaleb(-decimals)
