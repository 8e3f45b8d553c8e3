"""Mailings over HTTP: columns and who wants them, orders, releases, and why a client gets one or not [B15]."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
import msgspec
from fastapi import Query
from pydantic import BaseModel, Field
from uuid_utils import uuid7

from chassis.actor import Actor
from chassis.errors import NotFound
from chassis.http import Once, Reading, Work, router
from chassis.timeline import effective_now, today
from contracts.fields import BusinessDate, Code, Id, Identifier, Instant, text_of
from services.messaging import lines, mailings
from services.messaging.api.access import Interested, Planner, Reader, require_client
from services.messaging.policy import Policies
from services.messaging.ports.html import cleaned
from services.messaging.tables import MailingRow

routes = router("/v1/messaging", "messaging mailings")
SHOWN = 200


class Words(BaseModel):
    """Title and text in one language."""

    title: Annotated[str, text_of(100, 2)]
    text: Annotated[str, text_of(4000, 5)]
    html: Annotated[
        Annotated[str, text_of(20000, 1)] | None,
        Field(description="what mails show in place of the text: cleaned, its styles inlined; the text goes beside it"),
    ] = None


class Audience(BaseModel, extra="forbid"):
    """Whom an item of investors' education is for: in one of the groups, at one of the risk levels, of one of the tiers; where one of
    these is empty it leaves nobody out [MS18]."""

    groups: list[Code] = Field(default_factory=list, max_length=20, description="groups of clients")
    levels: list[Literal["VERY_LOW", "LOW", "MEDIUM", "MEDIUM_HIGH", "HIGH", "VERY_HIGH"]] = Field(
        default_factory=list, max_length=6
    )
    tiers: list[Literal["NORMAL", "SILVER", "GOLD", "PLATINUM", "DIAMOND"]] = Field(default_factory=list, max_length=5)


class Order(BaseModel):
    """A mailing to order; `product_level` belongs to columns about products, `audience` to investors' education."""

    column: Code
    branch_id: Identifier | None = Field(None, description="one branch's clients; a branch orders for its own")
    product_level: Code | None = None
    audience: Annotated[Audience | None, Field(description="whom an item of education is for")] = None
    zh: Words = Field(alias="zh-CN")
    en: Words
    send_from: Instant
    send_until: Instant
    symbols: list[Code] = Field(
        default_factory=list, max_length=20, description="the instruments a line of an SMS product is about"
    )
    holders_only: bool = Field(False, description="only for those who hold one of the instruments it is about")


class Mailing(BaseModel):
    """A mailing, how many messages it became, and how many clients were left out by reason."""

    mailing_id: UUID
    column_code: str
    branch_id: str | None
    product_level: str | None
    audience: Annotated[
        dict[str, list[str]], Field(description="whom it is for; empty: everybody", examples=[{"tiers": ["GOLD"]}])
    ]
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
    symbols: Annotated[list[str], Field(description="the instruments it is about", examples=[["600519"]])]
    holders_only: Annotated[bool, Field(description="it goes to those alone who hold one of them")]


class ContentDay(BaseModel):
    """What those who had an SMS product got on a trading day [MS17]; `missing`: nothing, `alarm`: nothing for the second day."""

    code: str
    day: date
    payers: Annotated[int, Field(description="how many clients had the product")]
    lines: Annotated[int, Field(description="lines of the desk")]
    generated: Annotated[int, Field(description="messages made of facts")]
    missing: Annotated[bool, Field(description="it was paid for and there was nothing")]
    alarm: Annotated[bool, Field(description="the trading day before there was nothing either")]


class Withdrawal(BaseModel):
    """Why a mailing is stopped."""

    reason: Annotated[str, text_of(400, 5)]


@routes.get("/columns")
async def list_columns(_: Interested, sql: Reading) -> list[dict[str, Any]]:
    """The columns in force, and to whom each goes."""
    found = (await Policies.read(sql)).columns.on(await today(sql)).body.values()
    return [
        {
            "code": column.code, "words": {"zh-CN": column.zh, "en": column.en}, "channels": list(column.channels),
            "tier_from": column.tier_from, "groups": list(column.groups), "not_groups": list(column.not_groups),
            "on_request": column.on_request, "product": column.product, "marketing": column.marketing, "education": column.education,
            "entitlement": column.entitlement,
        }
        for column in found
    ]  # fmt: skip


@routes.get("/columns/demand")
async def read_demand(actor: Planner, sql: Reading) -> list[dict[str, Any]]:
    """How many clients of each class asked for each column, and by which channel."""
    return await mailings.demand(sql, _branch(actor))


@routes.get("/columns/content")
async def list_content(
    _: Planner, sql: Reading, first: Annotated[BusinessDate, Query()], last: Annotated[BusinessDate, Query()]
) -> list[ContentDay]:
    """Of each SMS product and trading day in a span of at most a year what was sent, and which were paid for without content."""
    end = min(last, first + timedelta(days=366))
    return [ContentDay.model_validate(msgspec.structs.asdict(one)) for one in await lines.content(sql, first, end)]


@routes.get("/mailings")
async def list_mailings(actor: Planner, sql: Reading) -> list[Mailing]:
    """Mailings of the own branch, or all; newest first, up to 200."""
    return [_as_shown(row) for row in await mailings.of_branch(sql, _branch(actor), SHOWN)]


@routes.post("/mailings", status_code=201)
async def order_mailing(actor: Planner, uow: Work, once: Once, given: Order) -> Mailing:
    """Draft a mailing; somebody else releases it. Words that no message says are refused here [MS16]."""
    mailing_id = UUID(bytes=uuid7().bytes)
    branch = given.branch_id if actor.sees_all_branches else actor.branch_id or "-"
    await mailings.order(
        uow,
        MailingRow(
            mailing_id, given.column, branch, given.product_level,
            given.audience.model_dump() if given.audience else {},
            {"zh-CN": _kept(given.zh), "en": _kept(given.en)}, given.send_from, given.send_until, "draft",
            actor.person, await effective_now(uow.sql, uow.now), None, None, None, None, "", given.symbols, given.holders_only,
        ),
    )  # fmt: skip
    return await _shown(uow.sql, actor, mailing_id)


@routes.get("/mailings/{mailing_id}")
async def read_mailing(actor: Planner, sql: Reading, mailing_id: Id) -> Mailing:
    """One mailing."""
    return await _shown(sql, actor, mailing_id)


@routes.post("/mailings/{mailing_id}/release")
async def release_mailing(actor: Planner, uow: Work, mailing_id: Id) -> Mailing:
    """Send another person's draft to whoever it is for by class, group, product, subscription and consent."""
    await _shown(uow.sql, actor, mailing_id)
    await mailings.release(uow, mailing_id)
    return await _shown(uow.sql, actor, mailing_id)


@routes.post("/mailings/{mailing_id}/withdrawal")
async def withdraw_mailing(actor: Planner, uow: Work, mailing_id: Id, given: Withdrawal) -> dict[str, int]:
    """Stop a mailing; the number of messages that will not go out."""
    await _shown(uow.sql, actor, mailing_id)
    return {"stopped": await mailings.withdraw(uow, mailing_id, given.reason)}


@routes.get("/mailings/{mailing_id}/clients/{client_id}")
async def explain_mailing(actor: Reader, sql: Reading, mailing_id: Id, client_id: Identifier) -> dict[str, Any]:
    """Whether a client gets it, every reason against it, and the message it became."""
    await require_client(sql, actor, client_id)
    return await mailings.why(sql, mailing_id, client_id, await today(sql))


def _kept(words: Words) -> dict[str, str]:
    """Words as they are kept, and released by somebody else: their HTML is clean already."""
    page = cleaned(words.html) if words.html else ""
    return {"title": words.title, "text": words.text} | ({"html": page} if page else {})


def _branch(actor: Actor) -> str | None:
    """The branch whose mailings a caller sees; None: all."""
    return None if actor.sees_all_branches else actor.branch_id or "-"


async def _shown(sql: asyncpg.Connection, actor: Actor, mailing_id: UUID) -> Mailing:
    row = await mailings.find(sql, mailing_id)
    if row is None or not (actor.sees_all_branches or row.branch_id == actor.branch_id):
        raise NotFound
    return _as_shown(row)


def _as_shown(row: MailingRow) -> Mailing:
    return Mailing.model_validate(msgspec.structs.asdict(row))
