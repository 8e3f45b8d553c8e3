"""HTTP in: a client's points, the statement, and why each entry is what it is. Points are decimal strings."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import msgspec
from fastapi import Query, Response
from pydantic import BaseModel, Field

from chassis import csv_files
from chassis.actor import Actor, Role
from chassis.clock import months_after
from chassis.errors import FieldError, Invalid, NotFound, Text
from chassis.http import Listing, Once, Page, Reading, Work, gives, permits, require_sight, router
from chassis.timeline import today
from contracts.fields import BusinessDate, Id, Identifier, number_of, text_of
from services.points import applications, entries, explain, feedback
from services.points.accounts import as_amount

routes = router("/v1/points", "points")
Reader = Annotated[Actor, permits("points:read", *Role)]
Speaker = Annotated[Actor, permits("points:feedback", Role.CLIENT, Role.AGENT, Role.CLIENT_MANAGER)]
Listener = Annotated[Actor, permits("points:feedback:read", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)]
NEXT_EXPIRIES = 3
SOME = 12
CSV = "text/csv"
STATEMENT = ("posted_on", "kind", "trade_id", "points", "value_on", "expires_on", "balance")


class Expiry(BaseModel):
    """Points that expire together at the close of a day."""

    expires_on: date
    points: str


class Lots(BaseModel):
    """Points that end together: what can be spent until the close of that day, and what is held, which does not expire.

    What is held past its end has none: whether it expires is known when the hold ends."""

    expires_on: date | None
    points: str
    held: str


class Holding(BaseModel):
    """Points kept for something that is not decided or delivered yet: a redemption of a reward, an application for a tier."""

    hold: str
    reward: str
    points: str
    held_at: datetime


class NextTier(BaseModel):
    """The tier that can be applied for, and its price [P4]."""

    tier: str
    points: str


class Points(BaseModel):
    """A client's points: `spendable` in whole points, rounded down [P1]; none while there is debt [P7]. `tier` is today's;
    `lots` and `holds` are the first of when points end and of what is held, `.../lots` and `.../holds` have all."""

    client_id: str
    available: str
    held: str
    debt: str
    spendable: str
    next_expiries: list[Expiry]
    lots: Annotated[list[Lots], Field(description="when points end, the next first")]
    holds: Annotated[list[Holding], Field(description="what is held, and for what")]
    tier: str
    next_tier: NextTier | None


class Feedback(BaseModel, extra="forbid"):
    """A score from 1 (bad) to 5 (good), and words."""

    score: Annotated[int, number_of(1, 5)]
    words: Annotated[str, text_of(500)] = ""


class FeedbackView(BaseModel):
    """What a client said; words are masked."""

    feedback_id: UUID
    client_id: str
    branch_id: str | None
    score: int
    words: str
    at: datetime


class Entry(BaseModel):
    """One row of the ledger; `points` is signed as the client sees it."""

    entry_id: str
    kind: str
    points: str
    posted_on: date
    trade_id: str | None
    trade_date: date | None
    tier: str | None
    multiplier: str | None
    debit_account: str
    credit_account: str
    expires_on: date | None
    original: str | None
    value_on: date | None
    recorded_at: datetime


class Rule(BaseModel):
    """The rule applied, in words."""

    id: str
    en: str
    zh: str = Field(alias="zh-CN")


class Inputs(BaseModel):
    """What the rule was applied to."""

    commission: str
    tier: str
    multiplier: str
    trade_id: str
    trade_date: date
    posted_before: str


class TradeEntry(BaseModel):
    """An entry of the same trade."""

    entry_id: str
    kind: str
    points: str
    posted_on: date


class Sentence(BaseModel):
    """The explanation for the client."""

    en: str
    zh: str = Field(alias="zh-CN")


class Explanation(BaseModel):
    """Why an entry is what it is; `trade_total` and `trade_entries` as of the date asked for."""

    entry_id: str
    kind: str
    points: str
    rule: Rule
    policy: str | None
    inputs: Inputs | None
    cause: str
    original: str | None
    trade_total: str
    trade_entries: list[TradeEntry]
    sentence: Sentence


@routes.get("/clients/{client_id}")
async def read_points(actor: Reader, sql: Reading, client_id: Identifier) -> Points:
    """What the client has, owes and can spend, and what expires next."""
    found = await entries.overview(sql, client_id, SOME)
    if found is None:
        raise NotFound
    require_sight(actor, client_id, found.branch_id)
    coming = [(end, points) for end, points, _ in found.ends if points and end >= found.day]
    tier, following, price = applications.next_above(found.tiers, found.policies, found.day)
    return Points(
        client_id=client_id,
        available=str(as_amount(found.available)),
        held=str(as_amount(found.held)),
        debt=str(as_amount(found.debt)),
        spendable=str(0 if found.debt else found.available // 100),
        holds=[_holding(one) for one in found.holds],
        lots=_lots(found.ends, found.day),
        next_expiries=[Expiry(expires_on=end, points=str(as_amount(points))) for end, points in coming[:NEXT_EXPIRIES]],
        tier=tier,
        next_tier=NextTier(tier=following, points=str(as_amount(price))) if following else None,
    )


@routes.get("/clients/{client_id}/lots")
async def list_lots(actor: Reader, sql: Reading, client_id: Identifier, page: Page) -> Listing[Lots]:
    """When the client's points end, the next first; held points are shown beside, under the end they would have had."""
    await seen(actor, sql, client_id)
    after = date.fromisoformat(page.after[0]) if page.after else None
    rows = await entries.ends(sql, client_id, after, page.limit + 1)
    found = page.result(rows, lambda row: (row[0],))
    return Listing[Lots](items=_lots(found["items"], await today(sql)), next=found["next"])


@routes.get("/clients/{client_id}/holds")
async def list_holds(actor: Reader, sql: Reading, client_id: Identifier, page: Page) -> Listing[Holding]:
    """What of the client's points is held, and for what: redemptions, then applications, each the oldest first."""
    await seen(actor, sql, client_id)
    after = page.after[0] if page.after else ""
    rows = await entries.held(sql, client_id, after, page.limit + 1)
    found = page.result([_holding(dict(row)) for row in rows], lambda one: (one.hold,))
    return Listing[Holding].model_validate(found)


@routes.get("/clients/{client_id}/entries")
async def list_entries(actor: Reader, sql: Reading, client_id: Identifier, page: Page) -> Listing[Entry]:
    """The client's statement, newest first; a trade that earned nothing shows zero points."""
    await seen(actor, sql, client_id)
    rows = await entries.statement(sql, client_id, page.after, page.limit + 1)
    found = page.result([_entry(row) for row in rows], lambda entry: (entry["posted_on"], entry["number"]))
    return Listing[Entry].model_validate(found)


@routes.get("/clients/{client_id}/statement", response_class=Response, responses=gives(CSV))
async def download_statement(
    actor: Reader,
    sql: Reading,
    client_id: Identifier,
    since: Annotated[BusinessDate, Query(description="the first day")],
    until: Annotated[BusinessDate, Query(description="the last day, at most a year later")],
) -> Response:
    """The statement of a span of days as CSV, the oldest first, with what was left after each entry."""
    await seen(actor, sql, client_id)
    if not since <= until <= months_after(since, 12):
        raise Invalid(
            Text("until is no earlier than since, and at most a year later", "截止日不早于起始日,且不超过一年"),
            errors=(FieldError("/until", "within a year of since"),),
        )
    rows = await entries.between(sql, client_id, since, until)
    lines = [
        (day, kind, trade or "", as_amount(points), value_on, ends_on or "", as_amount(left))
        for day, kind, trade, points, value_on, ends_on, left in rows
    ]
    content = csv_files.text_of([STATEMENT, *lines])
    return Response(content, media_type=CSV, headers={"content-disposition": 'attachment; filename="points.csv"'})


@routes.post("/clients/{client_id}/feedback", status_code=201)
async def give_feedback(actor: Speaker, uow: Work, _once: Once, client_id: Identifier, said: Feedback) -> FeedbackView:
    """Say what one thinks of the points service: a score from 1 (bad) to 5 (good), and words."""
    row = await seen(actor, uow.sql, client_id)
    kept = await feedback.give(uow, client_id, row["branch_id"], said.score, said.words)
    return FeedbackView.model_validate(msgspec.structs.asdict(kept))


@routes.get("/feedback")
async def list_feedback(
    actor: Listener,
    sql: Reading,
    page: Page,
    since: Annotated[BusinessDate, Query(description="the first day")],
    until: Annotated[BusinessDate, Query(description="the last day")],
) -> Listing[FeedbackView]:
    """What clients said, newest first."""
    after = UUID(page.after[0]) if page.after else None
    rows = await feedback.given(sql, actor, since, until, after, page.limit + 1)
    found = page.result([msgspec.structs.asdict(row) for row in rows], lambda one: (str(one["feedback_id"]),))
    return Listing[FeedbackView].model_validate(found)


@routes.get("/clients/{client_id}/entries/{entry}/explain")
async def explain_entry(
    actor: Reader,
    sql: Reading,
    client_id: Identifier,
    entry: Id,
    as_of: Annotated[BusinessDate | None, Query(description="what was posted by the end of this date")] = None,
) -> Explanation:
    """Inputs, rule, policy version, and the sentence for the client, in zh-CN and en."""
    await seen(actor, sql, client_id)
    trade = await entries.same_trade(sql, client_id, str(entry), as_of)
    wanted = next((row for row in trade if row["entry_id"] == str(entry)), None)
    if wanted is None:
        raise NotFound(Text(f"no entry {entry} of this client by then", f"届时该客户无分录 {entry}"))
    return Explanation.model_validate(explain.explained(dict(wanted), [dict(row) for row in trade]))


async def seen(actor: Actor, sql: asyncpg.Connection, client_id: Identifier) -> asyncpg.Record:
    """Balance and branch of a client the caller may see.

    Raises: NotFound.
    """
    row = await entries.balance_of(sql, client_id)
    if row is None:
        raise NotFound
    require_sight(actor, client_id, row["branch_id"])
    return row


def _lots(ends: Sequence[tuple[date, int, int]], on: date) -> list[Lots]:
    """Ends that are over are none any more: what was free then is no longer there to use, what is held stays."""
    return [
        Lots(
            expires_on=day if day >= on else None,
            points=str(as_amount(points if day >= on else 0)),
            held=str(as_amount(held)),
        )
        for day, points, held in ends
        if held or day >= on
    ]


def _holding(row: dict[str, Any]) -> Holding:
    return Holding(
        hold=row["hold"], reward=row["reward"], points=str(as_amount(row["points"])), held_at=row["held_at"]
    )  # fmt: skip


def _entry(row: asyncpg.Record) -> dict[str, Any]:
    return {
        **row,
        "points": str(as_amount(row["points"])),
        "multiplier": explain.as_multiplier(row["multiplier"]) if row["multiplier"] is not None else None,
    }
