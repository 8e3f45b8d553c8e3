"""Unsubscribing by SMS (短信退订): a client answers T1, T2 or T3, and the SMS product of that number ends."""

from collections.abc import Sequence

from chassis.acts import perform_each
from chassis.clock import business_date
from chassis.timeline import today
from chassis.uow import UnitOfWork
from contracts.messaging import ReplyReceived
from services.products import clients, situations, subscriptions
from services.products.subscription_rules import month_of
from services.products.subscriptions import ACTS, Until

COMMANDS = {f"{letter}{n}": f"SMS{n}" for letter in ("T", "SMS") for n in (1, 2, 3)}


async def hear(replies: Sequence[ReplyReceived], uow: UnitOfWork) -> None:
    """End what is paid with its billing month; what came free is over at once. A reply whose number is nobody's, or one to
    something that is not held, changes nothing."""
    wanted = [one for one in replies if one.client_id and one.command in COMMANDS]
    names = sorted({one.client_id for one in wanted if one.client_id})
    if not names:
        return
    await clients.lock(uow, names)
    held = await situations.subscriptions_of(uow.sql, names)
    day = await today(uow.sql)
    for reply in wanted:
        on = max(business_date(reply.at), day)
        for one in held:
            if (one.client_id, one.code) != (reply.client_id, COMMANDS[reply.command]):
                continue
            if one.state == "active" and one.until is None:
                until = Until(month_of(one.since, max(on, one.since))[1], "client")
                await perform_each(uow, ACTS.unsubscribe, {one.subscription_id: until}, reply.at)
            elif one.state in ("included", "pending"):
                await perform_each(uow, ACTS.finish, {one.subscription_id: Until(on, "client")}, reply.at)
    await subscriptions.follow(uow, names, day)
