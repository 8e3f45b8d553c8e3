"""Products and instruments: the one small module that keeps them until there is a products service.

An instrument is known from the trades that name it; a product from staff. Its class is its kind's (policy), or the one
staff set for it from a date on; an issuer's class can only raise it [Q3, Q6]. Kind, shelf state, issuer's class and a
class of its own take two persons; compliance is the second when the level falls below its kind's.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import asyncpg

from chassis import approvals
from chassis.actor import Role
from chassis.approvals import Approval, ApprovalKind, ChangedSinceAsked, by
from chassis.errors import FieldError, Invalid, Text
from chassis.timeline import today
from chassis.uow import UnitOfWork
from contracts.broker import TradeSettled
from contracts.suitability import MatchDrifted
from services.suitability import drift, due
from services.suitability.errors import UnknownProduct
from services.suitability.levels import SCHEMES, needed_in
from services.suitability.policy import Policies, Policy
from services.suitability.situations import ProductRow, needed_of, not_sold_because, product_columns, product_on

ONE_DAY = timedelta(days=1)
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
    """Know the instruments that trades name; the latest trade's word on kind and issuer's class is in force from its day.

    What staff have entered stays: only they may change it. Who holds what asks for more by it is matched again.
    """
    latest: dict[str, TradeSettled] = {}
    for trade in trades:
        symbol = trade.instrument.symbol
        if symbol not in latest or trade.settled_at >= latest[symbol].settled_at:
            latest[symbol] = trade
    symbols = sorted(latest)
    heard = await uow.sql.fetch(
        """WITH heard AS (
               INSERT INTO products AS p (code, kind, issuer_class, heard_at)
               SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
               ON CONFLICT (code) DO UPDATE SET kind = excluded.kind, issuer_class = excluded.issuer_class,
                   heard_at = excluded.heard_at, revision = p.revision + CASE WHEN
                   (p.kind, p.issuer_class) IS DISTINCT FROM (excluded.kind, excluded.issuer_class) THEN 1 ELSE 0 END
               WHERE p.heard_at < excluded.heard_at
               RETURNING code, kind, state, issuer_class)
           SELECT h.*, b.kind AS kind_before FROM heard h LEFT JOIN products b USING (code)
           WHERE b.code IS NULL OR (b.kind, b.issuer_class) IS DISTINCT FROM (h.kind, h.issuer_class) ORDER BY code""",
        symbols,
        [latest[symbol].instrument.kind for symbol in symbols],
        [latest[symbol].instrument.risk_class for symbol in symbols],
        [latest[symbol].settled_at for symbol in symbols],
    )
    if not heard:
        return
    described = {row["code"]: latest[row["code"]].trade_date for row in heard if row["kind_before"] is not None}
    before = await needed_on(uow, described.items())
    await keep_states(uow, [(row["code"], described.get(row["code"], date.min), *list(row)[1:4]) for row in heard])
    await note_raised(uow, before)


async def keep_states(
    uow: UnitOfWork, states: Sequence[tuple[str, date, str, str, str | None]], *, entered: bool = False
) -> None:
    """What products (code, since, kind, shelf state, issuer's class) are from a day on, as staff `entered` them or else as
    trades or the library have it."""
    await uow.sql.copy_records_to_table(
        "product_states",
        records=[(*state, uow.now, entered) for state in states],
        columns=("code", "since", "kind", "state", "issuer_class", "recorded_at", "entered"),
    )


async def note_raised(uow: UnitOfWork, before: Mapping[tuple[str, date], int | None]) -> None:
    """Have those matched again who hold a product that asks for more on a day than it did `before`."""
    after = await needed_on(uow, before)
    await due.note(
        uow,
        [due.Changed(day, product=code, cause="class_raised") for code, day in before
         if rose(before[code, day], after[code, day])],
    )  # fmt: skip


async def find(sql: asyncpg.Connection, code: str, day: date) -> dict[str, Any]:
    """A product with the level it asks for on a day, null when it has no class.

    Raises: UnknownProduct.
    """
    columns = await sql.fetchrow(
        f"SELECT {product_columns('$2::date')} FROM ({product_on('$1', '$2::date')}) p", code, day
    )
    if columns is None:
        raise UnknownProduct
    return described(ProductRow(*columns), (await Policies.read(sql)).on(day))


def described(row: ProductRow, policy: Policy) -> dict[str, Any]:
    """A product as callers see it."""
    needed = needed_of(row, policy)
    kind = policy.kinds.get(row.kind or "")
    shelf, floor = row.library or (None, None)
    return {
        "code": row.code,
        "name_zh": row.name_zh,
        "name_en": row.name_en,
        "kind": row.kind,
        "kind_zh": kind.zh if kind else "未分类",
        "kind_en": kind.en if kind else "not classed",
        "state": row.state,
        "library_shelf": shelf,
        "library_floor": floor,
        "not_sold_because": not_sold_because(row),
        "issuer_class": row.issuer_class,
        "scheme": policy.scheme,
        "level_needed": policy.own_scheme.level(needed).code if needed else None,
        "revision": row.revision,
    }


async def keep(uow: UnitOfWork, product: Product, day: date, reason: str) -> dict[str, Any] | Approval:
    """Enter or change a product. Names change at once; anything else is asked for and returned as what waits."""
    row = await uow.sql.fetchrow("SELECT * FROM products WHERE code = $1 FOR UPDATE", product.code)
    if row is None or any(row[name] != getattr(product, name) for name in ("kind", "state", "issuer_class")):
        policy = await _policy(uow, day)
        below = row is not None and _below(row["kind"], policy.rank_of_kind.get(product.kind), policy)
        return await approvals.ask(
            uow, BELOW_FLOOR if below else CHANGE, _named(product.code),
            body={"code": product.code, "entry": asdict(product)}, why=reason, after=asdict(product),
        )  # fmt: skip
    await uow.sql.execute(
        "UPDATE products SET name_zh = $2, name_en = $3, revision = revision + 1 WHERE code = $1",
        product.code,
        product.name_zh,
        product.name_en,
    )
    uow.audit("name product", _named(product.code), name_zh=product.name_zh, name_en=product.name_en)
    return await find(uow.sql, product.code, day)


async def set_class(
    uow: UnitOfWork, code: str, effective_on: date, scheme: str | None, level: str | None, reason: str, day: date
) -> Approval:
    """Ask for a class of the product's own from a date on; `level` None takes it back to its kind's, `scheme` None is the
    firm's.

    Raises: UnknownProduct; Invalid for an unknown scheme or level, a date in the past, or a level of another scheme below
        that of the product's kind: it would count as its kind's.
    """
    policy = await _policy(uow, effective_on)
    scheme = scheme or policy.scheme
    if scheme not in SCHEMES or (level is not None and level not in SCHEMES[scheme].codes):
        raise Invalid(errors=(FieldError("/level", f"no level of {scheme}"),))
    if effective_on < day:
        raise Invalid(errors=(FieldError("/effective_on", "a class takes effect today or later"),))
    product = await find(uow.sql, code, day)
    wanted = {"effective_on": effective_on.isoformat(), "scheme": scheme, "level": level}
    below = _class_below(product["kind"], wanted, policy)
    if below and scheme != policy.scheme:
        detail = f"below the level of its kind: say it in {policy.scheme}"
        raise Invalid(errors=(FieldError("/level", detail),))
    return await approvals.ask(
        uow,
        BELOW_FLOOR if below else CHANGE,
        _named(code),
        body={"code": code, "class": wanted},
        why=reason,
        after=wanted,
    )


def _named(code: str) -> str:
    return f"product/{code}"


async def _policy(uow: UnitOfWork, day: date) -> Policy:
    return (await uow.policies(Policies)).on(day)


def _below(kind: str, rank: int | None, policy: Policy) -> bool:
    """Whether a rank, or none at all, is less than a kind's. A kind without one has nothing to fall below."""
    floor = policy.rank_of_kind.get(kind)
    return floor is not None and (rank is None or rank < floor)


def _class_below(kind: str, wanted: dict[str, Any], policy: Policy) -> bool:
    scheme, level = wanted["scheme"], wanted["level"]
    return level is not None and _below(kind, needed_in(scheme, SCHEMES[scheme].rank(level), policy.scheme), policy)


async def _present(uow: UnitOfWork, approval: Approval) -> dict[str, Any] | None:
    """The product as it is, locked; with the class in force on the day of the wanted one."""
    code = approval.body["code"]
    await uow.sql.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 9))", code)
    row = await uow.sql.fetchrow(
        "SELECT code, name_zh, name_en, kind, state, issuer_class FROM products WHERE code = $1 FOR UPDATE", code
    )
    if row is None or "class" not in approval.body:
        return dict(row) if row else None
    own = await uow.sql.fetchrow(
        """SELECT effective_on::text, scheme, level FROM product_classes
           WHERE code = $1 AND effective_on <= $2 ORDER BY effective_on DESC, id DESC LIMIT 1""",
        code,
        date.fromisoformat(approval.body["class"]["effective_on"]),
    )
    return dict(row) | {"class": dict(own) if own else None}


async def _apply(uow: UnitOfWork, approval: Approval) -> None:
    """Put in force what was asked; when the level rises or the product leaves the shelf, everyone who holds it is matched again
    [Art. 21]."""
    code, day = approval.body["code"], await today(uow.sql)
    before, sold = await needed_on(uow, [(code, day)]), await sold_on(uow, [(code, day)])
    if "class" in approval.body:
        await _put_class(uow, approval, day)
    else:
        await _put_entry(uow, approval.body["entry"], day)
    after = await needed_on(uow, [(code, day)])
    if rose(before[code, day], after[code, day]):
        uow.emit_all(await drift.look_at_products(uow, [(code, day, day)]))
    if sold - await sold_on(uow, [(code, day)]):
        uow.emit_all(await drift.look_at_products(uow, [(code, day, day)], "off_shelf"))


async def _put_class(uow: UnitOfWork, approval: Approval, day: date) -> None:
    wanted = approval.body["class"]
    effective_on = max(date.fromisoformat(wanted["effective_on"]), day)  # approved late, it counts from then
    policy = await _policy(uow, effective_on)
    if approval.kind != BELOW_FLOOR.name and _class_below(approval.before["kind"], wanted, policy):
        raise ChangedSinceAsked(before=approval.before, present=approval.before)  # the kind's level has risen since
    waived = policy.rank_of_kind.get(approval.before["kind"]) if approval.kind == BELOW_FLOOR.name else None
    await uow.sql.execute(
        """INSERT INTO product_classes (code, effective_on, scheme, level, reason, made_by, at, waived)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
        approval.body["code"],
        effective_on,
        wanted["scheme"],
        wanted["level"],
        approval.why,
        approval.asked_by,
        uow.now,
        policy.own_scheme.level(waived).code if waived else None,
    )


async def _put_entry(uow: UnitOfWork, entry: dict[str, Any], day: date) -> None:
    await keep_states(uow, [(entry["code"], day, entry["kind"], entry["state"], entry["issuer_class"])], entered=True)
    await uow.sql.execute(
        """INSERT INTO products AS p (code, name_zh, name_en, kind, state, issuer_class)
           VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT (code) DO UPDATE SET name_zh = $2, name_en = $3, kind = $4, state = $5, issuer_class = $6,
               heard_at = NULL, revision = p.revision + 1""",
        *(entry[name] for name in ("code", "name_zh", "name_en", "kind", "state", "issuer_class")),
    )


CHANGE = ApprovalKind(
    "product",
    Text("Kind, class or shelf state of a product", "产品类别、风险等级或上架状态"),
    decides=by(Role.HQ, Role.COMPLIANCE),
    apply=_apply,
    present=_present,
)
BELOW_FLOOR = ApprovalKind(
    "product-below-floor",
    Text("A product below the level of its kind", "产品风险等级低于所属类别"),
    decides=by(Role.COMPLIANCE),
    apply=_apply,
    present=_present,
)


async def needed_on(uow: UnitOfWork, asked: Collection[tuple[str, date]]) -> dict[tuple[str, date], int | None]:
    """The ranks that products ask for on days; None: one has no class, or nobody knows it."""
    policies = await uow.policies(Policies)
    return dict.fromkeys(asked) | {
        (row.code, day): needed_of(row, policies.on(day)) for day, row in await _known_on(uow, asked)
    }


async def sold_on(uow: UnitOfWork, asked: Collection[tuple[str, date]]) -> set[tuple[str, date]]:
    """Those of these products that are on the shelf on their day, ours and the library's."""
    return {(row.code, day) for day, row in await _known_on(uow, asked) if not_sold_because(row) is None}


async def _known_on(uow: UnitOfWork, asked: Collection[tuple[str, date]]) -> list[tuple[date, ProductRow]]:
    rows = await uow.sql.fetch(
        f"""SELECT n.day, {product_columns("n.day")} FROM unnest($1::text[], $2::date[]) AS n(code, day)
            JOIN LATERAL ({product_on("n.code", "n.day")}) p ON true""",
        [code for code, _ in asked],
        [day for _, day in asked],
    )
    return [(day, ProductRow(*columns)) for day, *columns in rows]


def rose(before: int | None, after: int | None) -> bool:
    """Whether a product asks for more now, has no rank any more, or has one for the first time."""
    return before != after and (before is None or after is None or after > before)


async def take_effect(uow: UnitOfWork, days: Sequence[date]) -> list[MatchDrifted]:
    """Classes and policies that take effect the day after one of these closes: match the holders again.

    Returns what is new, to be told.
    """
    classed = await uow.sql.fetch(
        """SELECT code, effective_on FROM product_classes
           WHERE effective_on BETWEEN $1::date + 1 AND $2::date + 1 AND at < $3 ORDER BY effective_on, code""",
        days[0],
        days[-1],
        uow.now,
    )
    looked = {(code, day) for code, day in classed} | await _raised_by_policy(uow, days)
    return await drift.look_at_products(uow, [(code, day, day - ONE_DAY) for code, day in sorted(looked)])


async def _raised_by_policy(uow: UnitOfWork, days: Sequence[date]) -> set[tuple[str, date]]:
    """The products that ask for more, or for what cannot be compared, by the policy of the day after one of these."""
    policies = await uow.policies(Policies)
    turning = [day for day in days if policies.on(day).version != policies.on(day + ONE_DAY).version]
    if not turning:
        return set()
    codes = [code for (code,) in await uow.sql.fetch("SELECT code FROM products")]
    needed = await needed_on(uow, [(code, on) for code in codes for day in turning for on in (day, day + ONE_DAY)])
    return {
        (code, day + ONE_DAY)
        for code in codes
        for day in turning
        if policies.on(day).scheme != policies.on(day + ONE_DAY).scheme
        or rose(needed[code, day], needed[code, day + ONE_DAY])
    }
