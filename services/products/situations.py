"""What is known of clients when a subscription is judged: tier, level, agreements, what they hold."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import asyncpg

from chassis import rows
from chassis.errors import Conflict, Refusal, Text
from contracts.classification import TIERS
from services.products import rules
from services.products.clients import ClientRow
from services.products.policy import Policies
from services.products.rules import Product
from services.products.subscription_rules import reaches
from services.products.tables import TIERS as TIER_HISTORY
from services.products.tables import AgreementRow, LevelRow, SubscriptionRow, class_on


class NotOnShelf(Conflict):
    """The product does not stand on the shelf."""

    title = Text("Not on the shelf", "产品未上架")


class NotOpenToTier(Conflict):
    """The product is open from a higher tier on."""

    title = Text("Open from a higher tier on", "客户级别未达到要求")


class NotOpenToClass(Conflict):
    """The product is open to some classes of clients only."""

    title = Text("Open to other classes of clients", "客户分类未达到要求")


class AgreementNeeded(Conflict):
    """The product asks for an agreement that is not signed, or has ended."""

    title = Text("An agreement is needed first", "须先签署相应协议")


class BelowFloor(Conflict):
    """The level heard of is below the product's floor, has ended, or there is none."""

    title = Text("Below the suitability level asked for", "风险承受能力未达到产品要求")


class AccountClosed(Conflict):
    """The account is closed, or closes that day."""

    title = Text("The account is closed by then", "账户届时已销户")


@dataclass(slots=True)
class Situation:
    """A client on a day."""

    client: ClientRow
    tier: str = TIERS[0]
    code: str | None = None
    level: str | None = None
    agreements: frozenset[str] = frozenset()
    held: list[SubscriptionRow] = field(default_factory=list)


async def read(sql: asyncpg.Connection, clients: Sequence[ClientRow], day: date) -> dict[str, Situation]:
    """The situations of clients on a day."""
    found = {one.client_id: Situation(one) for one in clients}
    ids = list(found)
    for client_id, tier, code in await sql.fetch(
        f"""SELECT c.id, {TIER_HISTORY.on("tier", "c.id", "$2")}, {class_on("c.id", "$2")}
            FROM unnest($1::text[]) AS c(id)""",
        ids,
        day,
    ):
        found[client_id].tier, found[client_id].code = tier or TIERS[0], code
    for level in await rows.fetch(
        sql,
        LevelRow,
        f"""SELECT DISTINCT ON (client_id) {rows.columns(LevelRow)} FROM levels
            WHERE client_id = ANY($1::text[]) AND valid_from <= $2 ORDER BY client_id, valid_from DESC, assessment_id DESC""",
        ids,
        day,
    ):
        found[level.client_id].level = level.level if day <= level.valid_until else None
    signed: defaultdict[str, set[str]] = defaultdict(set)
    for one in await rows.fetch(
        sql,
        AgreementRow,
        f"""SELECT {rows.columns(AgreementRow)} FROM agreements WHERE client_id = ANY($1::text[]) AND signed_on <= $2
            AND (ended_on IS NULL OR ended_on > $2)""",
        ids,
        day,
    ):
        signed[one.client_id].add(one.kind)
    for client_id, kinds in signed.items():
        found[client_id].agreements = frozenset(kinds)
    for held in await subscriptions_of(sql, ids):
        found[held.client_id].held.append(held)
    return found


async def subscriptions_of(sql: asyncpg.Connection, client_ids: Sequence[str]) -> list[SubscriptionRow]:
    """Every subscription of clients, ended ones too."""
    return await rows.fetch(
        sql,
        SubscriptionRow,
        f"""SELECT {rows.columns(SubscriptionRow)} FROM subscriptions WHERE client_id = ANY($1::text[])
            ORDER BY client_id, since, subscription_id""",
        list(client_ids),
    )


def obstacles(product: Product, shelf: str | None, situation: Situation, day: date) -> list[Refusal]:
    """What stands against a product from a day on, all of it."""
    found: list[Refusal] = []
    if shelf != "on_shelf":
        found.append(NotOnShelf(Text(f"{product.code} is {shelf}", f"{product.code} 状态为 {shelf}")))
    if not situation.client.open_on(day):
        found.append(AccountClosed())
    if TIERS.index(situation.tier) < TIERS.index(product.min_tier):
        found.append(
            NotOpenToTier(
                Text(
                    f"{product.min_tier} or above, not {situation.tier}",
                    f"须为{product.min_tier}及以上，当前{situation.tier}",
                )
            )
        )
    if product.classes and situation.code not in product.classes:
        asked, has = ", ".join(sorted(product.classes)), situation.code
        found.append(NotOpenToClass(Text(f"{asked}, not {has or 'unknown'}", f"须为{asked}，当前{has or '未知'}")))
    if product.agreement and product.agreement not in situation.agreements:
        found.append(AgreementNeeded(Text(f"the agreement {product.agreement}", f"协议 {product.agreement}")))
    if not reaches(situation.level, product.floor):
        found.append(
            BelowFloor(
                Text(
                    f"{product.floor} at least, not {situation.level or 'unknown'}",
                    f"须达到{product.floor}，当前{situation.level or '未知'}",
                )
            )
        )
    return found


def prices_of(policies: Policies, held: Sequence[SubscriptionRow], day: date) -> dict[str, Decimal]:
    """CNY a month of what is held, as each is paid."""
    return {
        one.code: rules.price_of(policies.for_holder(one.signed_on, day).body.prices.monthly.get(one.code, ()))
        for one in held
    }
