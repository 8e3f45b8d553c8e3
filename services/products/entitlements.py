"""Entitlements (权益): worked out where something they follow from is heard or done, kept as stretches, told, and read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from chassis import rows
from chassis.clock import business_date
from chassis.errors import Text
from chassis.uow import UnitOfWork
from contracts.messaging import EntitlementsRequested
from contracts.products import EntitlementChanged, EntitlementStretch
from services.products.clients import ClientRow
from services.products.entitlement_rules import (
    ALWAYS,
    Dated,
    InForce,
    Known,
    as_at,
    blocks,
    entitled,
    levels_over_time,
    ways_to,
    why,
    why_not,
)
from services.products.policy import Policies
from services.products.tables import ENTITLEMENTS
from services.products.told import on

_MINE = "client_id = ANY($1::text[])"
_SHANGHAI = "AT TIME ZONE 'Asia/Shanghai')::date"
DATED = {
    "tiers": f"""SELECT client_id, tier, since, coalesce(until, lead(since) OVER (PARTITION BY client_id ORDER BY since))
                 FROM tiers WHERE {_MINE}""",
    "core": f"""SELECT client_id, CASE WHEN core THEN '' END, since, lead(since) OVER (PARTITION BY client_id ORDER BY since)
                FROM cores WHERE {_MINE}""",
    "club": f"""SELECT client_id, CASE WHEN state IN ('member', 'grace') THEN '' END, since,
                       lead(since) OVER (PARTITION BY client_id ORDER BY since, recorded_at, revision)
                FROM club_states WHERE {_MINE}""",
    "habits": f"""SELECT client_id, code, since, lead(since) OVER (PARTITION BY client_id ORDER BY since, revision)
                  FROM habits WHERE {_MINE}""",
    "products": f"""SELECT client_id, code, since, until FROM subscriptions WHERE {_MINE} AND state <> 'pending'""",
    "overrides": f"SELECT client_id, code, since, until FROM overrides WHERE {_MINE}",
    "levels": f"SELECT client_id, level, valid_from, valid_until + 1 FROM levels WHERE {_MINE}",
    "agreements": f"SELECT client_id, kind, signed_on, ended_on FROM agreements WHERE {_MINE} AND signed_on IS NOT NULL",
    "holds": f"""SELECT client_id, scope, (placed_at {_SHANGHAI}, (lifted_at {_SHANGHAI}
                 FROM holds WHERE {_MINE} AND placed_at IS NOT NULL""",
    "unpaid": f"""SELECT p.client_id, CASE WHEN p.state = 'failed' THEN c.code END, (p.at {_SHANGHAI},
                         lead((p.at {_SHANGHAI}) OVER (PARTITION BY p.charge_id ORDER BY p.at, p.state)
                  FROM payments p JOIN charges c USING (charge_id) WHERE p.{_MINE}""",
}
"""Of each kind what is so, from when, until when."""


AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Have:
    """A service the client has."""

    stretch: EntitlementStretch
    why: Text


@dataclass(frozen=True, slots=True)
class Missing:
    """A service the client does not have, and what would give it."""

    code: str
    given_by: Sequence[str]
    blocked_by: Sequence[str]
    why: Text


async def tell(uow: UnitOfWork, client_ids: Sequence[str]) -> None:
    """Work out the entitlements of clients whose rows are locked, keep them, and tell what differs. A query a kind of fact,
    whatever their number."""
    policies = await uow.policies(Policies)
    rules = InForce.of(policies.services.all, policies.catalogue.all)
    known = await read(uow.sql, client_ids)
    changes = await ENTITLEMENTS.put(uow, {client_id: entitled(one, rules) for client_id, one in known.items()})
    uow.emit_all(EntitlementChanged(**change.fields) for change in changes)


async def take_effect(uow: UnitOfWork, day: date) -> None:
    """Work out everybody's anew when another version of what gives what, or of what products ask for, begins on a day."""
    policies = await uow.policies(Policies)
    starts = {one.effective_on for one in policies.services.all} | {one.effective_on for one in policies.catalogue.all}
    if day not in starts:
        return
    after = ""
    while ids := [
        client_id
        for (client_id,) in await uow.sql.fetch(
            "SELECT client_id FROM clients WHERE client_id > $1 ORDER BY client_id LIMIT $2 FOR UPDATE", after, AT_ONCE
        )
    ]:
        await tell(uow, ids)
        after = ids[-1]


# What begins and ends within a day, by kind: how it was at an instant.
_AT = {
    "holds": f"""SELECT client_id, scope FROM holds
                 WHERE {_MINE} AND placed_at <= $2 AND (lifted_at IS NULL OR lifted_at > $2)""",
    "unpaid": f"""SELECT client_id, code FROM (
                      SELECT DISTINCT ON (p.charge_id) p.client_id, c.code, p.state FROM payments p JOIN charges c USING (charge_id)
                      WHERE p.{_MINE} AND p.at <= $2 ORDER BY p.charge_id, p.at DESC, p.state DESC) newest
                  WHERE state = 'failed'""",
}


async def _read_at(sql: asyncpg.Connection, client_id: str, at: datetime) -> Known:
    """All that is known of a client, what holds and payments say of the day as they said it at an instant of it."""
    known, day = (await read(sql, [client_id]))[client_id], business_date(at)
    for kind, query in _AT.items():
        so = [what for _, what in await sql.fetch(query, [client_id], at)]
        setattr(known, kind, as_at(getattr(known, kind), day, so))
    return known


async def tell_again(_: Sequence[EntitlementsRequested], uow: UnitOfWork) -> None:
    """Tell everybody's once more, whole: who asks was not there when they were told."""
    after = ""
    while ids := [
        client_id
        for (client_id,) in await uow.sql.fetch(
            """SELECT client_id FROM clients WHERE client_id > $1
                 AND EXISTS (SELECT FROM entitlements e WHERE e.client_id = clients.client_id)
               ORDER BY client_id LIMIT $2 FOR UPDATE""",
            after,
            AT_ONCE,
        )
    ]:
        uow.emit_all(EntitlementChanged(**change.fields) for change in await ENTITLEMENTS.again(uow, ids))
        after = ids[-1]


async def read(sql: asyncpg.Connection, client_ids: Sequence[str]) -> dict[str, Known]:
    """All that is known of clients."""
    ids = list(client_ids)
    found = {client_id: Known() for client_id in ids}
    for client in await rows.fetch(
        sql, ClientRow, f"SELECT {rows.columns(ClientRow)} FROM clients WHERE client_id = ANY($1::text[])", ids
    ):
        known = found[client.client_id]
        known.opened_on, known.closed_on = client.opened_on, client.closed_on
    for kind, query in DATED.items():
        for client_id, what, since, until in await sql.fetch(query, ids):
            if what is not None and (until is None or since < until):
                getattr(found[client_id], kind).append(Dated(what, since, until))
    for known in found.values():
        known.levels = levels_over_time(known.levels)
    return found


async def answer(
    sql: asyncpg.Connection, client_id: str, when: date | datetime, known_at: datetime | None = None
) -> tuple[list[Have], list[Missing]]:
    """What a client has on a day, or at an instant of one, and what not, as known now or at another instant: what was known before
    is kept by the day."""
    policies = await Policies.read(sql)
    at, day = (when, business_date(when)) if isinstance(when, datetime) else (None, when)
    services = policies.services.on(day).body
    known = await _read_at(sql, client_id, at) if at and known_at is None else None
    stretches = (
        entitled(known, InForce.of(policies.services.all, policies.catalogue.all))
        if known
        else await ENTITLEMENTS.of(sql, client_id, known_at)
    )
    have = on(stretches, day)
    items = [
        Have(one, why(services.names.get(one.code, Text(one.code, one.code)), one.source, one.until)) for one in have
    ]
    codes = {one.code for one in have}
    missing = []
    kept_back = await _kept_back(sql, policies, client_id, day, known) if known_at is None else {}
    for code, name in services.names.items():
        if code not in codes:
            ways = ways_to(code, services)
            blocked = sorted({said for way in ways for said in kept_back.get(way, ())})
            missing.append(Missing(code, ways, blocked, why_not(name, ways, blocked)))
    return items, missing


async def _kept_back(
    sql: asyncpg.Connection, policies: Policies, client_id: str, day: date, known: Known | None
) -> dict[str, list[str]]:
    """Of each product held that is kept back on a day by what: `PRODUCT:C` by a hold."""
    if not await sql.fetchval("SELECT EXISTS (SELECT FROM subscriptions WHERE client_id = $1)", client_id):
        return {}
    known = known or (await read(sql, [client_id]))[client_id]
    asked = [(policies.catalogue.on(day).body.products, ALWAYS)]
    return {
        f"PRODUCT:{one.what}": [block.what for block in on(blocks(known, asked, one.what), day)]
        for one in on(known.products, day)
    }


async def check(
    sql: asyncpg.Connection, pairs: Sequence[tuple[str, str]], day: date
) -> list[EntitlementStretch | None]:
    """Of each client and service the stretch that gives it on a day; one query for all."""
    found = await ENTITLEMENTS.now(sql, sorted({client_id for client_id, _ in pairs}))
    said: list[EntitlementStretch | None] = []
    for client_id, code in pairs:
        _, stretches = found.get(client_id, (0, []))
        said.append(next((one for one in on(stretches, day) if one.code == code), None))
    return said
