"""Products and their classes over HTTP."""

from typing import Annotated, Literal

from fastapi import Response
from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.approvals import Approval
from chassis.http import Listing, Page, Reading, Work, permits, router
from chassis.http.approvals import ApprovalView, view
from chassis.http.language import Language
from chassis.rows import fetch
from chassis.timeline import today
from contracts.fields import Code, Text200, text_of
from services.suitability import products
from services.suitability.api.shapes import (
    EVERYBODY,
    HEADQUARTERS,
    Body,
    Day,
    Name,
    Words,
)
from services.suitability.policy import Policies
from services.suitability.situations import ProductRow, product_columns, product_on

routes = router("/v1/suitability/products", "suitability")
Reader = Annotated[Actor, permits("suitability.products:read", *EVERYBODY)]
Keeper = Annotated[Actor, permits("suitability.products:keep", Role.HQ, Role.OPERATIONS, Role.SYSTEM)]
Classer = Annotated[Actor, permits("suitability.products:class", *HEADQUARTERS)]


class Product(BaseModel):
    """A product and the level it asks for; `level_needed` is null while it has no class, and nobody may buy it.

    `library_shelf` and `library_floor` are what the firm's product library says of it; `not_sold_because` whose word keeps it
    off the shelf (`own:off_shelf`, `library:suspended`)."""

    code: str
    name_zh: str
    name_en: str
    kind: str
    kind_zh: str
    kind_en: str
    state: str
    library_shelf: str | None
    library_floor: str | None
    not_sold_because: str | None
    issuer_class: str | None
    scheme: str
    level_needed: str | None
    revision: int


class ProductBody(Body):
    """What is entered of a product."""

    name_zh: Text200 = ""
    name_en: Text200 = ""
    kind: Name
    state: Literal["draft", "on_shelf", "suspended", "off_shelf"] = "on_shelf"
    issuer_class: Name | None = None
    reason: Annotated[str, text_of(1000)] = ""


class ClassBody(Body):
    """A class of the product's own; without a level it goes back to its kind's."""

    effective_on: Day
    scheme: Annotated[Name | None, Field(description="of the level; the firm's, unless given")] = None
    level: Name | None
    reason: Words


class Kind(BaseModel):
    """A kind of product and the level it needs."""

    kind: str
    level_needed: str
    zh: str
    en: str
    permission: str | None


@routes.get("")
async def list_products(_: Reader, sql: Reading, page: Page) -> Listing[Product]:
    """Every product and instrument known, by code."""
    day = await today(sql)
    policy = (await Policies.read(sql)).on(day)
    rows = await fetch(
        sql,
        ProductRow,
        f"""SELECT {product_columns("$1::date")} FROM products l
            JOIN LATERAL ({product_on("l.code", "$1::date")}) p ON true WHERE l.code > $2 ORDER BY l.code LIMIT $3""",
        day,
        str((page.after or ("",))[0]),
        page.limit + 1,
    )
    found = page.result([products.described(row, policy) for row in rows], lambda row: (row["code"],))
    return Listing[Product].model_validate(found)


@routes.get("/kinds")
async def list_kinds(_: Reader, sql: Reading) -> list[Kind]:
    """The kinds that have a class, and the level each needs in the firm's scheme."""
    policy = (await Policies.read(sql)).on(await today(sql))
    return [
        Kind(kind=name, level_needed=kind.needs[policy.scheme], zh=kind.zh, en=kind.en, permission=kind.permission)
        for name, kind in policy.kinds.items()
    ]


@routes.get("/{code}")
async def read_product(_: Reader, sql: Reading, code: Code, as_of: Day | None = None) -> Product:
    """A product with the level it asks for."""
    return Product.model_validate(await products.find(sql, code, as_of or await today(sql)))


@routes.put("/{code}", responses={202: {"model": ApprovalView, "description": "It waits for a second person"}})
async def keep_product(
    _: Keeper, uow: Work, code: Code, body: ProductBody, response: Response, accept_language: Language = ""
) -> Product | ApprovalView:
    """Enter or change a product. New names count at once; a new product, kind, state or issuer's class waits for a second
    person (202), of compliance when the new kind asks for less. Who holds what then asks for more is matched again."""
    product = products.Product(code, body.name_zh, body.name_en, body.kind, body.state, body.issuer_class)
    kept = await products.keep(uow, product, await today(uow.sql), body.reason)
    if not isinstance(kept, Approval):
        return Product.model_validate(kept)
    response.status_code = 202
    return _view(kept, accept_language)


@routes.post("/{code}/classes", status_code=202)
async def set_class(_: Classer, uow: Work, code: Code, body: ClassBody, accept_language: Language = "") -> ApprovalView:
    """Ask for a class of the product's own from a day on: in force when a second person approves, of compliance when it is
    below the level of the product's kind; approved after that day, from the day of approval."""
    day = await today(uow.sql)
    asked = await products.set_class(uow, code, body.effective_on, body.scheme, body.level, body.reason, day)
    return _view(asked, accept_language)


def _view(asked: Approval, language: str) -> ApprovalView:
    kind = products.BELOW_FLOOR if asked.kind == products.BELOW_FLOOR.name else products.CHANGE
    return view("suitability", kind, asked, language)
