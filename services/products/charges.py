"""Charges (费用): lines of monthly statements, posted when a day closes and told to the broker's billing. Nothing is
collected here, and a line never changes: what turns out otherwise is a line of its own."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg
import msgspec

from chassis import rows
from chassis.bus.record import Record
from chassis.uow import UnitOfWork
from contracts.broker import EntrustedValued, PaymentRecorded
from contracts.fields import Amount
from contracts.products import ChargePosted
from services.products import clients, differences, entitlements, rules
from services.products.charge_rules import Valued, asset_fee, credit, fen, month_of_day, months_between
from services.products.policy import Policies
from services.products.subscription_rules import month_of
from services.products.subscriptions import new_id
from services.products.tables import LATE, ChargeKind, ChargeLine, SubscriptionRow

DAY = timedelta(days=1)


async def close_day(uow: UnitOfWork, day: date) -> None:
    """Post what a day brings: months that begin, credits of months that ended before their time, the day's fee on assets, and
    what trades cost more or less by rates told since."""
    catalogue = (await uow.policies(Policies)).catalogue.on(day).body.products
    by_month = [code for code, one in catalogue.items() if one.kind in ("sms", "monthly")]
    lines = [*await _months(uow, by_month, day), *await _credits(uow, day)]
    by_assets = [code for code, one in catalogue.items() if one.kind == "assets"]
    if by_assets:
        lines += await _assets(uow, await _with_assets(uow.sql, by_assets, None, day), day.replace(day=1), day)
    lines += await differences.reckon(uow, day)
    if lines:
        await post(uow, lines)


async def post(uow: UnitOfWork, lines: Sequence[ChargeLine]) -> None:
    """Keep lines, at once, so that the next of several days that close together sees them; and tell them."""
    following = await uow.numbers("charges", Counter(uow.partition_of(one.client_id) for one in lines))
    records = []
    for one in lines:
        partition = uow.partition_of(one.client_id)
        records.append((partition, following[partition], *msgspec.structs.astuple(one)))
        following[partition] += 1
        uow.emit(
            ChargePosted(
                charge_id=one.charge_id, client_id=one.client_id, month=one.month, kind=one.kind,
                amount=Amount(rules.cents(Decimal(one.fen) / 100)), original=one.original,
            )
        )  # fmt: skip
    await uow.sql.copy_records_to_table(
        "charges", records=records, columns=("partition", "number", *ChargeLine.__struct_fields__)
    )


async def _months(uow: UnitOfWork, codes: Sequence[str], day: date) -> list[ChargeLine]:
    """The months of paid subscriptions that begin on a day."""
    policies = await uow.policies(Policies)
    found = await rows.fetch(
        uow.sql,
        SubscriptionRow,
        f"""SELECT {rows.columns(SubscriptionRow)} FROM subscriptions s
            WHERE paid_by = 'fee' AND state <> 'pending' AND code = ANY($2::text[]) AND since <= $1
              AND (until IS NULL OR until > $1)
              AND (since + make_interval(months => ((extract(year FROM $1::date) - extract(year FROM since)) * 12
                   + extract(month FROM $1::date) - extract(month FROM since))::int))::date = $1
            ORDER BY client_id, subscription_id""",
        day,
        list(codes),
    )
    lines = []
    for one in found:
        prices = policies.for_holder(one.signed_on, day).body.prices.monthly.get(one.code, ())
        amount = fen(rules.price_of(prices))
        if amount:
            lines.append(_line(one, "subscription", amount, day, month_of(one.since, day)[1], day, uow))
    known = await _posted(uow.sql, [line.charge_id for line in lines])
    return [line for line in lines if line.charge_id not in known]


async def _credits(uow: UnitOfWork, day: date) -> list[ChargeLine]:
    """What is credited by a day: unused days of what comes free now [S4], and all of what was withdrawn."""
    policies = await uow.policies(Policies)
    lines = []
    for charge_id, begins, subscription_id in await uow.sql.fetch(
        """SELECT c.charge_id, c.begins, c.subscription_id FROM charges c JOIN subscriptions s USING (subscription_id)
           WHERE c.kind = 'subscription' AND s.state = 'ended' AND s.ended_by IN ('bundle', 'withdrawn') AND s.until <= $1
             AND c.ends > s.until AND NOT EXISTS (SELECT FROM charges o WHERE o.original = c.charge_id)
           ORDER BY c.client_id, c.charge_id""",
        day,
    ):
        [one] = await rows.fetch(
            uow.sql,
            SubscriptionRow,
            f"SELECT {rows.columns(SubscriptionRow)} FROM subscriptions WHERE subscription_id = $1",
            subscription_id,
        )
        assert one.until is not None
        price = rules.price_of(policies.for_holder(one.signed_on, begins).body.prices.monthly.get(one.code, ()))
        amount = credit(price, one.since, one.until, begins)
        if amount:
            lines.append(_line(one, "day_credit", -amount, one.until, None, day, uow, original=charge_id))
    return lines


async def _with_assets(
    sql: asyncpg.Connection, codes: Sequence[str], client_ids: Sequence[str] | None, day: date
) -> list[SubscriptionRow]:
    """Subscriptions with a fee on assets that had begun by a day: those held on it, or all of named clients."""
    return await rows.fetch(
        sql,
        SubscriptionRow,
        f"""SELECT {rows.columns(SubscriptionRow)} FROM subscriptions
            WHERE code = ANY($1::text[]) AND state <> 'pending' AND since <= $3 AND since < coalesce(until, 'infinity')
              AND CASE WHEN $2::text[] IS NULL THEN until IS NULL OR until > $3 ELSE client_id = ANY($2) END
            ORDER BY client_id, subscription_id""",
        list(codes),
        client_ids,
        day,
    )


async def _assets(uow: UnitOfWork, held: Sequence[SubscriptionRow], first: date, day: date) -> list[ChargeLine]:
    """For each month from a day on what its days by now cost, less what was posted for it: the fee of the last day, and
    whatever a valuation heard late changes [S3]."""
    policies = await uow.policies(Policies)
    valued = await _valued(uow.sql, sorted({one.client_id for one in held}))
    posted = await _fees_posted(uow.sql, [one.subscription_id for one in held])
    lines = []
    for one in held:
        last = day if one.until is None else min(day, one.until - DAY)
        for begins, ends in months_between(max(first, one.since), last):
            bands = policies.for_holder(one.signed_on, ends).body.prices.bands.get(one.code, ())
            month = month_of_day(begins)
            begins = max(one.since, begins.replace(day=1))
            before, count = posted.get((one.subscription_id, month), (0, 0))
            amount = asset_fee(valued[one.client_id], bands, begins, ends) - before
            if amount:
                lines.append(_line(one, "asset_fee", amount, ends, ends + DAY, day, uow, month=month, count=count))
    return lines


async def _valued(sql: asyncpg.Connection, client_ids: Sequence[str]) -> dict[str, list[Valued]]:
    found: defaultdict[str, list[Valued]] = defaultdict(list)
    for client_id, agreement_id, as_of, value in await sql.fetch(
        "SELECT client_id, agreement_id, as_of, value FROM entrusted WHERE client_id = ANY($1::text[])",
        list(client_ids),
    ):
        found[client_id].append(Valued(agreement_id, as_of, value))
    return found


async def _fees_posted(
    sql: asyncpg.Connection, subscriptions: Sequence[UUID]
) -> dict[tuple[UUID, str], tuple[int, int]]:
    """The fen posted for each month, and in how many lines."""
    return {
        (subscription_id, month): (amount, lines)
        for subscription_id, month, amount, lines in await sql.fetch(
            """SELECT subscription_id, month, sum(fen)::bigint, count(*)::int FROM charges
               WHERE kind = 'asset_fee' AND subscription_id = ANY($1::uuid[]) GROUP BY 1, 2""",
            list(subscriptions),
        )
    }


async def _posted(sql: asyncpg.Connection, charge_ids: Sequence[UUID]) -> set[UUID]:
    found = await sql.fetch("SELECT charge_id FROM charges WHERE charge_id = ANY($1::uuid[])", list(charge_ids))
    return {charge_id for (charge_id,) in found}


def _line(
    one: SubscriptionRow,
    kind: ChargeKind,
    amount: int,
    begins: date,
    ends: date | None,
    day: date,
    uow: UnitOfWork,
    *,
    month: str = "",
    original: UUID | None = None,
    count: int = 0,
) -> ChargeLine:
    """A line; its id says of what, of which days, and which of several of a month it is."""
    name = new_id("charge", kind, one.subscription_id, month or begins, original or "", count)
    return ChargeLine(
        name, one.client_id, one.subscription_id, one.code, month or month_of_day(begins), kind, amount, original, begins,
        ends, day, uow.now,
    )  # fmt: skip


async def keep_entrusted(valued: Sequence[EntrustedValued], uow: UnitOfWork) -> None:
    """Keep valuations: of an agreement and day the highest (ce_time, ce_id); one for a day gone by is charged after it."""
    records = uow.records(EntrustedValued)
    newest: dict[tuple[str, str, date], tuple[EntrustedValued, Record]] = {}
    ordered = sorted(zip(valued, records, strict=True), key=lambda pair: (pair[1].time, pair[1].id))
    for event, record in ordered:
        newest[event.client_id, event.agreement_id, event.as_of] = (event, record)
    await clients.lock(uow, [one.client_id for one in valued])
    await uow.sql.execute(
        """INSERT INTO entrusted AS e (client_id, agreement_id, as_of, value, said_at, event_id)
           SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::numeric[], $5::timestamptz[], $6::text[])
           ON CONFLICT (client_id, agreement_id, as_of) DO UPDATE
           SET value = excluded.value, said_at = excluded.said_at, event_id = excluded.event_id
           WHERE (e.said_at, e.event_id) < (excluded.said_at, excluded.event_id)""",
        *map(
            list,
            zip(*((*key, event.value, record.time, record.id) for key, (event, record) in newest.items()), strict=True),
        ),
    )
    await LATE.note(uow, EntrustedValued, [(one.client_id, one.as_of) for one in valued])


async def evaluate_again(since: Mapping[str, date], through: date, uow: UnitOfWork) -> None:
    """Valuations came late: what their months cost by now, less what was posted."""
    await clients.lock(uow, list(since))
    catalogue = (await uow.policies(Policies)).catalogue.on(through).body.products
    codes = [code for code, one in catalogue.items() if one.kind == "assets"]
    held = await _with_assets(uow.sql, codes, list(since), through)
    lines = []
    for one in held:
        lines += await _assets(uow, [one], since[one.client_id].replace(day=1), through)
    if lines:
        await post(uow, lines)


catches_up = LATE.handed_to(evaluate_again)


async def keep_payments(recorded: Sequence[PaymentRecorded], uow: UnitOfWork) -> None:
    """What billing says of charges: what is not paid keeps its product back until it is."""
    await clients.lock(uow, [one.client_id for one in recorded])
    await uow.sql.execute(
        """INSERT INTO payments (charge_id, at, state, client_id)
           SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING""",
        [one.charge_id for one in recorded],
        [one.at for one in recorded],
        [one.state for one in recorded],
        [one.client_id for one in recorded],
    )
    await entitlements.tell(uow, sorted({one.client_id for one in recorded}))


async def statement(sql: asyncpg.Connection, client_id: str, month: str) -> list[ChargeLine]:
    """The lines of a client's month, in the order they were posted."""
    return await rows.fetch(
        sql,
        ChargeLine,
        f"SELECT {rows.columns(ChargeLine)} FROM charges WHERE client_id = $1 AND month = $2 ORDER BY posted_on, number",
        client_id,
        month,
    )
