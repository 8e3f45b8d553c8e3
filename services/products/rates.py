"""X as the broker tells it, and the fee rates that follow from it, told with the day the trading system applies them from."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime

import asyncpg

from chassis import rows
from chassis.calendars import current
from chassis.errors import Conflict, FieldError, Invalid, Text
from chassis.timeline import today
from chassis.uow import UnitOfWork
from contracts.broker import CommissionAgreed
from contracts.products import FeeRateChanged, RateStretch
from services.products import clients, commission_rules, rules
from services.products.commission_rules import WHOLE, Holding, Word
from services.products.policy import Policies
from services.products.rules import LEGAL_CEILING
from services.products.situations import subscriptions_of
from services.products.subscription_rules import holdings
from services.products.tables import RATES, ApplicationRow, CommissionRow, DifferenceRow

AT_ONCE = 5_000
AGAIN = "ON CONFLICT (client_id, day) DO UPDATE SET day = excluded.day"
"""SQL: a day that is due already is locked, so that a close that takes it waits for what makes it due once more."""


class UnknownCommission(Conflict):
    """The broker has not told which commission is agreed with this client: no rate can be named without it."""

    title = Text("The commission agreed is not known", "尚未取得客户现佣金")


async def hear(agreements: Sequence[CommissionAgreed], uow: UnitOfWork) -> None:
    """Keep what is agreed, and tell the rates that follow, also those of days gone by [S1].

    Raises: Invalid for a commission above the law's ceiling.
    """
    if any(rules.units_of(one.rate) > LEGAL_CEILING for one in agreements):
        raise Invalid(errors=(FieldError("/rate", "above 3 per mille"),))
    found = [
        CommissionRow(
            one.client_id, one.agreement_id, record.time, record.id, one.account_id, rules.units_of(one.rate),
            one.effective_on, one.withdrawn, uow.now,
        )
        for one, record in zip(agreements, uow.records(CommissionAgreed), strict=True)
    ]  # fmt: skip
    told = sorted({one.client_id for one in agreements})
    await clients.lock(uow, told)
    await uow.sql.execute(
        f"""INSERT INTO commissions ({rows.columns(CommissionRow)})
            SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::int[], $7::date[],
                                 $8::bool[], $9::timestamptz[]) ON CONFLICT DO NOTHING""",
        *rows.lists(found),
    )
    await tell(uow, told)


async def words_of(
    sql: asyncpg.Connection, client_ids: Sequence[str], known_at: datetime | None = None
) -> dict[str, list[Word]]:
    """What was said of the agreements of clients, as known at an instant where one is given."""
    found: defaultdict[str, list[Word]] = defaultdict(list)
    for client_id, *word in await sql.fetch(
        """SELECT client_id, agreement_id, said_at, event_id, coalesce(account_id, ''), rate, effective_on, withdrawn
           FROM commissions WHERE client_id = ANY($1::text[]) AND recorded_at <= coalesce($2::timestamptz, 'infinity')""",
        list(client_ids),
        known_at,
    ):
        found[client_id].append(Word(*word))
    return found


async def x_of(sql: asyncpg.Connection, client_id: str, day: date, account: str = WHOLE) -> int:
    """The commission in force on a day.

    Raises: UnknownCommission.
    """
    words = (await words_of(sql, [client_id])).get(client_id, [])
    found = commission_rules.x_of(commission_rules.agreed(words), account, day)
    if found is None:
        raise UnknownCommission
    return found


async def tell(uow: UnitOfWork, client_ids: Sequence[str]) -> None:
    """Tell what differs of the rates of clients whose rows are locked, with the next trading day as the first on which the
    trading system applies it; what lies before is settled by charges."""
    policies = await uow.policies(Policies)
    words = await words_of(uow.sql, client_ids)
    held: defaultdict[str, list[Holding]] = defaultdict(list)
    for one in await subscriptions_of(uow.sql, client_ids):
        held[one.client_id] += holdings([one])
    changes = await RATES.put(
        uow,
        {
            client_id: commission_rules.rate_stretches(words.get(client_id, []), held[client_id], policies)
            for client_id in client_ids
        },
    )
    if not changes:
        return
    day = await today(uow.sql)
    next_day = (await current(uow.sql)).trading_day_after(day)
    applied = [
        ApplicationRow(one.client_id, one.revision, one.changed_from, max(next_day, one.changed_from))
        for one in changes
    ]
    await uow.sql.execute(
        f"""INSERT INTO rate_applications ({rows.columns(ApplicationRow)})
            SELECT * FROM unnest($1::text[], $2::bigint[], $3::date[], $4::date[])""",
        *rows.lists(applied),
    )
    await due(uow, [(one.client_id, one.changed_from) for one in applied if one.changed_from < one.apply_from])
    for change, application in zip(changes, applied, strict=True):
        uow.emit(FeeRateChanged(**change.fields, apply_from=application.apply_from))


async def due(uow: UnitOfWork, days: Iterable[tuple[str, date]]) -> None:
    """Reckon the differences of these days at the next close."""
    found = [DifferenceRow(*one) for one in sorted(set(days))]
    await uow.sql.execute(
        f"""INSERT INTO differences_due (client_id, day) SELECT * FROM unnest($1::text[], $2::date[]) {AGAIN}""",
        [one.client_id for one in found],
        [one.day for one in found],
    )


async def take_effect(uow: UnitOfWork, day: date) -> None:
    """Tell everybody's rates when other prices begin on a day or until the next trading day after it: so early that the
    trading system applies them from their first day on. Who was told already is not told again."""
    until = (await current(uow.sql)).trading_day_after(day)
    if not any(day <= start <= until for start in (await uow.policies(Policies)).starts()):
        return
    after = ""
    while ids := [
        client_id
        for (client_id,) in await uow.sql.fetch(
            "SELECT DISTINCT client_id FROM commissions WHERE client_id > $1 ORDER BY client_id LIMIT $2",
            after,
            AT_ONCE,
        )
    ]:
        await clients.lock(uow, ids)
        await tell(uow, ids)
        after = ids[-1]


def on(stretches: Sequence[RateStretch], day: date) -> list[RateStretch]:
    """The rates of a day: the client's, then those of single accounts."""
    found = [one for one in stretches if one.since <= day and (one.until is None or day < one.until)]
    return sorted(found, key=lambda one: one.account_id or "")
