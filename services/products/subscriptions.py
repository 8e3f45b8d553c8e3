"""Subscriptions (订阅): begun by consent, moved by one table of acts; what follows for the rest is worked out once, here."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid5

import asyncpg
import msgspec
from pydantic import BaseModel

from chassis import rows
from chassis.actor import Actor
from chassis.acts import PLATFORM_ITSELF, Act, Aggregate, Doing, Sort, Step, acts, begin, perform_each
from chassis.calendars import current
from chassis.errors import Conflict, FieldError, Invalid, Refusal, Text
from chassis.http import object_scope
from chassis.timeline import effective_now, today
from chassis.uow import UnitOfWork
from contracts.classification import TIERS
from contracts.fields import BusinessDate, Text500
from contracts.products import SubscriptionChanged
from services.products import entitlements, library, rates
from services.products.clients import ClientRow
from services.products.people import BRANCH_STAFF, CLIENT, OWN_CLIENT, STAFF, audiences
from services.products.policy import Policies
from services.products.situations import obstacles, prices_of, read, subscriptions_of
from services.products.subscription_rules import left_free, month_of, plan, stretches
from services.products.tables import HISTORY, SubscriptionRow
from services.products.tables import TIERS as TIER_HISTORY

NAMESPACE = UUID("6f0c3c52-6f0a-5d0e-9a3a-3f0f8a3c1a11")
WITHDRAWAL_DAYS = 5
"""Working days after signing within which a subscription can be withdrawn as if it had never been."""


class TooLateToWithdraw(Conflict):
    """More than five working days have passed since the signature: end it instead."""

    title = Text("Too late to withdraw", "已超过撤回期限")


SUBSCRIPTION = Aggregate[SubscriptionRow](
    name="subscription",
    table="subscriptions",
    id="subscription_id",
    row=lambda record: msgspec.convert(dict(record), SubscriptionRow),
    states=("pending", "active", "included", "ending", "ended"),
    begins=("pending", "active", "included"),
    final=("ended",),
    sight=object_scope,
    audiences=audiences,
    parse=UUID,
    facts=lambda sql, _, found: _too_late(sql, found),
)
OWN_CONSENT = Sort[SubscriptionRow](
    "consent", Text("what was signed for", "经签署的订阅"), lambda one: one.paid_by == "fee"
)


class End(BaseModel, extra="forbid"):
    """Why it ends, and when: left out, with the month that runs (what is paid by the rate: tomorrow)."""

    reason: Text500
    on: BusinessDate | None = None


class Why(BaseModel, extra="forbid"):
    """Why."""

    reason: Text500


@dataclass(frozen=True, slots=True)
class Until:
    """From which day on it is over, and what ends it."""

    day: date
    by: str


async def _too_late(sql: asyncpg.Connection, found: Sequence[SubscriptionRow]) -> list[bool]:
    """Of each whether its five working days are over."""
    calendar, day = await current(sql), await today(sql)
    return [day > calendar.add_days(one.signed_on, WITHDRAWAL_DAYS) for one in found]


def _in_time(_: Actor, __: SubscriptionRow, too_late: bool) -> Refusal | None:
    return TooLateToWithdraw() if too_late else None


async def _set_end(uow: UnitOfWork, doings: Sequence[Doing[SubscriptionRow]]) -> None:
    """People's end: on the day they say, else with the billing month that runs; what is paid by the rate, tomorrow."""
    day, policies = await today(uow.sql), await uow.policies(Policies)
    for one in doings:
        row, wanted = one.row, one.body
        product = policies.catalogue.on(day).body.products.get(row.code)
        by_month = product is None or product.kind in ("sms", "monthly")
        earliest = max(day, row.since)
        until = wanted.on or (
            month_of(row.since, earliest)[1] if by_month else date.fromordinal(earliest.toordinal() + 1)
        )
        if until < earliest:
            raise Invalid(errors=(FieldError("/on", f"not before {earliest}"),))
        one.columns |= {"until": until, "ended_by": "client"}
        one.detail |= {"until": str(until), "reason": wanted.reason}


async def _set_until(_: UnitOfWork, doings: Sequence[Doing[SubscriptionRow]]) -> None:
    """The platform's end: never before it began."""
    for one in doings:
        day = max(one.row.since, one.body.day)
        one.columns |= {"until": day, "ended_by": one.body.by}
        one.detail |= {"until": str(day), "by": one.body.by}


async def _unset(_: UnitOfWork, doings: Sequence[Doing[SubscriptionRow]]) -> None:
    for one in doings:
        one.columns |= {"until": None, "ended_by": None}


async def _undo(_: UnitOfWork, doings: Sequence[Doing[SubscriptionRow]]) -> None:
    """As if it had never been: the rate of its days returns to what it was, what was paid is credited."""
    for one in doings:
        one.columns |= {"until": one.row.since, "ended_by": "withdrawn"}
        one.detail |= {"reason": one.body.reason}


def _by_client(_: Actor, row: SubscriptionRow, __: Any) -> Refusal | None:
    if row.ended_by == "client":
        return None
    return Conflict(Text(f"it is ended by {row.ended_by}", f"终止原因：{row.ended_by}"))


ACTS = acts(
    SUBSCRIPTION,
    Act("activate", Text("Begins", "生效"), on=("pending",), to="active", who=(PLATFORM_ITSELF,), tells=(CLIENT, STAFF)),
    Act("end", Text("End it", "退订"), on=("pending", "active"), to="ending", who=(OWN_CLIENT, BRANCH_STAFF),
        takes=End, needs=("reason",), tells=(CLIENT, STAFF), prepare=_set_end),
    Act("keep", Text("Keep it after all", "撤销退订"), on=("ending",), to="active", who=(OWN_CLIENT, BRANCH_STAFF),
        takes=Why, needs=("reason",), tells=(CLIENT, STAFF), unless=_by_client, prepare=_unset),
    Act("withdraw", Text("Withdraw it", "撤回"), on=("pending", "active", "ending"), to="ended",
        who=(OWN_CLIENT, BRANCH_STAFF), only=(OWN_CONSENT,), takes=Why, needs=("reason",), tells=(CLIENT, STAFF),
        unless=_in_time, prepare=_undo),
    Act("lose", Text("Its tier is lost", "级别不足，将终止"), on=("active",), to="ending", who=(PLATFORM_ITSELF,),
        tells=(CLIENT, STAFF), prepare=_set_until),
    Act("unsubscribe", Text("Ended by SMS", "短信退订"), on=("active",), to="ending", who=(PLATFORM_ITSELF,),
        tells=(CLIENT, STAFF), prepare=_set_until),
    Act("regain", Text("Its tier is back", "级别恢复"), on=("ending",), to="active", who=(PLATFORM_ITSELF,),
        tells=(CLIENT, STAFF), prepare=_unset),
    Act("finish", Text("Over", "终止"), on=("pending", "active", "included", "ending"), to="ended", who=(PLATFORM_ITSELF,),
        tells=(CLIENT, STAFF), prepare=_set_until),
    Act("prolong", Text("Goes on", "续期"), on=("active",), who=(PLATFORM_ITSELF,),
        tells=(CLIENT, STAFF), prepare=_set_until),
)  # fmt: skip


def new_id(*parts: object) -> UUID:
    """The id of what a cause makes: the same in every run."""
    return uuid5(NAMESPACE, "/".join(map(str, parts)))


async def start(uow: UnitOfWork, made: Sequence[SubscriptionRow]) -> None:
    """Keep new subscriptions, with their first step."""
    if not made:
        return
    await uow.sql.copy_records_to_table(
        "subscriptions",
        records=[msgspec.structs.astuple(one) for one in made],
        columns=SubscriptionRow.__struct_fields__,
    )
    at = await effective_now(uow.sql, uow.now)
    await begin(
        uow,
        [
            Step(SUBSCRIPTION.named(one.subscription_id), "start", "", one.state, at, (CLIENT, STAFF),
                 {"code": one.code, "paid_by": one.paid_by, "since": str(one.since)})
            for one in made
        ],
    )  # fmt: skip
    for one in made:
        uow.audit("subscribe", SUBSCRIPTION.named(one.subscription_id), key=one.client_id, code=one.code,
                  paid_by=one.paid_by, since=str(one.since))  # fmt: skip


def free_rows(row: SubscriptionRow, codes: Sequence[str]) -> list[SubscriptionRow]:
    """What comes free with a subscription [S4], from its first day on."""
    return [
        msgspec.structs.replace(
            row, subscription_id=new_id("free", row.subscription_id, code), code=code, paid_by="bundle", state="included",
            until=None, revision=0,
        )
        for code in codes
    ]  # fmt: skip


async def put_in_force(uow: UnitOfWork, row: SubscriptionRow, *, new: bool = True) -> None:
    """Begin a subscription from its first day on: what it replaces ends, what it includes comes free [S2, S4]."""
    policies = await uow.policies(Policies)
    catalogue, day = policies.catalogue.on(row.since).body, row.since
    held = await subscriptions_of(uow.sql, [row.client_id])
    others = [one for one in held if one.subscription_id != row.subscription_id]
    now = [
        one for one in others if one.state != "pending" and one.since <= day and (one.until is None or day < one.until)
    ]
    found = plan(catalogue, now, row.code, day, prices_of(policies, now, day))
    await finish(uow, {one: Until(day, by) for one, by in found.ends.items()})
    await start(uow, [*([row] if new else []), *free_rows(row, found.included)])


async def finish(uow: UnitOfWork, ends: Mapping[UUID, Until]) -> None:
    """End subscriptions from a day on, each for its reason."""
    await perform_each(uow, ACTS.finish, dict(ends), await effective_now(uow.sql, uow.now))


async def follow(uow: UnitOfWork, client_ids: Sequence[str], day: date) -> None:
    """What follows once something of clients, whose rows are locked, has changed: what came free and does not any more ends,
    their subscriptions and rates are told."""
    catalogue = (await uow.policies(Policies)).catalogue.on(day).body
    held: defaultdict[str, list[SubscriptionRow]] = defaultdict(list)
    for one in await subscriptions_of(uow.sql, client_ids):
        held[one.client_id].append(one)
    over = {
        subscription_id: Until(day, "bundle_over")
        for own in held.values()
        for subscription_id in left_free(catalogue, own, day)
    }
    if over:
        await finish(uow, over)
        held.clear()
        for one in await subscriptions_of(uow.sql, client_ids):
            held[one.client_id].append(one)
    changes = await HISTORY.put(uow, {client_id: stretches(held[client_id]) for client_id in client_ids})
    for change in changes:
        uow.emit(SubscriptionChanged(**change.fields))
    await rates.tell(uow, client_ids)
    await entitlements.tell(uow, client_ids)


async def close_day(uow: UnitOfWork, day: date, locked: Mapping[str, ClientRow]) -> None:
    """What is so from a day on, at the close of the one before: of clients whose rows are locked [S5]."""
    policies = await uow.policies(Policies)
    catalogue = policies.catalogue.on(day).body
    found = await read(uow.sql, list(locked.values()), day)
    ends: dict[UUID, Until] = {}
    lost: dict[UUID, Until] = {}
    regained: dict[UUID, None] = {}
    begun: dict[UUID, None] = {}
    states = await library.shelved(uow.sql, day)
    for situation in found.values():
        for one in situation.held:
            product = catalogue.products.get(one.code)
            if one.state == "ended":
                continue
            if not situation.client.open_on(day):
                ends[one.subscription_id] = Until(day, "account")
                continue
            below = product is not None and TIERS.index(situation.tier) < TIERS.index(product.min_tier)
            if one.until is not None and one.until <= day:
                ends[one.subscription_id] = Until(one.until, one.ended_by or "time")
            elif one.state == "pending" and one.since <= day:
                against = obstacles(product, states.get(one.code), situation, day) if product else []
                if product is None or against:
                    ends[one.subscription_id] = Until(one.since, against[0].name() if against else "catalogue")
                else:
                    begun[one.subscription_id] = None
            elif one.state == "active" and one.paid_by == "fee" and below:
                lost[one.subscription_id] = Until(month_of(one.since, day)[1], "tier")
            elif one.state == "ending" and one.ended_by == "tier" and not below:
                regained[one.subscription_id] = None
    at = await effective_now(uow.sql, uow.now)
    await perform_each(uow, ACTS.finish, ends, at)
    await perform_each(uow, ACTS.lose, lost, at)
    await perform_each(uow, ACTS.regain, regained, at)
    for performed in await perform_each(uow, ACTS.activate, begun, at):
        await put_in_force(uow, performed.row, new=False)


async def concerned(uow: UnitOfWork, day: date) -> list[str]:
    """The clients with a subscription that a day can change: one to begin or to end, one whose tier is lost or may be back,
    one whose account is closed."""
    products = (await uow.policies(Policies)).catalogue.on(day).body.products.values()
    return [
        client_id
        for (client_id,) in await uow.sql.fetch(
            f"""SELECT DISTINCT s.client_id FROM subscriptions s LEFT JOIN clients c USING (client_id)
                LEFT JOIN unnest($2::text[], $3::int[]) AS n(code, rank) USING (code)
                WHERE s.state <> 'ended' AND (
                    s.until <= $1 OR s.state = 'pending' AND s.since <= $1 OR c.closed_on <= $1 OR s.ended_by = 'tier'
                    OR n.rank > coalesce(array_position($4::text[], {TIER_HISTORY.on("tier", "s.client_id", "$1")}), 1))
                ORDER BY 1""",
            day,
            [one.code for one in products],
            [TIERS.index(one.min_tier) + 1 for one in products],
            list(TIERS),
        )
    ]


async def listed(
    sql: asyncpg.Connection, client_id: str, since: date, after: UUID, limit: int
) -> list[SubscriptionRow]:
    """A client's subscriptions behind a place, in their order."""
    return await rows.fetch(
        sql,
        SubscriptionRow,
        f"""SELECT {rows.columns(SubscriptionRow)} FROM subscriptions
            WHERE client_id = $1 AND (since, subscription_id) > ($2, $3) ORDER BY since, subscription_id LIMIT $4""",
        client_id,
        since,
        after,
        limit,
    )
