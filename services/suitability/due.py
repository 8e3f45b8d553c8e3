"""What is covered may have changed: the one entry for it, whatever changed. Written by handlers and acts, done by closes.

Whoever changes a level, a class, an issuer's class, a shelf, a permission, a status or a holding notes it here; the close of
its day (or at once, if that is closed) judges the buys concerned from then on and, where a cause is given, lists what is no
longer covered.
"""

from collections.abc import Iterable
from datetime import date
from typing import Literal, NamedTuple

from chassis.uow import UnitOfWork
from services.suitability.drift import Cause


class Changed(NamedTuple):
    """From a day on something about a client, a product, or what a client holds of it is another.

    Without a cause only a fact to be judged came: a client's, or one of a product, whose buys by anybody are judged.
    `level_lowered` is looked at where the level of the day is lower than that of the day before, `level_ended` always: a level
    that had counted never did; `permission` (and `permission_ended`, which has what is held looked at too) has buys judged and no
    register made anew; `off_shelf` is a product's alone. With neither client nor product the
    registers of the day alone are others.
    """

    day: date
    client: str | None = None
    product: str | None = None
    cause: Cause | Literal["level_ended", "permission"] | None = None


async def note(uow: UnitOfWork, changed: Iterable[Changed]) -> None:
    """Rows are added, never updated: a close that is reading takes what it sees, and what comes later stays for the next."""
    await uow.sql.copy_records_to_table(
        "due",
        records=sorted(set(changed), key=lambda one: tuple(map(str, one))),
        columns=("day", "client_id", "product", "cause"),
    )
