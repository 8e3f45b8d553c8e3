"""Facts that lines are made of, as they are told: what clients hold, what is noticed about instruments, what was allotted, and
who has which SMS product [MS17]. Each is kept, in whatever order it comes."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from uuid import uuid4

from chassis import rows
from chassis.database import Database
from chassis.timeline import Timeline, timeline, today
from chassis.uow import UnitOfWork
from contracts.broker import AllotmentMade, HoldingValued, InstrumentNoticed
from contracts.messaging import EntitlementsRequested
from contracts.products import EntitlementChanged
from services.messaging import lines
from services.messaging.tables import ENTITLEMENTS, AllotmentRow, HoldingRow, NoticedRow

PRODUCTS = "products"


async def keep_holdings(events: Sequence[HoldingValued], uow: UnitOfWork) -> None:
    """Holdings by day, each with the word of the highest (ce_time, ce_id); those of closed days are looked at again."""
    best: dict[tuple[str, str, date], HoldingRow] = {}
    for event, record in zip(events, uow.records(HoldingValued), strict=True):
        one = HoldingRow(
            event.client_id, event.symbol, event.as_of, Decimal(event.quantity), Decimal(event.value), record.time, record.id
        )  # fmt: skip
        known = best.get((one.client_id, one.symbol, one.as_of))
        if known is None or (known.at, known.fact_id) < (one.at, one.fact_id):
            best[one.client_id, one.symbol, one.as_of] = one
    await uow.sql.execute(
        f"""INSERT INTO holdings AS h ({rows.columns(HoldingRow)})
            SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::numeric[], $5::numeric[], $6::timestamptz[], $7::text[])
            ON CONFLICT (client_id, symbol, as_of) DO UPDATE SET quantity = excluded.quantity, value = excluded.value,
                at = excluded.at, fact_id = excluded.fact_id WHERE (h.at, h.fact_id) < (excluded.at, excluded.fact_id)""",
        *rows.lists([best[key] for key in sorted(best)]),
    )
    await _note_late(uow, {one.client_id: one.as_of for one in sorted(best.values(), key=lambda one: one.as_of)})


async def keep_notices(events: Sequence[InstrumentNoticed], uow: UnitOfWork) -> None:
    """Notices about instruments, the first word on each; who holds one, or wants to hear of new issues, gets a line."""
    first: dict[str, InstrumentNoticed] = {}
    for event in events:
        first.setdefault(event.notice_id, event)
    made = [NoticedRow(one.notice_id, one.symbol, one.kind, one.on) for _, one in sorted(first.items())]
    await uow.sql.execute(
        f"""INSERT INTO notices ({rows.columns(NoticedRow)})
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::date[]) ON CONFLICT DO NOTHING""",
        *rows.lists(made),
    )
    await lines.tell_of_notices(uow, await today(uow.sql), notices=sorted(first))


async def keep_allotments(events: Sequence[AllotmentMade], uow: UnitOfWork) -> None:
    """Shares allotted (中签), the first word on each; whoever has the IPO line hears of them at once."""
    first: dict[tuple[str, str], AllotmentMade] = {}
    for event in events:
        first.setdefault((event.client_id, event.allotment_id), event)
    made = [
        AllotmentRow(one.client_id, one.allotment_id, one.symbol, Decimal(one.quantity), one.pay_by)
        for _, one in sorted(first.items())
    ]
    await uow.sql.execute(
        f"""INSERT INTO allotments ({rows.columns(AllotmentRow)})
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::numeric[], $5::date[]) ON CONFLICT DO NOTHING""",
        *rows.lists(made),
    )
    await lines.tell_of_allotments(uow, await today(uow.sql), sorted({client_id for client_id, _ in first}))


async def keep_entitlements(changes: Sequence[EntitlementChanged], uow: UnitOfWork) -> None:
    """Take over who has which SMS product, by whatever source. Who has one gets what was made of facts before this was heard;
    what waits for somebody who has it no more does not go."""
    await ENTITLEMENTS.keep(uow, changes)
    clients, day = sorted({one.client_id for one in changes}), await today(uow.sql)
    await lines.drop_unentitled(uow, day, clients)
    if await uow.cached(lines.anything):
        await lines.tell_of_notices(uow, day, clients=clients)
        await lines.tell_of_allotments(uow, day, clients)
    await _note_late(uow, dict.fromkeys(clients, None))


class Asking:
    """A loop that asks, once in a real home, for everybody's entitlements: a messaging that was added later heard none of what
    is in the log no more."""

    def __init__(self) -> None:
        self.asked = False

    async def turn(self, database: Database) -> bool:
        """Ask, where nobody has yet; there is never more."""
        if not self.asked:
            async with database.reading() as sql:
                real = await timeline(sql) is Timeline.REAL
            if real:
                await self._ask(database)
                self.asked = True
        return False

    async def _ask(self, database: Database) -> None:
        async with database.unit_of_work() as uow:
            # No end mark is expected of products: `told` stays empty.
            fresh = await uow.sql.fetchval(
                "INSERT INTO hand_overs (publisher, taken) VALUES ($1, 0) ON CONFLICT DO NOTHING RETURNING true",
                PRODUCTS,
            )
            if fresh:
                uow.emit(EntitlementsRequested(request_id=uuid4(), asked_at=uow.now))


async def _note_late(uow: UnitOfWork, days: dict[str, date | None]) -> None:
    """Clients whose last closed day is looked at again, because something of it (None: anything) has changed."""
    await uow.sql.execute(
        """INSERT INTO lines_late (client_id)
           SELECT n.client_id FROM unnest($1::text[], $2::date[]) AS n(client_id, day), closed_days d
           WHERE d.through IS NOT NULL AND (n.day IS NULL OR n.day = d.through) ORDER BY 1
           ON CONFLICT (client_id) DO UPDATE SET client_id = excluded.client_id""",  # locked, so that the catching up waits
        list(days),
        list(days.values()),
    )
