"""The accounts of the ledger [P8], and the ids of its entries."""

from decimal import Decimal
from typing import cast

from uuid_utils import UUID, uuid5

from contracts.base import Amount

HUNDREDTH = Decimal("0.01")
NAMESPACE = UUID("5d3c2f0e-5a43-5d5b-9a53-8d2f4a1c7b60")
ISSUED = "sys:issued:commission"
REVERSED = "sys:reversed"
EXPIRED = "sys:expired"
ADJUSTED = "sys:adjusted"


def entry_id(client_id: str, item: str, step: int) -> str:
    """The id of an entry of a trade, or of another item: the same in every run."""
    return str(uuid5(NAMESPACE, f"{client_id}\n{item}\n{step}"))


def available(client_id: str) -> str:
    """The account of points a client can spend."""
    return f"cust:{client_id}:available"


def held(client_id: str) -> str:
    """The account of points that are kept for what a client asked for."""
    return f"cust:{client_id}:held"


def redeemed(reward: str) -> str:
    """The account of points spent for a reward."""
    return f"sys:redeemed:{reward}"


def issued(item: str) -> str:
    """The account that a bonus comes from: one for each sort of them."""
    return f"sys:issued:{item.partition('/')[0]}"


def signed(debit: str, credit: str, points: int) -> int:
    """An entry's points as the client sees them: none where they stay the client's own [4.7a]."""
    return points * (credit.startswith("cust:") - debit.startswith("cust:"))


def as_amount(points: int) -> Amount:
    """Hundredths as the amount an event carries, with two decimals."""
    # A plain Decimal is written by the encoder itself, an Amount by a call into Python.
    return cast(Amount, points * HUNDREDTH)
