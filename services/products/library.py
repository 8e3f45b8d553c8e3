"""The product library (产品库): draft, reviewed, on the shelf, suspended, off the shelf; each move by two persons [S7]."""

from collections.abc import Sequence
from datetime import date

import asyncpg
import msgspec

from chassis import rows
from chassis.actor import Actor
from chassis.acts import Act, Aggregate, Doing, acts
from chassis.clock import business_date
from chassis.errors import Conflict, Refusal, Text
from chassis.timeline import today
from chassis.uow import UnitOfWork
from contracts.fields import FIRST_DAY
from contracts.products import ProductChanged, ProductStretch, ShelfState
from services.products.people import DESK, DESK_DECIDES, STAFF, audiences
from services.products.policy import Policies
from services.products.rules import Product
from services.products.tables import ProductRow, ShelfRow


class NotInCatalogue(Conflict):
    """The catalogue in force does not describe and price this product."""

    title = Text("Not in the catalogue in force", "现行产品目录中无此产品")


class LicenceMissing(Conflict):
    """The firm does not hold the licence this product asks for."""

    title = Text("The firm's licence is missing", "公司尚未取得所需业务资格")


PRODUCT = Aggregate[ProductRow](
    name="product",
    table="products",
    id="product",
    row=lambda record: msgspec.convert(dict(record), ProductRow),
    states=("draft", "reviewed", "on_shelf", "suspended", "off_shelf"),
    begins=("draft",),
    final=(),
    sight=lambda *_: ("true", []),
    audiences=audiences,
    client=None,
    branch=None,
    facts=lambda sql, _, found: _unfit(sql, found),
)


async def _unfit(sql: asyncpg.Connection, found: Sequence[ProductRow]) -> list[Refusal | None]:
    """Of each product what keeps it off the shelf today."""
    return unfit(await Policies.read(sql), await today(sql), found)


def unfit(policies: Policies, day: date, found: Sequence[ProductRow]) -> list[Refusal | None]:
    """Of each product what keeps it off the shelf on a day: D asks for a licence the firm has to hold."""
    catalogue, licences = policies.catalogue.on(day).body.products, policies.firm.on(day).body
    said: list[Refusal | None] = []
    for row in found:
        product = catalogue.get(row.product)
        if product is None:
            said.append(NotInCatalogue())
        elif product.licence and product.licence not in licences:
            said.append(LicenceMissing(Text(f"it asks for {product.licence}", f"须具备 {product.licence} 资格")))
        else:
            said.append(None)
    return said


def _is_fit(_: Actor, __: ProductRow, facts: Refusal | None) -> Refusal | None:
    return facts


async def _require_fit(uow: UnitOfWork, doings: Sequence[Doing[ProductRow]]) -> None:
    """Once more when the second person agrees."""
    for refusal in unfit(await uow.policies(Policies), await today(uow.sql), [one.row for one in doings]):
        if refusal is not None:
            raise refusal


async def _tell_moves(uow: UnitOfWork, doings: Sequence[Doing[ProductRow]]) -> None:
    policies = await uow.policies(Policies)
    for one in doings:
        day = max(business_date(one.at), one.before.since)
        await uow.sql.execute(
            f"INSERT INTO product_states ({rows.columns(ShelfRow)}) VALUES ($1, $2, $3, $4, $5)",
            one.id,
            day,
            one.row.revision,
            one.row.state,
            uow.now,
        )
        await uow.sql.execute("UPDATE products p SET since = $2 WHERE product = $1", one.id, day)
        await _tell(uow, policies, one.id, day)


async def _tell(uow: UnitOfWork, policies: Policies, code: str, day: date) -> None:
    """Tell where a product stands from a day on, and what it asks for."""
    product = policies.catalogue.on(day).body.products.get(code)
    floor, rank = (product.floor or None, product.rank) if product else (None, None)
    revision = await uow.sql.fetchval(
        """UPDATE products SET told = told + 1, told_floor = $2, told_rank = $3 WHERE product = $1 RETURNING told""",
        code,
        floor,
        rank,
    )
    stretches = [
        ProductStretch(since=max(since, day), shelf=state, floor=floor, rank=rank)
        for since, state in await states_from(uow.sql, code, day)
    ]
    uow.emit(ProductChanged(product=code, revision=revision, changed_from=day, stretches=stretches))


async def states_from(sql: asyncpg.Connection, code: str, day: date) -> list[tuple[date, ShelfState]]:
    """Where a product stands on a day and from later ones on."""
    return [
        (since, state)
        for since, state in await sql.fetch(
            """SELECT since, state FROM (SELECT DISTINCT ON (since) since, state FROM product_states
                                         WHERE product = $1 ORDER BY since, revision DESC) s
               WHERE since >= coalesce((SELECT max(since) FROM product_states WHERE product = $1 AND since <= $2), since)
               ORDER BY since""",
            code,
            day,
        )
    ]


async def shelved(sql: asyncpg.Connection, day: date) -> dict[str, str]:
    """Where every product stands on a day."""
    return {  # noqa: C416 - rows are records, not pairs
        product: state
        for product, state in await sql.fetch(
            """SELECT DISTINCT ON (product) product, state FROM product_states WHERE since <= $1
               ORDER BY product, since DESC, revision DESC""",
            day,
        )
    }


async def take_effect(uow: UnitOfWork, day: date) -> None:
    """What a catalogue says from a day on: products new to it begin as drafts, changed floors and ranks are told."""
    policies = await uow.policies(Policies)
    catalogue: dict[str, Product] = dict(policies.catalogue.on(day).body.products)
    known = {
        row.product: row
        for row in await rows.fetch(uow.sql, ProductRow, f"SELECT {rows.columns(ProductRow)} FROM products FOR UPDATE")
    }
    for code, product in sorted(catalogue.items()):
        row = known.get(code)
        if row is None:
            await uow.sql.execute("INSERT INTO products (product, state, since) VALUES ($1, 'draft', $2)", code, day)
            await uow.sql.execute(
                f"INSERT INTO product_states ({rows.columns(ShelfRow)}) VALUES ($1, $2, 0, 'draft', $3)",
                code,
                day,
                uow.now,
            )
            await _tell(uow, policies, code, day)
        elif not row.told:
            await _tell(uow, policies, code, FIRST_DAY)
        elif (row.told_floor, row.told_rank) != (product.floor or None, product.rank):
            await _tell(uow, policies, code, day)


ACTS = acts(
    PRODUCT,
    Act("review", Text("Reviewed", "审核"), on=("draft",), to="reviewed", who=(DESK,), approval=DESK_DECIDES,
        tells=(STAFF,), then=_tell_moves),
    Act("put_on_shelf", Text("Put on the shelf", "上架"), on=("reviewed", "suspended"), to="on_shelf", who=(DESK,),
        approval=DESK_DECIDES, tells=(STAFF,), unless=_is_fit, prepare=_require_fit, then=_tell_moves),
    Act("suspend", Text("Suspend", "暂停"), on=("on_shelf",), to="suspended", who=(DESK,), approval=DESK_DECIDES,
        tells=(STAFF,), then=_tell_moves),
    Act("take_off", Text("Take off the shelf", "下架"), on=("on_shelf", "suspended"), to="off_shelf", who=(DESK,),
        approval=DESK_DECIDES, tells=(STAFF,), then=_tell_moves),
    Act("redraft", Text("Back to draft", "退回草稿"), on=("reviewed", "off_shelf"), to="draft", who=(DESK,),
        approval=DESK_DECIDES, tells=(STAFF,), then=_tell_moves),
)  # fmt: skip
