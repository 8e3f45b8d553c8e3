"""Mailings over HTTP: columns and who wants them, orders, releases, and why a client gets one or not [B15]."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field
from uuid_utils.compat import uuid7

from chassis.errors import NotFound
from chassis.http import Once, Reading, Work, router
from chassis.timeline import today
from contracts.fields import Code, Id, Identifier, Instant, text_of
from services.callbacks import mailings
from services.callbacks.api.access import Leader, Reader, require_client
from services.callbacks.policy import Policies

routes = router("/v1/callbacks/mailings", "callbacks mailings")


class Words(BaseModel):
    """Title and text in one language."""

    title: Annotated[str, text_of(100, 2)]
    text: Annotated[str, text_of(4000, 5)]


class Order(BaseModel):
    """A mailing to order; `product_level` belongs to columns about products."""

    column: Code
    branch_id: Identifier | None = Field(None, description="one branch's clients; a branch orders for its own")
    product_level: Code | None = None
    zh: Words = Field(alias="zh-CN")
    en: Words
    send_from: Instant
    send_until: Instant


class Mailing(BaseModel):
    """A mailing, how many messages it became, and how many clients were left out by reason."""

    mailing_id: UUID
    column_code: str
    branch_id: str | None
    product_level: str | None
    words: dict[str, dict[str, str]]
    send_from: datetime
    send_until: datetime
    state: Literal["draft", "released", "withdrawn"]
    ordered_by: str
    ordered_at: datetime
    released_by: str | None
    released_at: datetime | None
    planned: int | None
    left_out: dict[str, int] | None
    policy: str


class Withdrawal(BaseModel):
    """Why a mailing is stopped."""

    reason: Annotated[str, text_of(400, 5)]


@routes.get("/columns")
async def list_columns(actor: Reader, sql: Reading) -> list[dict[str, Any]]:
    """The columns in force, and to whom each goes."""
    found = (await Policies.read(sql)).mailings.on(await today(sql)).body.values()
    return [
        {
            "code": column.code,
            "words": {"zh-CN": column.zh, "en": column.en},
            "channels": list(column.channels),
            "tier_from": column.tier_from,
            "groups": list(column.groups),
            "not_groups": list(column.not_groups),
            "on_request": column.on_request,
            "product": column.product,
            "marketing": column.marketing,
        }
        for column in found
    ]


@routes.get("/demand")
async def read_demand(actor: Leader, sql: Reading) -> list[dict[str, Any]]:
    """How many clients of each class asked for each column, and by which way."""
    return await mailings.demand(sql, None if actor.sees_all_branches else actor.branch_id or "-")


@routes.get("")
async def list_mailings(actor: Leader, sql: Reading) -> list[Mailing]:
    """Mailings of the own branch, or all; newest first, up to 200."""
    rows = await sql.fetch(
        "SELECT * FROM mailings WHERE $1::bool OR branch_id = $2 ORDER BY ordered_at DESC, mailing_id LIMIT 200",
        actor.sees_all_branches,
        actor.branch_id,
    )
    return [Mailing.model_validate(dict(row)) for row in rows]


@routes.post("", status_code=201)
async def order_mailing(actor: Leader, uow: Work, once: Once, given: Order) -> Mailing:
    """Draft a mailing; somebody else releases it."""
    mailing_id = uuid7()
    branch = given.branch_id if actor.sees_all_branches else actor.branch_id or "-"
    about = {"mailing": str(mailing_id), "column": given.column}
    words = {"zh-CN": given.zh.model_dump() | about, "en": given.en.model_dump() | about}
    await mailings.order(
        uow, mailing_id, given.column, branch, given.product_level, words, given.send_from, given.send_until
    )
    return await _shown(uow.sql, actor, mailing_id)


@routes.get("/{mailing_id}")
async def read_mailing(actor: Leader, sql: Reading, mailing_id: Id) -> Mailing:
    """One mailing."""
    return await _shown(sql, actor, mailing_id)


@routes.post("/{mailing_id}/release")
async def release_mailing(actor: Leader, uow: Work, mailing_id: Id) -> Mailing:
    """Send another person's draft to whoever it is for by class, group, product, subscription and opt-out."""
    await _shown(uow.sql, actor, mailing_id)
    await mailings.release(uow, mailing_id)
    return await _shown(uow.sql, actor, mailing_id)


@routes.post("/{mailing_id}/withdrawal")
async def withdraw_mailing(actor: Leader, uow: Work, mailing_id: Id, given: Withdrawal) -> dict[str, int]:
    """Stop a mailing; the number of messages that will not go out."""
    await _shown(uow.sql, actor, mailing_id)
    return {"stopped": await mailings.withdraw(uow, mailing_id, given.reason)}


@routes.get("/{mailing_id}/clients/{client_id}")
async def explain_mailing(actor: Reader, sql: Reading, mailing_id: Id, client_id: Identifier) -> dict[str, Any]:
    """Whether a client gets it, every reason against it, and the message it became."""
    await require_client(sql, actor, client_id)
    return await mailings.why(sql, mailing_id, client_id, await today(sql))


async def _shown(sql: Any, actor: Any, mailing_id: UUID) -> Mailing:
    row = await sql.fetchrow("SELECT * FROM mailings WHERE mailing_id = $1", mailing_id)
    if row is None or not (actor.sees_all_branches or row["branch_id"] == actor.branch_id):
        raise NotFound
    return Mailing.model_validate(dict(row))
