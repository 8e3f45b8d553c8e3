"""Products of the firm's own library, as the library tells them: where they stand, and the level they ask for at least [S6].

What the library says comes on top of what is decided here: a product is sold when both have it on the shelf, and asks for
the higher of both levels.
"""

from collections.abc import Sequence
from datetime import date

import msgspec

from chassis.rows import columns, lists
from chassis.uow import UnitOfWork
from contracts.products import ProductChanged
from services.suitability import due, products
from services.suitability.tables import LibraryState


async def hear(events: Sequence[ProductChanged], uow: UnitOfWork) -> None:
    """Keep what the library tells; a product nobody entered here is one of the library's services. Who holds one that asks for
    more by it, or leaves the shelf, is matched again."""
    told = [
        LibraryState(event.product, event.revision, one.since, event.changed_from, one.shelf, one.floor, record.time)
        for event, record in zip(events, uow.records(ProductChanged), strict=True)
        for one in event.stretches
    ]
    days = {(event.product, event.changed_from) for event in events} | {(one.code, one.since) for one in told}
    await _enter(uow, sorted({event.product for event in events}))
    before, sold = await products.needed_on(uow, days), await products.sold_on(uow, days)
    await uow.sql.execute(
        f"""INSERT INTO library_states ({columns(LibraryState)})
            SELECT * FROM unnest($1::text[], $2::int[], $3::date[], $4::date[], $5::text[], $6::text[],
                                 $7::timestamptz[])
            ON CONFLICT DO NOTHING""",
        *(lists(told) or [[]] * len(msgspec.structs.fields(LibraryState))),
    )
    await products.note_raised(uow, before)
    ended = sold - await products.sold_on(uow, days)
    await due.note(uow, [due.Changed(day, product=code, cause="off_shelf") for code, day in ended])
    since = [(event.product, event.changed_from) for event in events]
    await due.note(uow, [due.Changed(day, product=product) for product, day in since])


async def _enter(uow: UnitOfWork, codes: Sequence[str]) -> None:
    new = await uow.sql.fetch(
        """INSERT INTO products (code, kind) SELECT code, 'service:' || code FROM unnest($1::text[]) AS n(code)
           ON CONFLICT DO NOTHING RETURNING code, kind, state""",
        codes,
    )
    await products.keep_states(uow, [(code, date.min, kind, state, None) for code, kind, state in new])
