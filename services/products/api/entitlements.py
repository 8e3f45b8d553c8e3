"""HTTP in: what a client may have and why, for one and for many; what the phone system asks; services granted by hand."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import BaseModel, Field

from chassis.actor import Actor, Role
from chassis.clock import business_date
from chassis.http import Once, Reading, Work, may_see, permits, router
from chassis.http.reads import NOT_STAFF, note_read
from chassis.timeline import today
from contracts.fields import BusinessDate, Code, Identifier, Instant, Text500
from services.products import clients, entitlements, overrides
from services.products.api.shapes import Both, Reader
from services.products.entitlements import Have, Missing

routes = router("/v1/products", "products")
Checker = Annotated[Actor, permits("products:entitlements:check", *Role)]
Granter = Annotated[Actor, permits("products:override", Role.BRANCH_MANAGER, Role.HQ, Role.COMPLIANCE)]
MOST = 200


class EntitlementItem(BaseModel):
    """A service the client may have: by which source and version, from when until when (exclusive), and why."""

    code: str
    source: str
    version: str
    begins: date = Field(serialization_alias="from", description="the first day", examples=["2024-03-04"])
    until: date | None
    why: Both

    @classmethod
    def of(cls, have: Have) -> "EntitlementItem":
        """As answers have it."""
        one = have.stretch
        return cls(
            code=one.code,
            source=one.source,
            version=one.version,
            begins=one.since,
            until=one.until,
            why=Both.of(have.why),
        )


class MissingItem(BaseModel):
    """A service the client does not have: what would give it, and what keeps it back where they hold it."""

    code: str
    given_by: list[str]
    blocked_by: list[str]
    why: Both

    @classmethod
    def of(cls, one: Missing) -> "MissingItem":
        """As answers have it."""
        return cls(code=one.code, given_by=list(one.given_by), blocked_by=list(one.blocked_by), why=Both.of(one.why))


class Entitlements(BaseModel):
    """What a client may have on a day, or at an instant of it, and what not."""

    client_id: str
    as_of: date
    at: datetime | None = Field(
        default=None, description="the instant asked for, where one was", examples=["2024-03-04T09:30:00+08:00"]
    )
    items: list[EntitlementItem]
    missing: list[MissingItem]


class Question(BaseModel, extra="forbid"):
    """May this client have this service?"""

    client_id: Identifier
    code: Code


class Questions(BaseModel, extra="forbid"):
    """Up to 200 at once."""

    items: Annotated[list[Question], Field(min_length=1, max_length=MOST)]


class CheckedItem(BaseModel):
    """The answer to one: no also where the client is none the caller may see."""

    client_id: str
    code: str
    entitled: bool
    source: str | None
    until: date | None


class Checked(BaseModel):
    """The answers, in the order of the questions."""

    items: list[CheckedItem]


class Contact(BaseModel):
    """How a client reaches the firm [A28]: for the gateway and the phone system."""

    client_id: str
    line: Literal["general", "priority", "dedicated", "dedicated_priority"]
    one_to_one: list[Literal["team", "adviser"]]
    ring_through: bool
    green_channel: bool


class Override(BaseModel, extra="forbid"):
    """A service to be granted by hand until a day (exclusive), and why; it begins today unless another day is said."""

    code: Code
    since: BusinessDate | None = None
    until: BusinessDate
    reason: Text500


class AskedFor(BaseModel):
    """What waits for a second person."""

    approval_id: UUID
    client_id: str
    code: str
    state: str


@routes.get("/clients/{client_id}/entitlements")
async def read_entitlements(
    actor: Reader,
    sql: Reading,
    client_id: Identifier,
    as_of: Annotated[
        BusinessDate | Instant | None,
        Query(description="on this day, or at this instant: what holds and payments said then"),
    ] = None,
    known_at: Annotated[Instant | None, Query(description="as it was known then")] = None,
) -> Entitlements:
    """Every service the client may have with its reason, and for every other what would give it."""
    await clients.seen(actor, sql, client_id)
    when = as_of or await today(sql)
    have, missing = await entitlements.answer(sql, client_id, when, known_at)
    at = when if isinstance(when, datetime) else None
    return Entitlements(
        client_id=client_id, as_of=business_date(at) if at else when, at=at, items=[EntitlementItem.of(one) for one in have],
        missing=[MissingItem.of(one) for one in missing],
    )  # fmt: skip


@routes.post("/entitlements/check")
async def check_entitlements(actor: Checker, uow: Work, request: Request, asked: Questions) -> Checked:
    """May these clients have these services today? Up to 200 at once, one query."""
    pairs = [(one.client_id, one.code) for one in asked.items]
    ids = sorted({client_id for client_id, _ in pairs})
    branches = await clients.branches_of(uow.sql, ids)
    visible = {one for one in ids if one in branches and may_see(actor, one, branches[one])}
    if actor.role not in NOT_STAFF and visible:
        note_read(request, uow, actor, "products:entitlements:check", sorted(visible))
    found = await entitlements.check(uow.sql, pairs, await today(uow.sql))
    return Checked(
        items=[
            CheckedItem(
                client_id=client_id, code=code, entitled=client_id in visible and one is not None,
                source=one.source if one and client_id in visible else None,
                until=one.until if one and client_id in visible else None,
            )
            for (client_id, code), one in zip(pairs, found, strict=True)
        ]
    )  # fmt: skip


@routes.get("/clients/{client_id}/contact")
async def read_contact(actor: Reader, sql: Reading, client_id: Identifier) -> Contact:
    """The line a client's call goes to, who serves them one to one, and whether it rings through [A28]."""
    await clients.seen(actor, sql, client_id)
    have, _ = await entitlements.answer(sql, client_id, await today(sql))
    codes = {one.stretch.code for one in have}
    line: Literal["general", "priority", "dedicated", "dedicated_priority"] = "general"
    if "DEDICATED_LINE" in codes:
        line = "dedicated_priority" if "LINE_PRIORITY" in codes else "dedicated"
    elif "PRIORITY_QUEUE" in codes:
        line = "priority"
    persons: list[Literal["team", "adviser"]] = ["team"] if "TEAM_ONE_TO_ONE" in codes else []
    if "ADVISER_ONE_TO_ONE" in codes:
        persons.append("adviser")
    return Contact(
        client_id=client_id, line=line, one_to_one=persons, ring_through="RING_THROUGH" in codes,
        green_channel="GREEN_CHANNEL" in codes,
    )  # fmt: skip


@routes.post("/clients/{client_id}/overrides", status_code=202)
async def ask_for_override(
    actor: Granter, uow: Work, _once: Once, client_id: Identifier, wanted: Override, response: Response
) -> AskedFor:
    """Ask for a service by hand: it is given when another person agrees, and always ends."""
    client = await clients.seen(actor, uow.sql, client_id)
    asked = await overrides.ask(
        uow, client_id, client.branch_id, wanted.code, wanted.since, wanted.until, wanted.reason
    )
    response.headers["location"] = f"/v1/products/approvals/{asked.approval_id}"
    return AskedFor(approval_id=asked.approval_id, client_id=client_id, code=wanted.code, state=asked.state)
