"""Products and instruments: the one small module that keeps them until there is a products service.

An instrument is known from the trades that name it; a product from staff. Its class is its kind's (policy), or the one
staff set for it from a date on; an issuer's class can only raise it [Q3, Q6].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import asyncpg

from chassis.errors import FieldError, Invalid
from chassis.uow import UnitOfWork
from contracts.broker import TradeSettled
from contracts.suitability import MatchDrifted
from services.suitability import drift
from services.suitability.errors import UnknownProduct
from services.suitability.levels import SCHEMES
from services.suitability.policy import Policies, Policy
from services.suitability.situations import product_columns, target_of

STATES = ("draft", "on_shelf", "suspended", "off_shelf")


@dataclass(frozen=True, slots=True)
class Product:
    """What staff say of a product."""

    code: str
    name_zh: str
    name_en: str
    kind: str
    state: str
    issuer_class: str | None


async def hear_instruments(uow: UnitOfWork, trades: Sequence[TradeSettled]) -> None:
    """Know the instruments that trades name; the latest trade's word on kind and issuer's class is in force.

    What staff have entered stays: only they may change it.
    """
    latest: dict[str, TradeSettled] = {}
    for trade in trades:
        symbol = trade.instrument.symbol
        if symbol not in latest or trade.settled_at >= latest[symbol].settled_at:
            latest[symbol] = trade
    symbols = sorted(latest)
    await uow.sql.execute(
        """INSERT INTO products AS p (code, kind, issuer_class, heard_at)
           SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
           ON CONFLICT (code) DO UPDATE SET kind = excluded.kind, issuer_class = excluded.issuer_class,
               heard_at = excluded.heard_at, revision = p.revision + 1
           WHERE p.heard_at < excluded.heard_at
             AND (p.kind, p.issuer_class) IS DISTINCT FROM (excluded.kind, excluded.issuer_class)""",
        symbols,
        [latest[symbol].instrument.kind for symbol in symbols],
        [latest[symbol].instrument.risk_class for symbol in symbols],
        [latest[symbol].settled_at for symbol in symbols],
    )


async def find(sql: asyncpg.Connection, code: str, day: date) -> dict[str, Any]:
    """A product with the level it asks for on a day, null when it has no class.

    Raises: UnknownProduct.
    """
    row = await sql.fetchrow(
        f"SELECT {product_columns('$2::date')}, p.revision FROM products p WHERE p.code = $1", code, day
    )
    if row is None:
        raise UnknownProduct
    return described(row, (await Policies.read(sql)).on(day))


def described(row: asyncpg.Record, policy: Policy) -> dict[str, Any]:
    """A product as callers see it."""
    needed = target_of(row, policy, []).needed
    kind = policy.kinds.get(row["kind"])
    return {
        "code": row["code"],
        "name_zh": row["name_zh"],
        "name_en": row["name_en"],
        "kind": row["kind"],
        "kind_zh": kind.zh if kind else "未分类",
        "kind_en": kind.en if kind else "not classed",
        "state": row["state"],
        "issuer_class": row["issuer_class"],
        "scheme": policy.scheme,
        "level_needed": policy.own_scheme.level(needed).code if needed else None,
        "revision": row["revision"],
    }


async def keep(uow: UnitOfWork, product: Product, day: date) -> dict[str, Any]:
    """Enter or change a product; when the level it asks for rises, everyone who holds it is matched again [Art. 21]."""
    before = await _needed(uow, product.code, day)
    await uow.sql.execute(
        """INSERT INTO products AS p (code, name_zh, name_en, kind, state, issuer_class)
           VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (code) DO UPDATE SET name_zh = $2, name_en = $3, kind = $4, state = $5, issuer_class = $6,
               heard_at = NULL, revision = p.revision + 1""",
        product.code,
        product.name_zh,
        product.name_en,
        product.kind,
        product.state,
        product.issuer_class,
    )
    uow.audit("keep product", f"product/{product.code}", kind=product.kind, state=product.state)
    return await _after_change(uow, product.code, day, before)


async def set_class(
    uow: UnitOfWork, code: str, effective_on: date, scheme: str, level: str | None, reason: str, day: date
) -> dict[str, Any]:
    """Give a product a class of its own from a date on; `level` None takes it back to its kind's.

    Raises: UnknownProduct, Invalid for an unknown scheme or level or a date in the past.
    """
    if scheme not in SCHEMES or (level is not None and level not in SCHEMES[scheme].codes):
        raise Invalid(errors=(FieldError("/level", f"no level of {scheme}"),))
    if effective_on < day:
        raise Invalid(errors=(FieldError("/effective_on", "a class takes effect today or later"),))
    await find(uow.sql, code, day)
    before = await _needed(uow, code, day)
    await uow.sql.execute(
        """INSERT INTO product_classes (code, effective_on, scheme, level, reason, made_by, at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (code, effective_on) DO UPDATE SET scheme = $3, level = $4, reason = $5, made_by = $6, at = $7""",
        code,
        effective_on,
        scheme,
        level,
        reason,
        uow.actor.person,
        uow.now,
    )
    uow.audit("class product", f"product/{code}", level=level, effective_on=effective_on.isoformat(), reason=reason)
    return await _after_change(uow, code, day, before)


async def _needed(uow: UnitOfWork, code: str, day: date) -> int | None:
    row = await uow.sql.fetchrow(f"SELECT {product_columns('$2::date')} FROM products p WHERE p.code = $1", code, day)
    return target_of(row, (await uow.policies(Policies)).on(day), []).needed if row else None


async def _after_change(uow: UnitOfWork, code: str, day: date, before: int | None) -> dict[str, Any]:
    after = await _needed(uow, code, day)
    raised = before is not None and (after is None or after > before)
    drifted = await drift.look_at_products(uow, [(code, day, day)]) if raised else []
    uow.emit_all(drifted)
    affected = sum(len(one.products) for one in drifted)
    return {**await find(uow.sql, code, day), "newly_affected": affected}


async def take_effect(uow: UnitOfWork, days: Sequence[date]) -> list[MatchDrifted]:
    """Classes that take effect the day after one of these closes: match their holders again.

    Returns what is new, to be told.
    """
    classed = await uow.sql.fetch(
        """SELECT code, effective_on FROM product_classes
           WHERE effective_on BETWEEN $1::date + 1 AND $2::date + 1 AND at < $3 ORDER BY effective_on, code""",
        days[0],
        days[-1],
        uow.now,
    )
    return await drift.look_at_products(uow, [(code, day, day - timedelta(days=1)) for code, day in classed])
