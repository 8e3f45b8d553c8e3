"""What a subscription would do and cost, shown before it is confirmed; the confirmation finds the same again, or is refused."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from uuid_utils import uuid7

from chassis import rows
from chassis.clock import business_date
from chassis.errors import Conflict, FieldError, Invalid, NotFound, Refusal, Text
from chassis.timeline import effective_now, today
from chassis.uow import UnitOfWork
from services.products import clients, library, rates, rules, situations, subscriptions
from services.products.policy import Policies
from services.products.rules import shown
from services.products.situations import Situation
from services.products.subscription_rules import Plan, live, plan
from services.products.tables import DecisionRow, PreviewRow, SubscriptionRow

WAIT_SECONDS, LOOK_SECONDS = 2.0, 0.1
FARTHEST = timedelta(days=366)
KEPT = timedelta(days=30)


class AlreadySubscribed(Conflict):
    """The client has this product already, or it comes free with another."""

    title = Text("Already subscribed", "已订阅该产品")


class PreviewOutdated(Conflict):
    """What would happen is not what the preview showed: a price, the shelf, or what the client has is another. Look again."""

    title = Text("The preview is outdated", "预览已失效，请重新预览")


class PreviewUsed(Conflict):
    """This preview was confirmed before."""

    title = Text("The preview was confirmed before", "该预览已确认")


class AmountDiffers(Conflict):
    """The amounts repeated at the confirmation are not those of the preview."""

    title = Text("The amounts differ from the preview", "金额与预览不一致")


class DecisionUnknown(Conflict):
    """Suitability's decision has not been heard of yet: ask again with the same key; nothing was kept."""

    title = Text("The suitability decision is not known yet", "尚未收到适当性匹配结果")


class DecisionAgainst(Conflict):
    """Suitability's decision is of another client or product, blocks, or waits for the client's confirmation."""

    title = Text("The suitability decision does not allow this", "适当性匹配结果不允许")


class NotSold(Conflict):
    """This product is not subscribed to: everybody has it."""

    title = Text("Not subscribed to", "该产品无需订阅")


async def preview(
    uow: UnitOfWork, client_id: str, code: str, starts_on: date | None
) -> tuple[PreviewRow, list[Refusal]]:
    """What a product would do from a day on (today), kept for its confirmation, and what stands against it.

    Raises: NotFound, Invalid, UnknownCommission.
    """
    locked = await clients.lock(uow, [client_id])
    day = await _day(uow, starts_on)
    shown_, against = await _offer(uow, locked[client_id], code, day)
    row = PreviewRow(UUID(bytes=uuid7().bytes), client_id, code, day, shown_, uow.now, uow.actor.person, None)
    await uow.sql.execute(
        f"INSERT INTO previews ({rows.columns(PreviewRow)}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        *msgspec.structs.astuple(row),
    )
    return row, against


async def _day(uow: UnitOfWork, starts_on: date | None) -> date:
    day = await today(uow.sql)
    if starts_on is not None and not day <= starts_on <= day + FARTHEST:
        raise Invalid(errors=(FieldError("/starts_on", f"from {day} on, a year ahead at most"),))
    return starts_on or day


async def _offer(
    uow: UnitOfWork, client: clients.ClientRow, code: str, day: date
) -> tuple[dict[str, Any], list[Refusal]]:
    """What is shown, and what stands against it."""
    policies = await uow.policies(Policies)
    version = policies.catalogue.on(day)
    product = version.body.products.get(code)
    if product is None:
        raise NotFound
    situation = (await situations.read(uow.sql, [client], day))[client.client_id]
    against = situations.obstacles(product, (await library.shelved(uow.sql, day)).get(code), situation, day)
    if product.kind == "free":
        against.append(NotSold())
    now = live(situation.held, day)
    found = plan(version.body, situation.held, code, day, situations.prices_of(policies, now, day))  # type: ignore[arg-type]
    if found.already or any(one.code == code and one.state == "pending" for one in situation.held):
        against.append(AlreadySubscribed())
    monthly = rules.price_of(version.body.prices.monthly.get(code, ()))
    shown_: dict[str, Any] = {
        "amount": str(rules.cents(monthly)),
        "ends": sorted(_ended(found, situation)),
        "included": sorted(found.included),
        "credits": [{"code": one.code, "amount": str(one.amount)} for one in found.credits],
        "version": version.name,
        "rate_before": None,
        "rate": None,
        "no_uplift": False,
    }
    if product.kind == "rate":
        shown_ |= await _rates(uow, policies, situation, found, code, day)
    return shown_, against


def _ended(found: Plan, situation: Situation) -> list[str]:
    return [one.code for one in situation.held if one.subscription_id in found.ends]


async def _rates(
    uow: UnitOfWork, policies: Policies, situation: Situation, found: Plan, code: str, day: date
) -> dict[str, Any]:
    x = await rates.x_of(uow.sql, situation.client.client_id, day)
    before = _rate(policies, x, [(one.code, one.signed_on) for one in live(situation.held, day)], day)
    left = [one for one in live(situation.held, day) if one.subscription_id not in found.ends]
    after = _rate(policies, x, [*((one.code, one.signed_on) for one in left), (code, await today(uow.sql))], day)
    return {"rate_before": shown(before), "rate": shown(after), "no_uplift": after == x}


def _rate(policies: Policies, x: int, held: Sequence[tuple[str, date]], day: date) -> int:
    versions = {code: policies.for_holder(signed_on, day).body for code, signed_on in held}
    return rules.rate(
        x,
        [version.products[code] for code, version in versions.items() if code in version.products],
        {code: version.prices for code, version in versions.items()},
        policies.catalogue.on(day).body.prices.ceiling,
    )


async def confirm(
    uow: UnitOfWork,
    client_id: str,
    preview_id: UUID,
    amount: Decimal,
    rate: Decimal | None,
    decision_id: str | None,
    signature: str,
) -> SubscriptionRow:
    """Begin what was previewed: it is worked out again, has to be the same, and what was shown is repeated.

    Raises: NotFound, and what stands against it.
    """
    decision = await _await_decision(uow, decision_id) if decision_id else None
    if decision_id and decision is None:
        raise DecisionUnknown(retry_after=1)
    locked = await clients.lock(uow, [client_id])
    uow.happened_at = await effective_now(uow.sql, uow.now)
    found = await rows.fetch(
        uow.sql,
        PreviewRow,
        f"SELECT {rows.columns(PreviewRow)} FROM previews WHERE preview_id = $1 AND client_id = $2 FOR UPDATE",
        preview_id,
        client_id,
    )
    if not found:
        raise NotFound
    shown_before = found[0]
    if shown_before.confirmed is not None:
        raise PreviewUsed(subscription_id=str(shown_before.confirmed))
    day, code = await today(uow.sql), shown_before.code
    if shown_before.starts_on < day:
        raise PreviewOutdated(Text("it would have begun on a day gone by", "生效日已过"))
    _require_repeated(shown_before.plan, amount, rate)
    offered, against = await _offer(uow, locked[client_id], code, shown_before.starts_on)
    if against:
        raise against[0]
    if offered != shown_before.plan:
        raise PreviewOutdated(now=offered, shown=shown_before.plan)
    await _require_decision(uow, decision, client_id, code, day)
    row = SubscriptionRow(
        UUID(bytes=uuid7().bytes), client_id, locked[client_id].branch_id, code, "fee",
        "active" if shown_before.starts_on <= day else "pending", day, shown_before.starts_on, None, None,
        await _agreement(uow, client_id, code, day), signature, decision_id, uow.actor.person, uow.now, 0,
    )  # fmt: skip
    await uow.sql.execute("UPDATE previews SET confirmed = $2 WHERE preview_id = $1", preview_id, row.subscription_id)
    if row.state == "pending":
        await subscriptions.start(uow, [row])
    else:
        await subscriptions.put_in_force(uow, row)
    await subscriptions.follow(uow, [client_id], day)
    return row


def _require_repeated(plan_: dict[str, Any], amount: Decimal, rate: Decimal | None) -> None:
    """What was shown is repeated, both or neither.

    Raises: AmountDiffers.
    """
    wanted = plan_["rate"] and Decimal(plan_["rate"])
    if amount != Decimal(plan_["amount"]) or rate != wanted:
        raise AmountDiffers(amount=plan_["amount"], rate=plan_["rate"])


async def _await_decision(uow: UnitOfWork, decision_id: str) -> DecisionRow | None:
    """Suitability's decision; one that is not heard of yet is waited for, a little."""
    for _ in range(int(WAIT_SECONDS / LOOK_SECONDS)):
        found = await decision_of(uow.sql, decision_id)
        if found is not None:
            return found
        await asyncio.sleep(LOOK_SECONDS)
    return await decision_of(uow.sql, decision_id)


async def decision_of(sql: asyncpg.Connection, decision_id: str) -> DecisionRow | None:
    """A decision that was heard of."""
    found = await rows.fetch(
        sql,
        DecisionRow,
        f"SELECT {rows.columns(DecisionRow)} FROM decisions WHERE decision_id = $1 AND outcome IS NOT NULL",
        decision_id,
    )
    return found[0] if found else None


async def _require_decision(
    uow: UnitOfWork, decision: DecisionRow | None, client_id: str, code: str, day: date
) -> None:
    """Suitability allowed this client this product today, or what the client confirmed still holds [S6].

    Raises: Invalid, DecisionAgainst.
    """
    product = (await uow.policies(Policies)).catalogue.on(day).body.products[code]
    if decision is None:
        if product.floor or product.kind in ("rate", "assets"):
            raise Invalid(errors=(FieldError("/decision_id", "ask suitability first, and pass its decision"),))
        return
    if (decision.client_id, decision.product) != (client_id, code):
        raise DecisionAgainst
    confirmed = decision.confirmed_at is not None and (decision.valid_until or day) >= day
    passed = (
        decision.outcome == "PASS" and decision.decided_at is not None and business_date(decision.decided_at) >= day
    )
    if not (passed or (decision.outcome == "CONFIRM" and confirmed)):
        raise DecisionAgainst(outcome=decision.outcome)


async def _agreement(uow: UnitOfWork, client_id: str, code: str, day: date) -> str | None:
    """The reference of the agreement a product asks for."""
    kind = (await uow.policies(Policies)).catalogue.on(day).body.products[code].agreement
    ref: str | None = await uow.sql.fetchval(
        """SELECT ref FROM agreements WHERE client_id = $1 AND kind = $2 AND signed_on <= $3 ORDER BY signed_on DESC LIMIT 1""",
        client_id,
        kind,
        day,
    )
    return ref


async def forget(uow: UnitOfWork) -> None:
    """Forget what was shown a while ago and never confirmed."""
    await uow.sql.execute("DELETE FROM previews WHERE confirmed IS NULL AND made_at < $1", uow.now - KEPT)
