"""Other prices for who signed before: told to each of them ahead, once a version, with both prices [S1]. Until their day the price
of then holds."""

from collections.abc import Iterator
from datetime import date, timedelta
from uuid import UUID, uuid5

from chassis import rows
from chassis.clock import end_of
from chassis.timeline import Timeline, timeline
from chassis.uow import UnitOfWork
from contracts.products import MessageRequested
from services.products.policy import Policies
from services.products.rules import Prices, price_text
from services.products.tables import SubscriptionRow

KIND, NO_PRICES = "new_price", "price_change"
AT_ONCE = 5_000
_IDS = UUID("6d0f1c4e-62a5-5c0e-9a35-0f2d6b7f4c17")

# Of accounts that are open then, what is paid for in money, goes on, and was not looked at yet for this version.
_HOLDING = f"""
    WITH found AS (
        SELECT {rows.columns(SubscriptionRow, "s")} FROM subscriptions s JOIN clients c USING (client_id)
        WHERE s.state IN ('pending', 'active', 'ending') AND s.paid_by <> 'points' AND (s.until IS NULL OR s.until > $1)
          AND (c.closed_on IS NULL OR c.closed_on > $1)
          AND NOT EXISTS (SELECT FROM prices_told t WHERE t.version = $2 AND t.subscription_id = s.subscription_id)
        ORDER BY s.subscription_id LIMIT $3),
    told AS (INSERT INTO prices_told (version, subscription_id) SELECT $2, subscription_id FROM found)
    SELECT {rows.columns(SubscriptionRow)} FROM found ORDER BY subscription_id"""


async def ask(uow: UnitOfWork, day: date) -> None:
    """When a day closes: ask for the messages of versions that will count for holders from a later day on, of all who were not told
    yet: who signs after the first telling is told when that day closes. Nobody is written to of days long gone."""
    policies = await uow.policies(Policies)
    ahead = {
        one.name: one.body.holders_from
        for one in policies.catalogue.all
        if one.body.holders_from is not None and one.body.holders_from > day
    }
    if not ahead or await uow.cached(timeline) is not Timeline.REAL:
        return
    await uow.sql.execute(
        "INSERT INTO price_notices (version, told_on) SELECT n, $2 FROM unnest($1::text[]) n ON CONFLICT DO NOTHING",
        sorted(ahead),
        day,
    )
    for version, begins in sorted(ahead.items()):
        while held := await rows.fetch(uow.sql, SubscriptionRow, _HOLDING, begins, version, AT_ONCE):
            uow.emit_all(_messages(uow, policies, version, begins, held))


def _messages(
    uow: UnitOfWork, policies: Policies, version: str, begins: date, held: list[SubscriptionRow]
) -> Iterator[MessageRequested]:
    for one in held:
        before = policies.for_holder(one.signed_on, begins - timedelta(days=1)).body.prices
        after = policies.for_holder(one.signed_on, begins).body.prices
        if price_of(before, one.code) == price_of(after, one.code):
            continue
        cause = f"{version}/{one.code}"
        texts = {"before": price_text(before, one.code), "after": price_text(after, one.code)}
        # What does not fit, or differs in what a text leaves out (edges of bands), is not named.
        named = None not in texts.values() and texts["before"] != texts["after"]
        yield MessageRequested(
            request_id=uuid5(_IDS, f"{cause}/{one.client_id}"), client_id=one.client_id, kind=KIND if named else NO_PRICES,
            cause=cause,
            fields={"product": one.code, "on": begins.isoformat()} | {k: v for k, v in texts.items() if named and v},
            required=True, not_after=end_of(begins), asked_at=uow.now,
        )  # fmt: skip


def price_of(prices: Prices, code: str) -> tuple[object, ...]:
    """Everything that says what a product costs."""
    return tuple(table.get(code) for table in (prices.rates, prices.monthly, prices.bands))
