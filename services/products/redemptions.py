"""Products paid by points [P5]: points asks, the answer is a subscription or a refusal, and always the same one."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec

from chassis import rows
from chassis.acts import perform_each
from chassis.clock import business_date, months_after
from chassis.timeline import today
from chassis.uow import UnitOfWork
from contracts.points import RedemptionCancelled, RedemptionRequested
from contracts.products import RedemptionConfirmed, RedemptionRefused
from services.products import clients, library, situations, subscriptions
from services.products.policy import Policies
from services.products.situations import Situation
from services.products.subscription_rules import live
from services.products.subscriptions import ACTS, Until
from services.products.tables import RedemptionRow, SubscriptionRow

LONGEST = 36
"""Months at once."""


async def deliver(requested: Sequence[RedemptionRequested], uow: UnitOfWork) -> None:
    """Deliver what can be delivered; what was answered before, or was cancelled before it was asked for, is answered again."""
    await clients.lock(uow, [one.client_id for one in requested])
    answered = await _answered(uow, requested)
    for event in requested:
        if event.redemption_id not in answered:
            answered[event.redemption_id] = await _answer(uow, event)
        _tell(uow, answered[event.redemption_id])
    await subscriptions.follow(uow, sorted({one.client_id for one in requested}), await today(uow.sql))


async def cancel(cancelled: Sequence[RedemptionCancelled], uow: UnitOfWork) -> None:
    """What is delivered stays delivered, and is confirmed again; anything else is never delivered."""
    await clients.lock(uow, [one.client_id for one in cancelled])
    answered = await _answered(uow, cancelled)
    for event in cancelled:
        if event.redemption_id not in answered:
            answered[event.redemption_id] = await _keep(uow, event, "cancelled", None)
        _tell(uow, answered[event.redemption_id])


async def _answered(
    uow: UnitOfWork, events: Sequence[RedemptionRequested] | Sequence[RedemptionCancelled]
) -> dict[Any, RedemptionRow]:
    found = await rows.fetch(
        uow.sql,
        RedemptionRow,
        f"SELECT {rows.columns(RedemptionRow)} FROM redemptions WHERE redemption_id = ANY($1::uuid[])",
        [one.redemption_id for one in events],
    )
    return {row.redemption_id: row for row in found}


def _tell(uow: UnitOfWork, row: RedemptionRow) -> None:
    client, redemption, at = row.client_id, row.redemption_id, row.answered_at
    if row.reason is None:
        delivered = row.subscription_id
        uow.emit(
            RedemptionConfirmed(client_id=client, redemption_id=redemption, subscription_id=delivered, at=at), at=at
        )
    else:
        uow.emit(RedemptionRefused(client_id=client, redemption_id=redemption, reason=row.reason, at=at), at=at)


async def _answer(uow: UnitOfWork, event: RedemptionRequested) -> RedemptionRow:
    day = max(business_date(event.at), await today(uow.sql))
    client = (await clients.lock(uow, [event.client_id]))[event.client_id]
    situation = (await situations.read(uow.sql, [client], day))[client.client_id]
    reason = await _refusal(uow, situation, event, day)
    if reason is not None:
        return await _keep(uow, event, reason, None)
    running = next(
        (
            one
            for one in situation.held
            if one.code == event.reward and one.paid_by == "points" and one.state == "active"
        ),
        None,
    )
    if running is not None and running.until is not None:
        until = months_after(running.until, event.quantity)
        await perform_each(uow, ACTS.prolong, {running.subscription_id: Until(until, "points")}, event.at)
        return await _keep(uow, event, None, running)
    row = SubscriptionRow(
        subscriptions.new_id("redemption", event.redemption_id), event.client_id, client.branch_id, event.reward,
        "points", "active", day, day, months_after(day, event.quantity), "points", None,
        f"redemption/{event.redemption_id}", None, event.client_id, uow.now, 0,
    )  # fmt: skip
    await subscriptions.put_in_force(uow, row)
    return await _keep(uow, event, None, row)


async def _refusal(uow: UnitOfWork, situation: Situation, event: RedemptionRequested, day: date) -> str | None:
    """Why it cannot be delivered; None when it can."""
    product = (await uow.policies(Policies)).catalogue.on(day).body.products.get(event.reward)
    if product is None or product.kind not in ("sms", "monthly"):
        return "not-for-points"
    if event.quantity > LONGEST:
        return "too-long"
    against = situations.obstacles(product, (await library.shelved(uow.sql, day)).get(product.code), situation, day)
    if against:
        return against[0].name()
    held = [one for one in live(situation.held, day) if one.code == product.code]
    return "already-subscribed" if any(one.paid_by != "points" for one in held) else None


async def _keep(
    uow: UnitOfWork,
    event: RedemptionRequested | RedemptionCancelled,
    reason: str | None,
    subscription: SubscriptionRow | None,
) -> RedemptionRow:
    row = RedemptionRow(
        event.redemption_id, event.client_id, event.reward, event.quantity, reason,
        subscription.subscription_id if subscription else None, event.at,
    )  # fmt: skip
    await uow.sql.execute(
        f"INSERT INTO redemptions ({rows.columns(RedemptionRow)}) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        *msgspec.structs.astuple(row),
    )
    return row
